"""How far each person has read each room. A mark goes forward only, whichever device sets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from fittracker.announcer import Announcer
from fittracker.chat.forum import Forums
from fittracker.chat.message import READ, SAID, ChatRead, Message
from fittracker.chat.messages import Messages
from fittracker.clock import Clock
from fittracker.mongo import Database, Document
from fittracker.roomlog.log import RoomLog

MOST_UNREAD: Final = 100
"""Counting ends here: whoever has so many unread does not want to know the exact number."""


class Marked(msgspec.Struct):
    """One has read a room up to `seq`; of others' messages `unread` are newer, 100 means or more."""

    room: str
    seq: int
    unread: int
    last: Message | None


class Marks:
    """The marks of all people."""

    def __init__(
        self,
        database: Database,
        room_log: RoomLog,
        messages: Messages,
        forums: Forums,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._marks = database.chat_marks
        self._log = room_log
        self._messages = messages
        self._forums = forums
        self._announcer = announcer
        self._clock = clock

    async def read(self, user: str, room: str, seq: int) -> tuple[Marked, bool]:
        """Note that somebody has read a room up to a number, or further already; whether this was news.

        What was not said yet cannot have been read. NotFound for a room one is not in.
        """
        await self._forums.check_reads(user, room)
        seq = min(seq, await self._log.archive.highest(room))
        before = await self._move(user, room, seq)
        (marked,) = await self.where(user, {room: max(seq, before)})
        if seq > before:
            # One's other devices show it as read as well.
            self._announcer.tell(f"user:{user}", READ, ChatRead(room, user, seq))
        return marked, seq > before

    async def _move(self, user: str, room: str, seq: int) -> int:
        """Where the mark was before."""
        forward: Document = {
            "$max": {"seq": seq},
            "$set": {"at": self._clock.utc()},
            "$setOnInsert": {"room": room, "user": user, "schema_version": 1},
        }
        for _ in range(2):
            try:
                before = await self._marks.find_one_and_update(
                    {"_id": _key(user, room)}, forward, upsert=True, return_document=ReturnDocument.BEFORE
                )
            except DuplicateKeyError:
                continue  # the first mark, set by two devices at once
            return 0 if before is None else int(before["seq"])
        return seq

    async def where(self, user: str, read: Mapping[str, int]) -> list[Marked]:
        """What is new in these rooms for somebody who has read so far there; in the same order."""
        last = await self._messages.newest(user, read)
        news = {room: seq for room, seq in read.items() if room in last and last[room].seq > seq}
        unread = await self._log.archive.count_after(news, SAID, but_by=user, most=MOST_UNREAD)
        return [Marked(room, seq, unread.get(room, 0), last.get(room)) for room, seq in read.items()]

    async def of_rooms(self, user: str, rooms: Sequence[str]) -> dict[str, int]:
        """How far somebody has read these rooms, 0 where nothing was."""
        keys = [_key(user, each) for each in rooms]
        found = self._marks.find({"_id": {"$in": keys}}, {"room": 1, "seq": 1})
        read = {each["room"]: int(each["seq"]) async for each in found}
        return {each: read.get(each, 0) for each in rooms}

    async def of_room(self, room: str, users: Sequence[str]) -> dict[str, int]:
        """How far these people have read a room."""
        keys = [_key(each, room) for each in users]
        found = self._marks.find({"_id": {"$in": keys}}, {"user": 1, "seq": 1})
        read = {each["user"]: int(each["seq"]) async for each in found}
        return {each: read.get(each, 0) for each in users}


def _key(user: str, room: str) -> str:
    return f"{room} {user}"
