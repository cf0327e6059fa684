"""The inbox on the socket."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from fittracker.clock import rfc3339
from fittracker.errors import Invalid
from fittracker.inbox.entries import Actor, Notification
from fittracker.inbox.news import NOTIFICATION, READ, WITHDRAWN, Read, Withdrawn
from fittracker.mongo import Document
from fittracker.policy import SIGNED_IN
from ws.commands import command
from ws.connection import Connection
from ws.events import EventType
from ws.realtime import Realtime
from ws.sender import user_of

EVENTS: Final = (
    EventType(NOTIFICATION, Notification, ("user",), durable=True),
    EventType(READ, Read, ("user",), durable=True),
    EventType(WITHDRAWN, Withdrawn, ("user",), durable=True),
)
Ids = Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(min_length=1, max_length=100)]


class NotifyList(msgspec.Struct, forbid_unknown_fields=True):
    """From where, and how many."""

    cursor: Annotated[str, Meta(min_length=1, max_length=60)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class Entry(msgspec.Struct):
    """An entry of the inbox; the fields are those of the event `notification`."""

    id: str
    kind: str
    event: str
    by: str | None
    subject: str | None
    data: dict[str, Any]
    at: str
    count: int
    people: int
    actors: list[Actor]
    text: str
    read: bool


class Entries(msgspec.Struct):
    """A page, newest first, and how many of the whole inbox are unread, at its revision."""

    items: list[Entry]
    next_cursor: str | None
    unread: int
    revision: int


class NotifyRead(msgspec.Struct, forbid_unknown_fields=True):
    """Either some ids, or `all`."""

    ids: Ids | None = None
    all: bool = False


class Unread(msgspec.Struct):
    """How many are unread now, at this revision of the inbox."""

    unread: int
    revision: int


@command("notify.list", NotifyList, Entries, policy=SIGNED_IN)
async def list_(realtime: Realtime, connection: Connection, data: NotifyList) -> Entries:
    """One's inbox, newest first."""
    page = await realtime.contexts.notifications.page(user_of(connection), data.limit, data.cursor)
    return Entries([_entry(each) for each in page.items], page.next_cursor, page.unread, page.revision)


@command("notify.read", NotifyRead, Unread, policy=SIGNED_IN)
async def read(realtime: Realtime, connection: Connection, data: NotifyRead) -> Unread:
    """Mark entries of one's inbox as read; one's other devices are told by `notification.read`."""
    if data.all == (data.ids is not None):
        raise Invalid("Say which: either ids, or all.", fields={"ids": "ids or all, not both"})
    unread, revision = await realtime.contexts.notifications.read(user_of(connection), data.ids)
    return Unread(unread, revision)


def _entry(entry: Document) -> Entry:
    return Entry(
        id=entry["_id"],
        kind=entry["kind"],
        event=entry["event"],
        by=entry["by"],
        subject=entry["subject"],
        data=entry["data"],
        at=rfc3339(entry["changed_at"]),
        count=entry["count"],
        people=entry["people"],
        actors=entry["actors"],
        text=entry["text"],
        read=entry["read"],
    )
