"""How long chat is kept, and what becomes of conversations that everybody has left.

Done in steps that may be done twice, so any number of workers may do it at the same time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from prometheus_client import Counter

from fittracker.chat.message import DURABLE
from fittracker.chat.wordless import blank
from fittracker.clock import Clock
from fittracker.mongo import Database
from fittracker.observability import logger
from fittracker.roomlog.log import RoomLog

log = logger(__name__)

STEP: Final = 500

expired = Counter(
    "fittracker_chat_expired", "Messages, and what was told of them, that were kept long enough"
)


class Keeping:
    """Deletes what was kept long enough; `days` 0 keeps everything."""

    def __init__(self, database: Database, room_log: RoomLog, clock: Clock, *, days: int) -> None:
        self._conversations = database.conversations
        self._marks = database.chat_marks
        self._log = room_log
        self._clock = clock
        self._days = days

    async def look_after(self) -> None:
        """All that is due."""
        if self._days:
            await self.expire()
        await self.clear_left()

    async def expire(self) -> int:
        """Delete what was said so many days ago, but for the last number of a room; how many events went."""
        before = self._clock.utc() - timedelta(days=self._days)
        count = 0
        for kind in DURABLE:
            count += await self._log.amendments.expire(kind, before, leaving=(kind, blank(kind)))
        expired.inc(count)
        if count:
            log.info("chat_expired", count=count)
        return count

    async def clear_left(self) -> int:
        """Delete conversations without members, with all that was said there; how many."""
        count = 0
        while left := await self._conversations.find_one({"members": []}, {"_id": 1}):
            room = f"chat:{left['_id']}"
            while found := await self._log.archive.spots({"room": room}, STEP):
                await self._log.amendments.remove(found)
            await self._marks.delete_many({"room": room})
            await self._conversations.delete_one({"_id": left["_id"], "members": []})
            count += 1
        return count
