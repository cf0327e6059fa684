"""Asking Redis when Redis may be away: fail fast, then leave it alone for a moment.

Without this every request would wait for the same time-out while a server hangs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from redis.exceptions import RedisError

from fittracker.clock import Clock
from fittracker.observability import logger
from fittracker.redis import is_away

log = logger(__name__)
T = TypeVar("T")

PATIENCE_S: Final = 0.5
REST_S: Final = 1.0


class RedisAway(Exception):  # noqa: N818  it reads as what it is
    """Redis did not answer; the caller does without it."""


class Breaker:
    """One per worker, shared by all who can do without Redis."""

    def __init__(self, clock: Clock, *, patience_s: float = PATIENCE_S, rest_s: float = REST_S) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._rest_s = rest_s
        self._resting_until = 0.0

    async def call(self, command: Callable[[], Awaitable[T]]) -> T:
        """The answer, within half a second; RedisAway otherwise, and at once for a second after that."""
        if self._clock.monotonic() < self._resting_until:
            raise RedisAway
        try:
            async with asyncio.timeout(self._patience_s):
                return await command()
        except (RedisError, TimeoutError) as error:
            if not isinstance(error, TimeoutError) and not is_away(error):
                raise
            self._resting_until = self._clock.monotonic() + self._rest_s
            log.warning("redis_away", reason=type(error).__name__)
            raise RedisAway from error
