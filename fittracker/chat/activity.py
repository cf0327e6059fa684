"""When each conversation was last used, by which they are listed. Gathered, and written once a second.

Saying something must not wait for it. What is lost with a worker is one second of the order of a list.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from pymongo import UpdateOne

from fittracker.background import beside
from fittracker.clock import of_ms
from fittracker.mongo import DATABASE_ERRORS, Database, Document
from fittracker.observability import logger

log = logger(__name__)

EVERY_S: Final = 1.0
ROOM: Final = "chat:"


class Activity:
    """Of all conversations in which something was said through this worker."""

    def __init__(self, database: Database) -> None:
        self._conversations = database.conversations
        self._used: dict[str, int] = {}

    def note(self, room: str, at_ms: int) -> None:
        """Something was said; rooms that are no conversation's do not count."""
        if room.startswith(ROOM):
            conversation = room.removeprefix(ROOM)
            self._used[conversation] = max(at_ms, self._used.get(conversation, 0))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write it down until the block ends, and then what is left."""
        try:
            async with beside(self._run(), "chat-activity"):
                yield
        finally:
            await self.flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Write down what was noted; once more the next time where that fails."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await self._conversations.bulk_write([_later(*each) for each in used.items()], ordered=False)
        except DATABASE_ERRORS as error:
            log.warning("chat_activity_not_stored", conversations=len(used), reason=type(error).__name__)
            for conversation, at_ms in used.items():
                self.note(f"{ROOM}{conversation}", at_ms)


def _later(conversation: str, at_ms: int) -> UpdateOne:
    change: Document = {"$max": {"last_at": of_ms(at_ms)}}
    return UpdateOne({"_id": conversation}, change)
