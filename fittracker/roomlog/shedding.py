"""Windows without what was sealed with an older key: copies, whose originals MongoDB has."""

from __future__ import annotations

from typing import Any, Final

from redis.asyncio import Redis

from fittracker.roomlog.record import Envelope
from fittracker.roomlog.window import Window, pending_key, window_key

ALL: Final = window_key("*")


class Shedding:
    """Looks through the windows of all rooms."""

    def __init__(self, redis: Redis, window: Window, envelope: Envelope) -> None:
        """`redis` speaks bytes."""
        self._redis = redis
        self._window = window
        self._envelope = envelope

    async def shed(self) -> tuple[int, int]:
        """Drop what has an older key; how many went, and how many have to stay until MongoDB has them."""
        gone = left = 0
        before, after = ALL.split("*")
        async for key in self._redis.scan_iter(match=ALL, count=1_000):
            room = key.decode().removeprefix(before).removesuffix(after)
            stale = await self._stale(room)
            waiting: Any = await self._redis.zrange(pending_key(room), 0, -1)
            kept = stale & {int(each) for each in waiting}
            if stale - kept:
                await self._window.drop(room, sorted(stale - kept))
            gone, left = gone + len(stale - kept), left + len(kept)
        return gone, left

    async def _stale(self, room: str) -> set[int]:
        rows: Any = await self._redis.xrange(window_key(room))
        return {int(number.partition(b"-")[0]) for number, row in rows if self._envelope.stale(row[b"r"])}
