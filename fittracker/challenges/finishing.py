"""The end of a challenge: all is counted once more, places are for good, and everybody is told once.

Whichever worker looks first does it; where it dies, another one goes on. Each step may be done again and
comes to the same: nothing changes any more once a challenge is closed.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import msgspec
from pymongo import ReturnDocument, UpdateOne

from fittracker.challenges.metrics import METRICS, SETTLING, shown
from fittracker.challenges.progress import Progress
from fittracker.clock import Clock
from fittracker.errors import Unavailable
from fittracker.informing import Informing
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.roomlog.log import RoomLog

log = logger(__name__)

FINISHED: Final = "challenge.finished"
LEASE: Final = timedelta(seconds=60)
GROUP: Final = 100
TOP: Final = 10
NOBODY: Final = "0" * 24
"""Who says that a challenge is over whose maker is gone."""


class FinalPlace(msgspec.Struct):
    """A final place; names are on the board."""

    place: int
    user: str
    value: float


class Finished(msgspec.Struct):
    """A challenge is over: the first ten, and how many took part. All places are on its board."""

    challenge: str
    participants: int
    places: list[FinalPlace]


class Finishing:
    """Ends what is over."""

    def __init__(
        self, database: Database, progress: Progress, room_log: RoomLog, informing: Informing, clock: Clock
    ) -> None:
        self._challenges = database.challenges
        self._members = database.challenge_members
        self._progress = progress
        self._room_log = room_log
        self._informing = informing
        self._clock = clock

    async def finish_due(self) -> int:
        """End all that are due and that nobody is ending; how many."""
        count = 0
        while (challenge := await self._claim()) is not None:
            try:
                await self._finish(challenge)
            except Unavailable as error:
                # It is tried again when its minute is over.
                log.warning("challenge_not_finished", challenge=challenge["_id"], reason=error.detail)
                break
            count += 1
        return count

    async def _claim(self) -> Document | None:
        """One that is due, for a minute; `closing` keeps everybody from joining it."""
        now = self._clock.utc()
        due = [{"metric": each, "ends_at": {"$lte": now - SETTLING[each]}} for each in METRICS]
        return await self._challenges.find_one_and_update(
            {"state": "open", "lease_until": {"$not": {"$gt": now}}, "$or": due},
            {"$set": {"closing": True, "lease_until": now + LEASE}},
            return_document=ReturnDocument.AFTER,
        )

    async def _renew(self, challenge: Document) -> None:
        until = self._clock.utc() + LEASE
        await self._challenges.update_one({"_id": challenge["_id"]}, {"$set": {"lease_until": until}})

    async def _finish(self, challenge: Document) -> None:
        name = challenge["_id"]
        await self._count_once_more(challenge)
        await self._members.update_many({"challenge": name, "closed": False}, {"$set": {"closed": True}})
        participants, places = await self._place(challenge)
        await self._room_log.say(
            f"challenge:{name}",
            FINISHED,
            Finished(name, participants, places),
            by=NOBODY,
            client_id="finished",
        )
        await self._tell_members(challenge)
        over = {"state": "finished", "finished_at": self._clock.utc(), "participants": participants}
        await self._challenges.update_one({"_id": name, "state": "open"}, {"$set": over})
        log.info("challenge_finished", challenge=name, participants=participants)

    async def _count_once_more(self, challenge: Document) -> None:
        """What was made, edited or deleted unseen."""
        if challenge["metric"] == "custom":
            return
        query = {"challenge": challenge["_id"], "closed": False, "left_at": None}
        people = [each["user"] async for each in self._members.find(query, {"user": 1})]
        for first in range(0, len(people), GROUP):
            some = people[first : first + GROUP]
            await asyncio.gather(*(self._progress.recount(challenge, each) for each in some))
            await self._renew(challenge)

    async def _place(self, challenge: Document) -> tuple[int, list[FinalPlace]]:
        """Give everybody who takes part their place; how many there are, and the first ten."""
        query = {"challenge": challenge["_id"], "left_at": None}
        order = [("total", -1), ("reached_at", 1), ("user", -1)]
        places: list[FinalPlace] = []
        writes: list[UpdateOne] = []
        count = 0
        async for each in self._members.find(query, {"user": 1, "total": 1}, sort=order):
            count += 1
            writes.append(UpdateOne({"_id": each["_id"]}, {"$set": {"place": count}}))
            if count <= TOP:
                places.append(FinalPlace(count, each["user"], shown(each["total"])))
            if len(writes) >= GROUP:
                await self._members.bulk_write(writes, ordered=False)
                await self._renew(challenge)
                writes = []
        if writes:
            await self._members.bulk_write(writes, ordered=False)
        return count, places

    async def _tell_members(self, challenge: Document) -> None:
        query = {"challenge": challenge["_id"], "left_at": None, "told": False}
        while some := await self._members.find(query, {"user": 1, "place": 1}, limit=GROUP).to_list():
            await asyncio.gather(*(self._tell(challenge, each) for each in some))
            ids = [each["_id"] for each in some]
            await self._members.update_many({"_id": {"$in": ids}}, {"$set": {"told": True}})
            await self._renew(challenge)

    async def _tell(self, challenge: Document, member: Document) -> None:
        name = challenge["_id"]
        await self._informing.tell(
            member["user"],
            "challenge",
            event="challenge.finished",
            key=f"challenge.finished {name}",
            subject=f"challenge:{name}",
            data={"place": member["place"]},
        )
