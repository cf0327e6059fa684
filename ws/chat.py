"""Talking in rooms: conversations, coaching sessions, challenges."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from fittracker.auth.identity import Identity
from fittracker.chat.message import SAID, ChatMessage, Page
from fittracker.chat.text import LONGEST
from fittracker.clock import of_ms, rfc3339
from fittracker.errors import Unauthenticated
from fittracker.policy import SIGNED_IN
from ws.commands import command
from ws.connection import Connection
from ws.events import EventType
from ws.realtime import Realtime
from ws.room_kinds import RoomKind
from ws.rooms import RoomName

TALKING: Final = ("chat", "session", "challenge")
MOST_MESSAGES: Final = 100

Id = Annotated[str, Meta(pattern="^[0-9a-f]{24}$")]
Body = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
Seq = Annotated[int, Meta(ge=1, le=2**53 - 1)]


class ChatSend(msgspec.Struct, forbid_unknown_fields=True):
    """What to say. The same `client_id` sent again is the same message."""

    room: RoomName
    text: Body
    client_id: UUID
    reply_to: Id | None = None


class ChatSent(msgspec.Struct):
    """Stored for good: the message's id, its place in the room's order, and when it was said."""

    id: str
    seq: int
    epoch: str
    at: str


class ChatHistory(msgspec.Struct, forbid_unknown_fields=True):
    """How many of the newest messages, or of those below a number."""

    room: RoomName
    before: Seq | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_MESSAGES)] = 50


async def _look(realtime: Realtime, user: str, subject: str) -> bool:
    return await realtime.contexts.seats.belongs(subject, user)


ROOMS: Final = (RoomKind("chat", look=_look, logged=True),)
EVENTS: Final = (EventType(SAID, ChatMessage, rooms=TALKING, durable=True),)


@command("chat.send", ChatSend, ChatSent, policy=SIGNED_IN)
async def send(realtime: Realtime, connection: Connection, data: ChatSend) -> ChatSent:
    """Say something in a room; the answer comes when it is stored."""
    who = identity(connection)
    confirmed = await realtime.contexts.chat.send(
        who.user, who.name, data.room, data.text, client_id=str(data.client_id), reply_to=data.reply_to
    )
    place = confirmed.place
    return ChatSent(confirmed.id, place.seq, place.epoch, rfc3339(of_ms(confirmed.at_ms)))


@command("chat.history", ChatHistory, Page, policy=SIGNED_IN)
async def history(realtime: Realtime, connection: Connection, data: ChatHistory) -> Page:
    """The newest messages of a room, or those below a number, in the room's order and as they are now."""
    user = identity(connection).user
    return await realtime.contexts.chat.history(user, data.room, before=data.before, limit=data.limit)


def identity(connection: Connection) -> Identity:
    """Who sends; there on every socket that may send commands."""
    if connection.identity is None:
        raise Unauthenticated("Send auth first.")
    return connection.identity
