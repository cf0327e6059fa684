"""Talking in rooms: conversations, coaching sessions, challenges."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from fittracker.chat.chat import Chat
from fittracker.chat.marks import Marked
from fittracker.chat.message import (
    DELETED,
    EDITED,
    MEMBERS,
    REACTION,
    READ,
    SAID,
    ChatDeleted,
    ChatEdited,
    ChatMembers,
    ChatMessage,
    ChatReaction,
    ChatRead,
    Page,
)
from fittracker.chat.text import LONGEST
from fittracker.clock import of_ms, rfc3339
from fittracker.errors import NotFound
from fittracker.policy import SIGNED_IN
from fittracker.redis import OUTAGES
from ws.commands import NOTHING, Nothing, command
from ws.connection import Connection
from ws.events import EventType
from ws.fields import Id
from ws.realtime import Realtime
from ws.room_kinds import RoomKind
from ws.rooms import RoomName
from ws.sender import identity_of, user_of
from ws.typing import FOR_S

TALKING: Final = ("chat", "session", "challenge")
"""The kinds of rooms in `fittracker.contexts._forums`."""
MOST_MESSAGES: Final = 100
MOST_LISTENERS: Final = 100
"""In a room with more people nobody is told who is writing, and who has read what."""
TYPING: Final = "chat.typing"
TYPING_COST: Final = 20
"""So many samples a `chat.typing` counts for that nobody is told: a thousand may come in ten seconds."""

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


class ChatEdit(msgspec.Struct, forbid_unknown_fields=True):
    """A message of one's own, and what it shall say."""

    id: Id
    text: Body


class ChatDelete(msgspec.Struct, forbid_unknown_fields=True):
    """The message."""

    id: Id


class ChatReact(msgspec.Struct, forbid_unknown_fields=True):
    """One emoji for a message: given, or taken back."""

    id: Id
    emoji: Annotated[str, Meta(min_length=1, max_length=40)]
    on: bool


class ChatReacted(msgspec.Struct):
    """The emoji in its full spelling, and how many have given it now."""

    emoji: str
    count: int


class ChatWriting(msgspec.Struct, forbid_unknown_fields=True):
    """Whether one is writing."""

    room: RoomName
    on: bool


class ChatReadUpTo(msgspec.Struct, forbid_unknown_fields=True):
    """The number of the newest message that was read."""

    room: RoomName
    seq: Seq


class ChatTyping(msgspec.Struct):
    """Somebody is writing, or has stopped; without another one it is over after `for_ms`."""

    user: str
    name: str
    on: bool
    for_ms: int


async def _look(realtime: Realtime, user: str, subject: str) -> bool:
    return await realtime.contexts.seats.belongs(subject, user)


ROOMS: Final = (RoomKind("chat", look=_look, logged=True),)
EVENTS: Final = (
    EventType(SAID, ChatMessage, rooms=TALKING, durable=True),
    EventType(EDITED, ChatEdited, rooms=TALKING, durable=True),
    EventType(DELETED, ChatDeleted, rooms=TALKING, durable=True),
    EventType(REACTION, ChatReaction, rooms=TALKING),
    EventType(TYPING, ChatTyping, rooms=TALKING),
    EventType(READ, ChatRead, rooms=(*TALKING, "user")),
    EventType(MEMBERS, ChatMembers, rooms=("chat", "user")),
)


@command("chat.send", ChatSend, ChatSent, policy=SIGNED_IN)
async def send(realtime: Realtime, connection: Connection, data: ChatSend) -> ChatSent:
    """Say something in a room; the answer comes when it is stored."""
    who = identity_of(connection)
    confirmed = await realtime.contexts.chat.send(
        who.user, who.name, data.room, data.text, client_id=str(data.client_id), reply_to=data.reply_to
    )
    place = confirmed.place
    return ChatSent(confirmed.id, place.seq, place.epoch, rfc3339(of_ms(confirmed.at_ms)))


@command("chat.edit", ChatEdit, ChatEdited, policy=SIGNED_IN)
async def edit(realtime: Realtime, connection: Connection, data: ChatEdit) -> ChatEdited:
    """Let a message of one's own say something else; what it said before is gone."""
    return await realtime.contexts.chat.edits.edit(user_of(connection), data.id, data.text)


@command("chat.delete", ChatDelete, ChatDeleted, policy=SIGNED_IN)
async def delete(realtime: Realtime, connection: Connection, data: ChatDelete) -> ChatDeleted:
    """Delete a message of one's own, or any in one's group or session; again is the same."""
    return await realtime.contexts.chat.edits.delete(user_of(connection), data.id)


@command("chat.react", ChatReact, ChatReacted, policy=SIGNED_IN)
async def react(realtime: Realtime, connection: Connection, data: ChatReact) -> ChatReacted:
    """Give a message an emoji, or take it back; again is the same."""
    user = user_of(connection)
    done = await realtime.contexts.chat.reactions.react(user, data.id, data.emoji, on=data.on)
    return ChatReacted(done.emoji, done.count)


@command("chat.history", ChatHistory, Page, policy=SIGNED_IN)
async def history(realtime: Realtime, connection: Connection, data: ChatHistory) -> Page:
    """The newest messages of a room, or those below a number, in the room's order and as they are now."""
    user = user_of(connection)
    return await realtime.contexts.chat.history(user, data.room, before=data.before, limit=data.limit)


@command("chat.typing", ChatWriting, Nothing, policy=SIGNED_IN, own_limit=True)
async def typing(realtime: Realtime, connection: Connection, data: ChatWriting) -> Nothing:
    """Tell a room that one is writing: mostly sent without an `id`, and told every three seconds at most."""
    who, now = identity_of(connection), realtime.wheel.now
    if not realtime.typing.admits(data.room, who.user, now, on=data.on):
        # At every key, by a simple client: that must not use up what it needs to say something.
        connection.spend(now, 0, TYPING_COST)
        return NOTHING
    connection.spend(now, 1, 0)
    if await realtime.contexts.chat.heard(who.user, data.room):
        event = ChatTyping(who.user, who.name, data.on, int(FOR_S * 1_000))
        await _tell_few(realtime, data.room, TYPING, event)
    return NOTHING


@command("chat.read", ChatReadUpTo, Marked, policy=SIGNED_IN)
async def read(realtime: Realtime, connection: Connection, data: ChatReadUpTo) -> Marked:
    """Note that one has read up to a number; a lower one than before changes nothing."""
    user, chat = user_of(connection), realtime.contexts.chat
    marked, news = await chat.marks.read(user, data.room, data.seq)
    if news and await _heard(chat, user, data.room):
        await _tell_few(realtime, data.room, READ, ChatRead(data.room, user, marked.seq))
    return marked


async def _heard(chat: Chat, user: str, room: str) -> bool:
    try:
        return await chat.heard(user, room)
    except NotFound:
        return False  # a session that is over is still read


async def _tell_few(realtime: Realtime, room: str, kind: str, data: msgspec.Struct) -> None:
    """Tell a room what only matters among few: in a crowd everybody would hear it of everybody."""
    here = realtime.hub.rooms.get(room)
    if here is not None and len(here.members) > MOST_LISTENERS:
        return
    try:
        few = await realtime.presence.count(room) <= MOST_LISTENERS
    except OUTAGES:
        few = True  # no other worker hears of it now
    if few:
        realtime.hub.publish(room, realtime.event(kind, room, data))
