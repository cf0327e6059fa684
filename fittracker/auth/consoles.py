"""Console sessions: what the cookie of a browser stands for, kept in Redis and nowhere else.

An entry holds which sign-in it is and a secret against forged requests; the sign-in itself is one like any
other (`sessions.py`), so it is listed, ended and asked about like any other. An entry that is lost signs that
browser out. It lies under a hash of the cookie: whoever reads Redis finds no cookie to use.
"""

from __future__ import annotations

from redis.asyncio import Redis

from fittracker.breaker import Breaker, RedisAway
from fittracker.ids import fingerprint
from fittracker.observability import logger
from fittracker.redis import console_key

log = logger(__name__)


class Consoles:
    """The entries of all consoles. Each lives for `idle_s` after it was last asked for."""

    def __init__(self, redis: Redis, breaker: Breaker, *, idle_s: int) -> None:
        self._redis = redis
        self._breaker = breaker
        self._idle_s = idle_s

    async def ready(self) -> None:
        """RedisAway where no entry could be kept now: to be asked before somebody is signed in for one."""
        await self._breaker.call(self._redis.ping)

    async def read(self, cookie: str) -> str | None:
        """The entry of a cookie, whose life begins anew; None where there is none (any more).

        RedisAway while it cannot be told: nobody gets in on a guess.
        """
        key = console_key(fingerprint(cookie))
        found = await self._breaker.call(lambda: self._redis.getex(key, ex=self._idle_s))
        return None if found is None else str(found)

    async def write(self, cookie: str, entry: str) -> None:
        """Keep the entry of a cookie; RedisAway where that cannot be done."""
        key = console_key(fingerprint(cookie))
        await self._breaker.call(lambda: self._redis.set(key, entry, ex=self._idle_s))

    async def forget(self, cookie: str) -> None:
        """The cookie is worth nothing any more.

        While Redis is away the entry stays until it is idle: the sign-in it names has ended before.
        """
        key = console_key(fingerprint(cookie))
        try:
            await self._breaker.call(lambda: self._redis.delete(key))
        except RedisAway:
            log.warning("console_not_forgotten")
