"""Events that need not last, from any context to everybody in a room, on every worker.

Who is in the room now hears them; whoever comes later asks for the present state. While Redis is away they
are lost: what must not be lost is said with `fittracker.roomlog`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from prometheus_client import Counter
from redis.asyncio import Redis

from fittracker.background import beside
from fittracker.clock import Clock, rfc3339
from fittracker.observability import logger
from fittracker.redis import REDIS_ERRORS, is_away

log = logger(__name__)

NOBODY: Final = b"0" * 12
"""Where other messages name their worker, so that it does not hear itself: this one is for all of them."""
MOST_WAITING: Final = 10_000
"""Beyond this the oldest are dropped: Redis is slower than what is said, and only the newest matters."""
BATCH: Final = 500

dropped = Counter("fittracker_announcements_dropped", "Events that need not last and were not delivered")

_encode = msgspec.json.Encoder().encode


class Announcement(msgspec.Struct):
    """The event as it travels: what `ws.frames.Event` is to those who say it beside the sockets."""

    type: str
    room: str
    at: str
    data: Any


class Announcer:
    """Says events in rooms; those of one turn of the loop leave together."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._out: list[tuple[str, bytes]] = []
        self._more = asyncio.Event()
        self._sending = asyncio.Lock()

    def tell(self, room: str, kind: str, data: Any) -> None:
        """Say an event of this type to everybody who is in the room; nobody waits for it."""
        if len(self._out) >= MOST_WAITING:
            del self._out[: MOST_WAITING // 2]
            dropped.inc(MOST_WAITING // 2)
        event = Announcement(kind, room, rfc3339(self._clock.utc()), data)
        # The letter, who said it, the length of a key that there is not: see Broker.publish.
        self._out.append((f"room:{room}", b"e%b\x00%b" % (NOBODY, _encode(event))))
        self._more.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send what is told until the block ends, and then what is left."""
        try:
            async with beside(self._run(), "announcer"):
                yield
        finally:
            await self._send_all()

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            await self._send_all()

    async def flush(self) -> None:
        """Wait until Redis has all that was told so far: what is said by other ways then comes later."""
        await self._send_all()

    async def _send_all(self) -> None:
        async with self._sending:
            await self._send_in_order()

    async def _send_in_order(self) -> None:
        while self._out:
            some, self._out = self._out[:BATCH], self._out[BATCH:]
            try:
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for channel, payload in some:
                        pipeline.publish(channel, payload)
                    await pipeline.execute()
            except REDIS_ERRORS as error:  # whatever it is, what is told next must not be lost with it
                dropped.inc(len(some))
                tell = log.warning if is_away(error) else log.error
                tell("announcements_dropped", count=len(some), reason=type(error).__name__)
