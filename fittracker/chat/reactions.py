"""Reactions: emoji that people give to messages. They lie over the message, sealed, in one piece.

The state counts, not its history: an event tells the newest, and whoever was away reads it with the messages.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from fittracker.announcer import Announcer
from fittracker.chat.emojis import one_emoji
from fittracker.chat.message import REACTION, ChatReaction
from fittracker.chat.messages import Found, Given, Messages, given
from fittracker.errors import TooLarge, Unavailable
from fittracker.roomlog.log import RoomLog
from fittracker.roomlog.record import Kept

MOST_EMOJI: Final = 20
"""Different ones on a message."""
MOST_A_PERSON: Final = 5
"""Of one person on a message."""
MOST: Final = 2_000
"""Of all people on a message."""
TRIES: Final = 20
PAUSE_S: Final = 0.02


class Reactions:
    """Gives and takes back. Those of one worker wait for each other, those of different workers try again."""

    def __init__(self, room_log: RoomLog, messages: Messages, announcer: Announcer) -> None:
        self._log = room_log
        self._messages = messages
        self._announcer = announcer
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def react(self, user: str, message: str, emoji: str, *, on: bool) -> ChatReaction:
        """Give a message an emoji, or take it back; again is the same.

        Invalid for what is not one emoji, TooLarge for too many; NotFound, Forbidden and Gone as for an edit.
        """
        emoji = one_emoji(emoji)
        turn = self._turns.setdefault(message, asyncio.Lock())
        async with turn:
            for _ in range(TRIES):
                found = await self._messages.find_spoken(user, message)
                before = given(found.kept)
                after = changed(before, user, emoji, on=on)
                if after == before:
                    return _event(found, user, emoji, after, on=on)
                if await self._lay_over(found.kept, after):
                    event = _event(found, user, emoji, after, on=on)
                    self._announcer.tell(found.room, REACTION, event)
                    return event
                await asyncio.sleep(random.random() * PAUSE_S)  # noqa: S311  spreads them  # nosec B311
        raise Unavailable("Many react to this message at the moment.", retry_after_ms=500)

    async def _lay_over(self, kept: Kept, after: Given) -> bool:
        overlay = msgspec.json.encode(after) if after else None
        people = sorted({each for some in after.values() for each in some})
        return await self._log.amendments.lay_over(kept, overlay, people)

    async def withdraw(self, user: str, kept: Kept) -> bool:
        """Take back all that somebody gave to a message; False where it has changed meanwhile."""
        return await self._lay_over(kept, without(given(kept), user))


def changed(before: Given, user: str, emoji: str, *, on: bool) -> Given:
    """What lies over a message afterwards; TooLarge where it would be too much."""
    people = before.get(emoji, [])
    if on is (user in people):
        return before
    if not on:
        left = [each for each in people if each != user]
        return {
            name: left if name == emoji else some for name, some in before.items() if left or name != emoji
        }
    if emoji not in before and len(before) >= MOST_EMOJI:
        raise TooLarge(f"A message may have {MOST_EMOJI} different emoji.")
    if sum(user in some for some in before.values()) >= MOST_A_PERSON:
        raise TooLarge(f"One person may give a message {MOST_A_PERSON} emoji.")
    if sum(map(len, before.values())) >= MOST:
        raise TooLarge(f"A message may have {MOST:,} reactions.")
    return {**before, emoji: [*people, user]}


def without(before: Given, user: str) -> Given:
    """The same without those of one person."""
    left = {emoji: [each for each in people if each != user] for emoji, people in before.items()}
    return {emoji: people for emoji, people in left.items() if people}


def _event(found: Found, user: str, emoji: str, after: Given, *, on: bool) -> ChatReaction:
    return ChatReaction(found.id, found.seq, user, emoji, on, len(after.get(emoji, ())))
