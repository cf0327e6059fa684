"""Messages as they are stored: found, read page by page, and shown as they are now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from fittracker.chat.forum import Forums
from fittracker.chat.message import SAID, ChatMessage, Message, Page, Reaction
from fittracker.clock import of_ms, rfc3339
from fittracker.errors import Gone, NotFound
from fittracker.ids import is_id
from fittracker.roomlog.log import RoomLog
from fittracker.roomlog.record import Kept

Given = dict[str, list[str]]
"""For each emoji who gave it, in the order in which they did: what is laid over a message."""
MOST_NAMED: Final = 10
"""So many of those who gave an emoji are told by name."""

MOST_BYTES: Final = 262_144
"""Of a page, as JSON: a larger answer could count as unread, and close a connection as too slow."""

UNREADABLE: Final = ChatMessage(None, "", None, deleted=True)

_encode = msgspec.json.Encoder().encode
_said = msgspec.json.Decoder(ChatMessage).decode
_given = msgspec.json.Decoder(Given).decode


@dataclass(frozen=True, slots=True)
class Found:
    """A message: where and how it is kept, and what it says."""

    kept: Kept
    said: ChatMessage

    @property
    def id(self) -> str:
        """Its id."""
        return self.kept.entry.record.id

    @property
    def room(self) -> str:
        """Where it was said."""
        return self.kept.room

    @property
    def seq(self) -> int:
        """Its number there."""
        return self.kept.entry.place.seq


class Messages:
    """The messages of all rooms, for those who may read there."""

    def __init__(self, room_log: RoomLog, forums: Forums) -> None:
        self._log = room_log
        self._forums = forums

    async def find(self, user: str, message: str) -> Found:
        """A message; NotFound where there is none in a room of this person's."""
        found = await self._log.amendments.find(message) if is_id(message) else None
        if found is None or found.entry.record.kind != SAID or not await self._forums.reads(user, found.room):
            raise NotFound("There is no such message.")
        return Found(found, saying(found))

    async def find_spoken(self, user: str, message: str) -> Found:
        """The same, where this person may speak now; Gone where it was deleted."""
        found = await self.find(user, message)
        await self._forums.check_speaks(user, found.room)
        if found.said.deleted:
            raise Gone("This message was deleted.")
        return found

    async def again(self, found: Found) -> Found:
        """The same as it is now; Gone where there is nothing of it any more."""
        kept = await self._log.archive.find(found.id)
        if kept is None:
            raise Gone("This message was deleted.")
        return Found(kept, saying(kept))

    async def check_said(self, room: str, message: str) -> None:
        """NotFound unless this is a message of this room."""
        if not (is_id(message) and await self._log.archive.holds(message, room, SAID)):
            raise NotFound("There is no such message in this room.")

    async def page(self, user: str, room: str, before: int | None, limit: int) -> Page:
        """The newest messages with lower numbers, in order; fewer than asked for where they are long."""
        if before is None:
            # Who has just come in was told a place: whatever lies up to there must be in the page.
            await self._log.landed(room)
        found = await self._log.archive.page(room, SAID, before, limit + 1)
        messages = [shown(each, user) for each in found[-limit:]]
        fitting = _fitting(messages)
        return Page(messages[len(messages) - fitting :], len(found) > fitting)

    async def newest(self, user: str, rooms: Collection[str]) -> dict[str, Message]:
        """The last one of each of these rooms, where something was said."""
        found = await self._log.archive.newest(rooms, SAID)
        return {room: shown(each, user) for room, each in found.items()}


def _fitting(messages: Sequence[Message]) -> int:
    """How many of the newest go into one page; one always does."""
    size = 0
    for count, each in enumerate(reversed(messages)):
        size += len(_encode(each))
        if count and size > MOST_BYTES:
            return count
    return len(messages)


def shown(kept: Kept, user: str) -> Message:
    """A message as this person sees it."""
    said, one = saying(kept), kept.entry.record
    return Message(
        one.id,
        kept.entry.place.seq,
        kept.entry.place.epoch,
        rfc3339(of_ms(one.at_ms)),
        said.user,
        said.name,
        said.text,
        said.reply_to,
        said.mentions,
        said.edits,
        said.edited_at,
        said.deleted,
        [_reaction(emoji, people, user) for emoji, people in given(kept).items()],
    )


def saying(kept: Kept) -> ChatMessage:
    """What a message says; where its key is gone, what a deleted one does."""
    data = kept.entry.record.data
    return _said(data) if data else UNREADABLE


def given(kept: Kept) -> Given:
    """Who gave a message which emoji."""
    return {} if kept.overlay is None else _given(kept.overlay)


def _reaction(emoji: str, people: list[str], user: str) -> Reaction:
    return Reaction(emoji, len(people), people[:MOST_NAMED], user in people)
