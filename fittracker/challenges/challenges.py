"""Challenges themselves: made, changed, found, and who may look at which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument

from fittracker.blocks import Blocks
from fittracker.challenges.metrics import METRICS, UNITS
from fittracker.clock import Clock
from fittracker.control import Control, RoomChanged
from fittracker.errors import Conflict, Invalid, NotFound, PreconditionFailed, TooLarge
from fittracker.follows import Follows
from fittracker.ids import is_id, new_id
from fittracker.informing import Informing
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.paging import Cursor
from fittracker.people import People
from fittracker.redis import OUTAGES

log = logger(__name__)

VISIBILITIES: Final = ("public", "followers", "private")
LONGEST: Final = timedelta(days=366)
FURTHEST: Final = timedelta(days=366)
MOST_OPEN: Final = 20
"""So many that are not over one person may have made."""
MOST_INVITED: Final = 100


class Challenges:
    """The challenges of all people, seen with the eyes of one."""

    def __init__(
        self,
        database: Database,
        people: People,
        follows: Follows,
        blocks: Blocks,
        control: Control,
        informing: Informing,
        clock: Clock,
    ) -> None:
        self._challenges = database.challenges
        self._members = database.challenge_members
        self._people = people
        self._follows = follows
        self._blocks = blocks
        self._control = control
        self._informing = informing
        self._clock = clock

    def state(self, challenge: Mapping[str, Any]) -> str:
        """planned, running, over (what was under way may still come in), or finished."""
        now = self._clock.utc()
        if challenge["state"] == "finished":
            return "finished"
        if now < challenge["starts_at"]:
            return "planned"
        return "running" if now < challenge["ends_at"] else "over"

    # -- looking -------------------------------------------------------------------------------------

    async def get(self, viewer: str, challenge: str) -> Document:
        """A challenge that the viewer may look at, with `mine`: their membership or None; else NotFound."""
        found = await self._challenges.find_one({"_id": challenge}) if is_id(challenge) else None
        if found is None:
            raise NotFound("There is no such challenge.")
        mine = await self._members.find_one({"challenge": challenge, "user": viewer, "left_at": None})
        if mine is None and not await self._open_to(viewer, found):
            raise NotFound("There is no such challenge.")
        return {**found, "mine": mine}

    async def may_look(self, viewer: str, challenge: str) -> bool:
        """Whether the viewer may look at it: who takes part, who made it, and whoever it is open to."""
        try:
            await self.get(viewer, challenge)
        except NotFound:
            return False
        return True

    async def owns(self, challenge: str, user: str) -> bool:
        """Whether this person made it."""
        return await self._challenges.find_one({"_id": challenge, "owner": user}, {"_id": 1}) is not None

    async def _open_to(self, viewer: str, challenge: Document) -> bool:
        owner = challenge["owner"]
        if viewer == owner:
            return True
        if owner is not None and await self._blocks.between(viewer, owner):
            return False
        if challenge["visibility"] == "public" or viewer in challenge["invited"]:
            return True
        by_following = challenge["visibility"] == "followers" and owner is not None
        return by_following and await self._follows.follows(viewer, owner)

    async def of_member(self, user: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """Those that this person takes part in, the last joined first; the next cursor."""
        query = {"user": user, "left_at": None}
        found, following = await Cursor("joined_at").page(self._members, query, limit, cursor)
        ids = [each["challenge"] for each in found]
        challenges = {each["_id"]: each async for each in self._challenges.find({"_id": {"$in": ids}})}
        items = [
            {**challenges[each["challenge"]], "mine": each}
            for each in found
            if each["challenge"] in challenges
        ]
        return items, following

    async def public(self, viewer: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """Those that everybody may join and that are not over, the newest first; the next cursor.

        Without those of people with whom the viewer has a block: a page may hold fewer.
        """
        query = {"state": "open", "visibility": "public"}
        found, following = await Cursor("created_at").page(self._challenges, query, limit, cursor)
        blocked = await self._blocks.among(viewer, [each["owner"] for each in found if each["owner"]])
        ids = [each["_id"] for each in found]
        mine = self._members.find({"user": viewer, "challenge": {"$in": ids}, "left_at": None})
        memberships = {each["challenge"]: each async for each in mine}
        items = [
            {**each, "mine": memberships.get(each["_id"])} for each in found if each["owner"] not in blocked
        ]
        return items, following

    # -- making and changing -------------------------------------------------------------------------

    async def create(
        self,
        owner: str,
        *,
        title: str,
        about: str,
        metric: str,
        unit: str,
        goal: int | None,
        starts_at: datetime,
        ends_at: datetime,
        visibility: str,
        invite: Sequence[str] = (),
    ) -> Document:
        """A new one, from `starts_at` until just before `ends_at`; `goal` in thousandths.

        Invalid for a span that is over, backwards, or longer than a year; Conflict from 20 open ones on.
        """
        self._check_span(starts_at, ends_at)
        if metric not in METRICS:
            raise Invalid(
                "There is no such metric.", fields={"metric": "must be one of " + ", ".join(METRICS)}
            )
        open_ones = {"owner": owner, "state": "open"}
        if await self._challenges.count_documents(open_ones, limit=MOST_OPEN) >= MOST_OPEN:
            raise Conflict(f"Nobody can have more than {MOST_OPEN} challenges that are not over.")
        invited = await self._reached(owner, invite)
        challenge: Document = {
            "_id": new_id(),
            "owner": owner,
            "title": title,
            "about": about,
            "metric": metric,
            "unit": unit if metric == "custom" else UNITS[metric],
            "goal": goal,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "visibility": visibility,
            "invited": invited,
            "participants": 0,
            "state": "open",
            "closing": False,
            "lease_until": None,
            "created_at": self._clock.utc(),
            "finished_at": None,
            "version": 1,
            "schema_version": 1,
        }
        await self._challenges.insert_one(challenge)
        await self._invite(challenge, invited)
        return {**challenge, "mine": None}

    def _check_span(self, starts_at: datetime, ends_at: datetime) -> None:
        now = self._clock.utc()
        if not now - LONGEST <= starts_at <= now + FURTHEST:
            raise Invalid("The start is not possible.", fields={"from": "must lie within a year"})
        if ends_at <= now:
            raise Invalid("It is over already.", fields={"to": "lies in the past"})
        if not timedelta(0) < ends_at - starts_at <= LONGEST:
            raise Invalid("The span is not possible.", fields={"to": "must follow from within a year"})

    async def change(
        self, owner: str, challenge: str, changes: Mapping[str, Any], version: int | None
    ) -> Document:
        """Change one's own: `title`, `about`, `goal`, `visibility`, `ends_at` (to a later moment), `invite`.

        NotFound for every other one, Conflict where it is over, PreconditionFailed as for all versions.
        """
        before = await self.get(owner, challenge)
        if before["owner"] != owner:
            raise NotFound("There is no such challenge.")
        self._check_changes(before, changes)
        values = {name: value for name, value in changes.items() if name != "invite"}
        invited = await self._reached(owner, changes.get("invite", ()))
        fresh = [each for each in invited if each not in before["invited"]]
        if len(before["invited"]) + len(fresh) > MOST_INVITED:
            raise TooLarge(f"Nobody can invite more than {MOST_INVITED} people.")
        same = {"_id": challenge, "owner": owner, "closing": False, "version": version or before["version"]}
        changed = await self._challenges.find_one_and_update(
            same,
            {
                "$set": values or {"owner": owner},
                "$addToSet": {"invited": {"$each": fresh}},
                "$inc": {"version": 1},
            },
            return_document=ReturnDocument.AFTER,
        )
        if changed is None:
            raise PreconditionFailed("It has changed since you read it; read it again.")
        await self._invite(changed, fresh)
        if changed["visibility"] != before["visibility"]:
            await self._tell_changed(challenge)
        return {**changed, "mine": before["mine"]}

    def _check_changes(self, before: Document, changes: Mapping[str, Any]) -> None:
        if before["closing"] or before["ends_at"] <= self._clock.utc():
            raise Conflict("This challenge is over.")
        ends_at = changes.get("ends_at")
        if ends_at is None:
            return
        if ends_at < before["ends_at"]:
            # What was counted beyond the new end would have to be taken away from people again.
            raise Invalid("The end can only be put off.", fields={"to": "lies before the present end"})
        if ends_at - before["starts_at"] > LONGEST:
            raise Invalid("The span is not possible.", fields={"to": "must follow from within a year"})

    async def _reached(self, owner: str, invite: Sequence[str]) -> list[str]:
        """Those to be invited, each once; Invalid where one is nobody whom the owner may know to be there."""
        invited = [each for each in dict.fromkeys(invite) if each != owner]
        missing = set(invited) - await self._people.reachable(owner, invited)
        if missing:
            raise Invalid(
                "There is somebody among the invited whom nobody knows.",
                fields={f"invite.{invite.index(each)}": "is not known" for each in sorted(missing)},
            )
        return invited

    async def _invite(self, challenge: Document, invited: Sequence[str]) -> None:
        name = challenge["_id"]
        for each in invited:
            await self._informing.tell(
                each,
                "challenge",
                event="challenge.invited",
                key=f"challenge.invited {name}",
                by=challenge["owner"],
                subject=f"challenge:{name}",
            )

    async def _tell_changed(self, challenge: str) -> None:
        try:
            await self._control.tell(RoomChanged(f"challenge:{challenge}"))
        except OUTAGES:
            log.warning("challenge_change_not_told", challenge=challenge)
