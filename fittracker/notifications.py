"""The inbox: what happened to a person while they were or were not looking, the same on all their devices.

It is stored first and said in the person's own room after that, so what could not be said is still there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from pymongo.errors import DuplicateKeyError

from fittracker.clock import Clock, rfc3339
from fittracker.mongo import Database, Document
from fittracker.paging import Cursor
from fittracker.preferences import NOTIFICATIONS
from fittracker.roomlog.log import RoomLog

NOTIFICATION: Final = "notification"


class Notification(msgspec.Struct):
    """Something for this person's inbox; `event` says what, `subject` what it is about."""

    id: str
    kind: str
    event: str
    by: str | None
    subject: str | None
    data: dict[str, Any]
    at: str


class Notifications:
    """The inboxes of all people."""

    def __init__(self, database: Database, room_log: RoomLog, clock: Clock) -> None:
        self._inbox = database.notifications
        self._users = database.users
        self._room_log = room_log
        self._clock = clock

    async def notify(
        self,
        user: str,
        kind: str,
        *,
        event: str,
        key: str,
        by: str | None = None,
        subject: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Put something into a person's inbox, and tell their devices.

        `kind` is one of `fittracker.preferences.NOTIFICATIONS` (KeyError otherwise), `event` a name such as
        `post.liked`, `by` who caused it, `subject` what it is about (`post:<id>`). The same `key` for the
        same person is the same notification, however often it is sent.
        """
        if kind not in NOTIFICATIONS:
            raise KeyError(kind)
        now = self._clock.utc()
        document: Document = {
            "_id": hashlib.sha256(f"{user} {key}".encode()).hexdigest()[:24],
            "user": user,
            "kind": kind,
            "event": event,
            "by": by,
            "subject": subject,
            "data": dict(data or {}),
            "at": now,
            "read_at": None,
            "schema_version": 1,
        }
        try:
            await self._inbox.insert_one(document)
        except DuplicateKeyError:
            return
        await self._tell(document)

    async def _tell(self, document: Document) -> None:
        user = document["user"]
        await self._room_log.say(
            f"user:{user}", NOTIFICATION, shown(document), by=user, client_id=document["_id"]
        )

    async def page(self, user: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """A person's inbox, newest first, and the cursor of the next page."""
        return await Cursor("at").page(self._inbox, {"user": user}, limit, cursor)


def shown(document: Document) -> Notification:
    """A notification as it is told."""
    at: datetime = document["at"]
    return Notification(
        document["_id"],
        document["kind"],
        document["event"],
        document["by"],
        document["subject"],
        document["data"],
        rfc3339(at),
    )
