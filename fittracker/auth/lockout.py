"""Lockout: who guesses at one account waits longer and longer, whether that account exists or not.

An attempt is counted before the password is looked at, so fifty at once are fifty. From the fifth on each one
locks the account for a while, and tries during that while neither succeed nor prolong it: the owner can
always come in after the wait, or by resetting the password.
"""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis

from fittracker.breaker import Breaker, RedisAway
from fittracker.clock import Clock
from fittracker.ids import fingerprint

FREE: Final = 5
FIRST_MS: Final = 30_000
LONGEST_MS: Final = 900_000
FORGET_MS: Final = 86_400_000
MOST_LOCAL: Final = 20_000

_COUNT: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HINCRBY', KEYS[1], 'tries', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if tonumber(redis.call('HGET', KEYS[1], 'until') or 0) > now then return 1 end
local counted = redis.call('HINCRBY', KEYS[1], 'counted', 1)
if counted >= tonumber(ARGV[1]) then
  local wait = math.min(tonumber(ARGV[3]), ARGV[2] * 2 ^ math.min(20, counted - ARGV[1]))
  redis.call('HSET', KEYS[1], 'until', now + wait)
end
return 0
"""


class Lockout:
    """Counts the attempts on each account, by its e-mail address."""

    def __init__(self, redis: Redis, breaker: Breaker, clock: Clock) -> None:
        self._redis = redis
        self._count = redis.register_script(_COUNT)
        self._breaker = breaker
        self._clock = clock
        self._local: dict[str, tuple[int, float]] = {}

    async def attempt(self, email: str) -> bool:
        """Count an attempt; True where the account is locked, so that it must fail whatever the password."""
        key = _key(email)
        try:
            locked: int = await self._breaker.call(
                lambda: self._count(keys=[key], args=[FREE, FIRST_MS, LONGEST_MS, FORGET_MS])
            )
        except RedisAway:
            return self._attempt_here(key)
        return bool(locked)

    async def succeeded(self, email: str) -> None:
        """The owner was there: what was counted is forgotten."""
        key = _key(email)
        self._local.pop(key, None)
        try:
            await self._breaker.call(lambda: self._redis.delete(key))
        except RedisAway:
            return  # it is forgotten in a day

    def _attempt_here(self, key: str) -> bool:
        """The same rule in this worker's memory, while Redis is away."""
        now = self._clock.monotonic()
        counted, until = self._local.pop(key, (0, 0.0))
        locked = until > now
        if not locked:
            counted += 1
            if counted >= FREE:
                until = now + min(LONGEST_MS, FIRST_MS * 2 ** min(20, counted - FREE)) / 1000
        self._local[key] = (counted, until)
        while len(self._local) > MOST_LOCAL:
            del self._local[next(iter(self._local))]
        return locked


def _key(email: str) -> str:
    return f"lockout:{fingerprint(email)}"
