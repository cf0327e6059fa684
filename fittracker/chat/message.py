"""Messages and what is told of them: as they are said in a room, and as they are read there afterwards."""

from __future__ import annotations

from typing import Final

import msgspec

SAID: Final = "chat.message"
EDITED: Final = "chat.edited"
DELETED: Final = "chat.deleted"
DURABLE: Final = (SAID, EDITED, DELETED)
"""What of chat is in the logs of rooms."""
REACTION: Final = "chat.reaction"
READ: Final = "chat.read"
MEMBERS: Final = "chat.members"


class ChatMessage(msgspec.Struct, omit_defaults=True, frozen=True):
    """Somebody said something; the event's `id` is the message's.

    `name` is what they were called then, `reply_to` the id of a message of the same room, `mentions` who of
    the room is mentioned. Recovered later, it says what it says now: `edits` counts how often it was changed,
    last at `edited_at`; of a deleted one `text` is null, and `user` where its author is gone.
    """

    user: str | None
    name: str
    text: str | None
    reply_to: str | None = None
    mentions: list[str] = []
    edits: int = 0
    edited_at: str | None = None
    deleted: bool = False


class Reaction(msgspec.Struct, frozen=True):
    """An emoji on a message: how many gave it, some of them, and whether oneself did."""

    emoji: str
    count: int
    users: list[str]
    mine: bool


class Message(msgspec.Struct, omit_defaults=True, frozen=True):
    """A message in its place, as it is now; `at` is when it was said. See `ChatMessage`."""

    id: str
    seq: int
    epoch: str
    at: str
    user: str | None
    name: str
    text: str | None
    reply_to: str | None = None
    mentions: list[str] = []
    edits: int = 0
    edited_at: str | None = None
    deleted: bool = False
    reactions: list[Reaction] = []


class Page(msgspec.Struct, frozen=True):
    """Messages in the order of their numbers, and whether there are older ones."""

    messages: list[Message]
    more: bool


class ChatEdited(msgspec.Struct, frozen=True):
    """A message says something else now, for the `edits`th time.

    Read again later, `text` is null where the message was changed once more, or deleted.
    """

    message: str
    seq: int
    text: str | None
    mentions: list[str]
    edits: int
    edited_at: str | None


class ChatDeleted(msgspec.Struct, frozen=True):
    """A message was deleted, by its author or by whoever looks after the room; null where they are gone."""

    message: str
    seq: int
    by: str | None


class ChatReaction(msgspec.Struct, frozen=True):
    """Somebody gave a message an emoji, or took it back; so many have given it now."""

    message: str
    seq: int
    user: str
    emoji: str
    on: bool
    count: int


class ChatRead(msgspec.Struct, frozen=True):
    """Somebody has read a room up to this number. Also said to one's own other devices."""

    room: str
    user: str
    seq: int


class ChatMembers(msgspec.Struct, frozen=True):
    """Somebody was added to a group or is in it no more. Also said to that person's own devices."""

    conversation: str
    user: str
    on: bool
    by: str
