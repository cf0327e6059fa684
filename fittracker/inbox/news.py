"""News: what a person's devices have yet to be told of their inbox, written in the same transaction.

Told are states, not steps: an entry that changed twice before anybody was told is told once, as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from fittracker.clock import Clock
from fittracker.errors import Unavailable
from fittracker.ids import new_id
from fittracker.inbox.entries import shown
from fittracker.mongo import DATABASE_ERRORS, Database, Document, Session
from fittracker.observability import logger
from fittracker.present import names
from fittracker.roomlog.log import RoomLog

log = logger(__name__)

NOTIFICATION: Final = "notification"
READ: Final = "notification.read"
WITHDRAWN: Final = "notification.withdrawn"
ALONE: Final = timedelta(seconds=5)
LEASE: Final = timedelta(seconds=10)
KEPT: Final = timedelta(days=7)
"""So long devices can be told, and so long what they were told is kept; then there is the inbox."""
MOST: Final = 200


class Read(msgspec.Struct):
    """Notifications were read on some device: those with these `ids`, or `all` up to this revision."""

    ids: list[str]
    all: bool
    unread: int
    revision: int


class Withdrawn(msgspec.Struct):
    """A notification is gone again, before anybody had read it."""

    id: str
    unread: int
    revision: int


class News:
    """What is to be told, of all people."""

    def __init__(self, database: Database, room_log: RoomLog, clock: Clock) -> None:
        self._news = database.notification_news
        self._entries = database.notifications
        self._inboxes = database.inboxes
        self._users = database.users
        self._room_log = room_log
        self._clock = clock

    async def add(self, user: str, kind: str, revision: int, session: Session, **data: Any) -> None:
        """Something is to be told, if the transaction holds."""
        now = self._clock.utc()
        document = {
            "_id": new_id(),
            "user": user,
            "kind": kind,
            "revision": revision,
            "data": data,
            "next_at": now + ALONE,
            "expires_at": now + KEPT,
            "schema_version": 1,
        }
        await self._news.insert_one(document, session=session)

    async def overdue(self, most: int) -> list[str]:
        """People whose devices were not told; for a while they are this worker's to tell."""
        now = self._clock.utc()
        due: Document = {"next_at": {"$lte": now}}
        found = await self._news.find(due, {"user": 1}, sort=[("next_at", 1)], limit=most).to_list()
        users = list(dict.fromkeys(each["user"] for each in found))
        if users:
            await self._news.update_many({**due, "user": {"$in": users}}, {"$set": {"next_at": now + LEASE}})
        return users

    async def tell(self, user: str) -> None:
        """Tell a person's devices what they have not been told; what cannot be told now stays for later."""
        try:
            while await self._tell_some(user) == MOST:
                continue
        except (Unavailable, *DATABASE_ERRORS) as error:
            log.warning("notifications_not_told", reason=type(error).__name__)

    async def _tell_some(self, user: str) -> int:
        in_order = [("revision", 1), ("_id", 1)]
        some = await self._news.find({"user": user}, sort=in_order, limit=MOST).to_list()
        told: list[str] = []
        try:
            for each in some:
                await self._tell(user, each)
                told.append(each["_id"])
        finally:
            if told:
                await self._news.delete_many({"_id": {"$in": told}})
        return len(some)

    async def _tell(self, user: str, news: Mapping[str, Any]) -> None:
        data = await self._said(user, news)
        if data is not None:
            # The person's own room, so it is theirs; whoever tells it a second time says the same event.
            await self._room_log.say(f"user:{user}", news["kind"], data, by=user, client_id=news["_id"])

    async def _said(self, user: str, news: Mapping[str, Any]) -> msgspec.Struct | None:
        """What is said: None where newer news says more."""
        entry: Document | None = None
        if news["kind"] == NOTIFICATION:
            query = {"_id": news["data"]["id"], "open": True, "revision": news["revision"]}
            entry = await self._entries.find_one(query)
            if entry is None:
                return None
        unread, known = await asyncio.gather(
            self.unread(user), names(self._users, entry["actors"] if entry else ())
        )
        if entry is not None:
            return shown(entry, known, unread=unread, revision=news["revision"])
        if news["kind"] == READ:
            return Read(**news["data"], unread=unread, revision=news["revision"])
        return Withdrawn(news["data"]["id"], unread=unread, revision=news["revision"])

    async def expire(self) -> int:
        """Delete from everybody's own room what their devices were told a week ago; how many events.

        It names others, and the inbox has what still holds of it: who was away so long asks for that.
        """
        before = self._clock.utc() - KEPT
        nothing = READ, Read([], all=False, unread=0, revision=0)
        expire = self._room_log.amendments.expire
        return sum([await expire(kind, before, leaving=nothing) for kind in (NOTIFICATION, READ, WITHDRAWN)])

    async def revision(self, user: str) -> int:
        """How often a person's inbox has changed."""
        found = await self._inboxes.find_one({"_id": user}, {"revision": 1})
        return int(found["revision"]) if found else 0

    async def unread(self, user: str, session: Session | None = None) -> int:
        """How many entries of theirs are unread: counted in the index, never more than an inbox holds."""
        query = {"user": user, "open": True, "shown": True}
        return await self._entries.count_documents(query, session=session)
