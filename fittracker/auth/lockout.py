"""Lockout: who guesses at one account waits longer and longer, whether that account exists or not.

An attempt is counted before the password is looked at, so fifty at once are fifty. From the fifth on each one
locks the account for a while, and tries during that while neither succeed nor prolong it: the owner can
always come in after the wait, or by resetting the password.
"""

from __future__ import annotations

from dataclasses import dataclass
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
  return 2
end
return 0
"""
_GIVE_BACK: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return end
redis.call('HINCRBY', KEYS[1], 'counted', -1)
if ARGV[1] == '1' then redis.call('HDEL', KEYS[1], 'until') end
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: whether it must fail whatever it shows, and whether all after it will, for a while."""

    locked: bool = False
    locks: bool = False


class Lockout:
    """Counts the attempts on each account, by its e-mail address."""

    def __init__(self, redis: Redis, breaker: Breaker, clock: Clock) -> None:
        self._redis = redis
        self._count = redis.register_script(_COUNT)
        self._give_back = redis.register_script(_GIVE_BACK)
        self._breaker = breaker
        self._clock = clock
        self._local: dict[str, tuple[int, float]] = {}

    async def attempt(self, email: str) -> Attempt:
        """Count an attempt, before anything is looked at."""
        key = _key(email)
        try:
            found: int = await self._breaker.call(
                lambda: self._count(keys=[key], args=[FREE, FIRST_MS, LONGEST_MS, FORGET_MS])
            )
        except RedisAway:
            return self._attempt_here(key)
        return Attempt(locked=found == 1, locks=found == 2)

    async def give_back(self, email: str, attempt: Attempt) -> None:
        """That attempt was no failure, but no end of it either: the second factor is still to come.

        A lock that another attempt has begun meanwhile stays: else who knows the password alone could
        take each lock away, and guess at the second factor without end.
        """
        key = _key(email)
        counted, until = self._local.get(key, (0, 0.0))
        if counted:
            self._local[key] = (counted - 1, 0.0 if attempt.locks else until)
        try:
            await self._breaker.call(lambda: self._give_back(keys=[key], args=[int(attempt.locks)]))
        except RedisAway:
            return  # one less is free, for a day at most

    async def succeeded(self, email: str) -> None:
        """The owner was there: what was counted is forgotten."""
        key = _key(email)
        self._local.pop(key, None)
        try:
            await self._breaker.call(lambda: self._redis.delete(key))
        except RedisAway:
            return  # it is forgotten in a day

    def _attempt_here(self, key: str) -> Attempt:
        """The same rule in this worker's memory, while Redis is away."""
        now = self._clock.monotonic()
        counted, until = self._local.pop(key, (0, 0.0))
        locked, locks = until > now, False
        if not locked:
            counted += 1
            locks = counted >= FREE
            if locks:
                until = now + min(LONGEST_MS, FIRST_MS * 2 ** min(20, counted - FREE)) / 1000
        self._local[key] = (counted, until)
        while len(self._local) > MOST_LOCAL:
            del self._local[next(iter(self._local))]
        return Attempt(locked, locks)


def _key(email: str) -> str:
    return f"lockout:{fingerprint(email)}"
