"""Deliveries: what is to leave the house for somebody, by push or by mail. It waits in MongoDB.

There is one for each entry that is pushed and one for each kind that is mailed, however much happens while
it waits. What is sent is how things are when it leaves; whether it still has to leave is asked then, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from prometheus_client import Gauge
from pymongo import ReturnDocument

from fittracker.clock import Clock
from fittracker.mongo import Database, Document, Session

Channel = Literal["push", "mail"]

MAILED: Final = frozenset({"social", "coaching", "challenge", "chat"})
"""The kinds that are mailed from the inbox. All others have mails of their own, sent by who causes them."""
LEASE: Final = timedelta(seconds=60)
KEPT: Final = timedelta(days=2)
AGAIN: Final = timedelta(minutes=15)
"""An entry that was pushed and has grown since is pushed again after so long at the earliest."""
FIRST_RETRY_S: Final = 5
LONGEST_RETRY_S: Final = 3_600

waiting = Gauge("fittracker_deliveries_waiting", "Pushes and mails of notifications that wait")


class Deliveries:
    """The deliveries of all people."""

    def __init__(self, database: Database, clock: Clock, *, mail_after_s: float, push: bool) -> None:
        self._deliveries = database.notification_deliveries
        self._subscriptions = database.push_subscriptions
        self._clock = clock
        self._mail_after = timedelta(seconds=mail_after_s)
        self._push = push

    @staticmethod
    def mails(kind: str) -> bool:
        """Whether notifications of this kind are mailed from here."""
        return kind in MAILED

    async def reaches(self, user: str) -> bool:
        """Whether there is a browser that this person is pushed to; never where push is off."""
        if not self._push:
            return False
        return await self._subscriptions.find_one({"user": user}, {"_id": 1}) is not None

    async def push(self, entry: Mapping[str, Any], session: Session) -> None:
        """An entry is to be pushed, if the transaction holds."""
        due = self._clock.utc()
        if entry["pushed_at"] is not None:
            due = max(due, entry["pushed_at"] + AGAIN)
        await self._put(f"{entry['_id']}:push", "push", entry, due, session)

    async def mail(self, entry: Mapping[str, Any], session: Session) -> None:
        """What is unread of this kind is to be mailed after a while, if the transaction holds."""
        due = self._clock.utc() + self._mail_after
        await self._put(f"{entry['user']}:{entry['kind']}:mail", "mail", entry, due, session)

    async def _put(
        self, number: str, channel: Channel, entry: Mapping[str, Any], due: datetime, session: Session
    ) -> None:
        now = self._clock.utc()
        document = {
            "user": entry["user"],
            "channel": channel,
            "kind": entry["kind"],
            "entry": entry["_id"] if channel == "push" else None,
            "next_at": due,
            "since": now,
            "attempts": 0,
            "done": [],
            "schema_version": 1,
        }
        ends = {"give_up_at": due + KEPT, "expires_at": due + 2 * KEPT}
        change = {"$setOnInsert": document, "$set": ends, "$inc": {"asked": 1}}
        await self._deliveries.update_one({"_id": number}, change, upsert=True, session=session)

    async def take(self) -> Document | None:
        """The one that is due longest; None where none is. Whoever takes it has a minute."""
        now = self._clock.utc()
        taken: Document | None = await self._deliveries.find_one_and_update(
            {"next_at": {"$lte": now}},
            {"$set": {"next_at": now + LEASE}, "$inc": {"attempts": 1}},
            sort=[("next_at", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return taken

    async def wait(self, delivery: Mapping[str, Any], until: datetime) -> None:
        """It may not leave yet; that is no attempt."""
        change = {"next_at": until, "give_up_at": until + KEPT, "expires_at": until + 2 * KEPT, "attempts": 0}
        await self._deliveries.update_one({"_id": delivery["_id"]}, {"$set": change})

    async def retry(self, delivery: Mapping[str, Any], done: list[str], after_s: float | None) -> bool:
        """Try again after 5, 10, 20 s and so on, or when we were told to; False where it is too late.

        `done`: the subscriptions that have it already.
        """
        pause = min(FIRST_RETRY_S * 2 ** min(delivery["attempts"] - 1, 12), LONGEST_RETRY_S)
        next_at = self._clock.utc() + timedelta(seconds=max(pause, min(after_s or 0.0, LONGEST_RETRY_S)))
        if next_at >= delivery["give_up_at"]:
            return False
        change = {"next_at": next_at, "done": done}
        await self._deliveries.update_one({"_id": delivery["_id"]}, {"$set": change})
        return True

    async def done(self, delivery: Mapping[str, Any], session: Session | None = None) -> None:
        """It left, or need not leave any more. What was asked for meanwhile leaves later."""
        query = {"_id": delivery["_id"]}
        gone = await self._deliveries.delete_one({**query, "asked": delivery["asked"]}, session=session)
        if not gone.deleted_count:
            now = self._clock.utc()
            pause = AGAIN if delivery["channel"] == "push" else self._mail_after
            later = {"next_at": now + pause, "since": now, "attempts": 0, "done": []}
            await self._deliveries.update_one(query, {"$set": later}, session=session)

    async def measure(self) -> None:
        """Set the gauge."""
        waiting.set(await self._deliveries.estimated_document_count())
