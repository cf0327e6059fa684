"""Changing and deleting messages. Old words are really gone: from MongoDB, and from the window in Redis.

What everybody is told of it is an event of the log, so that whoever was away hears of it too; its words go in
their turn when the message changes again. See docs/decisions/chat-edits.md.
"""

from __future__ import annotations

import random
from asyncio import sleep
from typing import Final

import msgspec

from fittracker.chat.forum import Forums
from fittracker.chat.mentions import Mentions
from fittracker.chat.message import DELETED, EDITED, ChatDeleted, ChatEdited, ChatMessage
from fittracker.chat.messages import Found, Messages
from fittracker.chat.text import checked
from fittracker.chat.wordless import wordless
from fittracker.clock import Clock, rfc3339
from fittracker.errors import Forbidden, Gone, TooLarge, Unavailable
from fittracker.roomlog.log import RoomLog
from fittracker.roomlog.record import Kept, event_id

MOST_EDITS: Final = 100
TRIES: Final = 20
PAUSE_S: Final = 0.01


class Edits:
    """Each may be sent again when the outcome is unknown: what is done is done once."""

    def __init__(
        self, room_log: RoomLog, messages: Messages, forums: Forums, mentions: Mentions, clock: Clock
    ) -> None:
        self._log = room_log
        self._messages = messages
        self._forums = forums
        self._mentions = mentions
        self._clock = clock

    async def edit(self, user: str, message: str, text: str) -> ChatEdited:
        """Let a message of one's own say something else; the same again is no further edit.

        NotFound for a message one cannot read, Forbidden for somebody else's or where one may not speak, Gone
        for a deleted one, TooLarge after 100 times.
        """
        text = checked(text)
        for _ in range(TRIES):
            found = await self._messages.find_spoken(user, message)
            if found.said.user != user:
                raise Forbidden("Only who said it may change it.")
            if found.said.text == text:
                return await self._tell_edited(user, found)
            if found.said.edits >= MOST_EDITS:
                raise TooLarge(f"A message may be changed {MOST_EDITS} times.")
            changed = await self._changed(found, text)
            if await self._log.amendments.rewrite(found.kept, changed):
                spared = set(found.said.mentions) - set(changed.mentions)
                await self._mentions.take_back(found.id, spared)
                return await self._tell_edited(user, await self._undeleted(found))
            await sleep(random.random() * PAUSE_S)  # noqa: S311  spreads those who collide  # nosec B311
        raise _busy()

    async def _changed(self, found: Found, text: str) -> ChatMessage:
        return msgspec.structs.replace(
            found.said,
            text=text,
            mentions=await self._mentions.among(found.room, text),
            edits=found.said.edits + 1,
            edited_at=rfc3339(self._clock.utc()),
        )

    async def _undeleted(self, found: Found) -> Found:
        now = await self._messages.again(found)
        if now.said.deleted:
            raise Gone("This message was deleted.")
        return now

    async def _tell_edited(self, user: str, found: Found) -> ChatEdited:
        """Tell the room; the words of the edit before are in its log no more."""
        said = found.said
        event = ChatEdited(found.id, found.seq, said.text, said.mentions, said.edits, said.edited_at)
        if not said.edits:
            return event  # it said so from the beginning
        client_id = _edit_id(found.id, said.edits)
        await self._log.say(found.room, EDITED, event, by=user, client_id=client_id)
        await self._forget(found.room, user, found.id, [said.edits - 1])
        now = (await self._messages.again(found)).said
        if now.edits != said.edits or now.deleted:
            # It was changed again, or deleted, before our event was there to be emptied.
            await self._forget(found.room, user, found.id, [said.edits])
        await self._mentions.tell(user, found.room, found.id, found.seq, said.mentions)
        return event

    # -- deleting ------------------------------------------------------------------------------------

    async def delete(self, user: str, message: str) -> ChatDeleted:
        """Delete a message of one's own, or any in a room that one looks after; again is the same.

        Its number stays, what was said is gone. NotFound for one that one cannot read, Forbidden for somebody
        else's.
        """
        for _ in range(TRIES):
            found = await self._messages.find(user, message)
            if found.said.user != user and not await self._forums.moderates(user, found.room):
                raise Forbidden("Only who said it may delete it.")
            if found.said.deleted or await self._log.amendments.rewrite(
                found.kept, wordless(found.kept), bare=True
            ):
                return await self._tell_deleted(user, found)
            await sleep(random.random() * PAUSE_S)  # noqa: S311  spreads those who collide  # nosec B311
        raise _busy()

    async def _tell_deleted(self, user: str, found: Found) -> ChatDeleted:
        said = found.said
        await self._mentions.take_back(found.id, said.mentions)
        if said.user is not None:
            await self._forget(found.room, said.user, found.id, range(1, said.edits + 1))
        event = ChatDeleted(found.id, found.seq, user)
        await self._log.say(found.room, DELETED, event, by=user, client_id=f"delete {found.id}")
        return event

    # -- what edits have left in the log -------------------------------------------------------------

    async def _forget(self, room: str, author: str, message: str, edits: range | list[int]) -> None:
        """Take the words out of what was told of these edits."""
        ids = [event_id(room, author, _edit_id(message, each)) for each in edits if each > 0]
        for kept in await self._log.archive.find_some({"_id": {"$in": ids}}, len(ids)) if ids else ():
            await self._empty(kept)

    async def _empty(self, kept: Kept) -> None:
        """Take the words out of what was told of an edit, unless they are out already."""
        left = wordless(kept)
        if msgspec.json.encode(left) != kept.entry.record.data:
            await self._log.amendments.rewrite(kept, left)


def _edit_id(message: str, edits: int) -> str:
    """The `client_id` of what is told of an edit: told again, it is the same event."""
    return f"edit {message} {edits}"


def _busy() -> Unavailable:
    return Unavailable("Many change this message at the moment.", retry_after_ms=500)
