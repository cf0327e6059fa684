"""Talking: saying something in a room, and reading what was said."""

from __future__ import annotations

import msgspec

from fittracker.chat.forum import Forums
from fittracker.chat.message import SAID, ChatMessage, Message, Page
from fittracker.chat.text import checked
from fittracker.clock import of_ms, rfc3339
from fittracker.errors import NotFound
from fittracker.ids import is_id
from fittracker.roomlog.log import Confirmed, RoomLog
from fittracker.roomlog.record import Entry

_decode = msgspec.json.Decoder(ChatMessage).decode


class Chat:
    """What people say in all rooms where they may."""

    def __init__(self, room_log: RoomLog, forums: Forums) -> None:
        self._log = room_log
        self._forums = forums

    async def send(
        self, user: str, name: str, room: str, text: str, *, client_id: str, reply_to: str | None = None
    ) -> Confirmed:
        """Say something; when this returns it is stored, and everybody in the room is told.

        The same `client_id` in the same room is the same message. Invalid for a text that is none, NotFound
        for a room one is not in or an answer to what was not said there, Forbidden where one may not speak;
        Unavailable where the outcome is unknown: sending the same again is safe.
        """
        text = checked(text)
        await self._forums.check_speaks(user, room)
        if reply_to is not None:
            await self._check_said(room, reply_to)
        message = ChatMessage(user, name, text, reply_to)
        return await self._log.say(room, SAID, message, by=user, client_id=client_id)

    async def history(self, user: str, room: str, *, before: int | None = None, limit: int = 50) -> Page:
        """The newest messages with lower numbers, in order; NotFound for a room one is not in."""
        await self._forums.check_reads(user, room)
        entries = await self._log.archive.before(room, SAID, before, limit + 1)
        return Page([_shown(each) for each in entries[-limit:]], len(entries) > limit)

    async def _check_said(self, room: str, message: str) -> None:
        if not (is_id(message) and await self._log.archive.holds(message, room, SAID)):
            raise NotFound("There is no such message in this room.")


def _shown(entry: Entry) -> Message:
    said, one = _decode(entry.record.data), entry.record
    return Message(
        one.id,
        entry.place.seq,
        entry.place.epoch,
        rfc3339(of_ms(one.at_ms)),
        said.user,
        said.name,
        said.text,
        said.reply_to,
    )
