"""A message: as it is said in a room, and as it is read there afterwards."""

from __future__ import annotations

from typing import Final

import msgspec

SAID: Final = "chat.message"


class ChatMessage(msgspec.Struct, omit_defaults=True, frozen=True):
    """Somebody said something. The event's `id` is the message's.

    `name` is what they were called then; `reply_to` the id of a message of the same room.
    """

    user: str | None
    name: str
    text: str | None
    reply_to: str | None = None


class Message(msgspec.Struct, omit_defaults=True, frozen=True):
    """A message in its place, as it is now; `at` is when it was said."""

    id: str
    seq: int
    epoch: str
    at: str
    user: str | None
    name: str
    text: str | None
    reply_to: str | None = None


class Page(msgspec.Struct, frozen=True):
    """Messages in the order of their numbers, and whether there are older ones."""

    messages: list[Message]
    more: bool
