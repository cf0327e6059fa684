"""Limits: token buckets that all workers share, and a worker's own while Redis is away.

A bucket holds `capacity` and fills evenly over `window_s`. Several are asked in one call, and a request pays
into all of them or into none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter
from redis.asyncio import Redis

from fittracker.breaker import Breaker, RedisAway
from fittracker.clock import Clock
from fittracker.errors import RateLimited
from fittracker.observability import logger

log = logger(__name__)

refused = Counter("fittracker_limited", "Requests refused by a limit", ["bucket"])
local = Counter("fittracker_limits_local", "Requests counted by this worker alone, Redis being away")

MOST_LOCAL: Final = 50_000

# Per key: capacity and window (ms). Returns for each the tokens left and the wait (ms) for the next one.
# The server's own time is used, so the clocks of the workers need not agree.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local left, all = {}, true
for i, key in ipairs(KEYS) do
  local capacity, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local was = redis.call('HMGET', key, 'n', 't')
  local n = tonumber(was[1]) or capacity
  local t = tonumber(was[2]) or now
  left[i] = math.min(capacity, n + math.max(0, now - t) * capacity / window)
  if left[i] < 1 then all = false end
end
local out = {}
for i, key in ipairs(KEYS) do
  local capacity, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  out[#out + 1] = left[i] < 1 and math.ceil((1 - left[i]) * window / capacity) or 0
  if all then left[i] = left[i] - 1 end
  out[#out + 1] = math.floor(left[i])
  redis.call('HSET', key, 'n', left[i], 't', now)
  redis.call('PEXPIRE', key, window)
end
return out
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A limit and whom it counts: `capacity` requests in `window_s` seconds."""

    name: str
    whom: str
    capacity: int
    window_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a bucket said: how much is left, and the wait (ms) for the next one to be allowed (0: none)."""

    bucket: Bucket
    remaining: int
    wait_ms: int


class Limits:
    """Counts for all workers in Redis."""

    def __init__(self, redis: Redis, breaker: Breaker, clock: Clock) -> None:
        self._script = redis.register_script(_TAKE)
        self._breaker = breaker
        self._local = LocalBuckets(clock)

    async def take(self, buckets: Sequence[Bucket]) -> list[Allowance]:
        """Take one token of each bucket; none where one of them is empty: then its `wait_ms` is above 0."""
        keys = [f"limit:{each.name}:{each.whom}" for each in buckets]
        args = [figure for each in buckets for figure in (each.capacity, round(each.window_s * 1000))]
        try:
            answer: list[int] = await self._breaker.call(lambda: self._script(keys=keys, args=args))
        except RedisAway:
            local.inc()
            return self._local.take(buckets)
        return [
            Allowance(each, remaining=answer[2 * place + 1], wait_ms=answer[2 * place])
            for place, each in enumerate(buckets)
        ]

    async def spend(self, *buckets: Bucket) -> list[Allowance]:
        """The same, but RateLimited where one is empty."""
        allowances = await self.take(buckets)
        check(allowances)
        return allowances


def check(allowances: Sequence[Allowance]) -> None:
    """RateLimited, with the longest wait, where one of them was empty."""
    empty = [each for each in allowances if each.wait_ms > 0]
    if empty:
        for each in empty:
            refused.labels(each.bucket.name).inc()
        raise RateLimited("Slow down.", retry_after_ms=max(each.wait_ms for each in empty))


class LocalBuckets:
    """The same in this worker's memory. So each worker allows the whole capacity: better than nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, buckets: Sequence[Bucket]) -> list[Allowance]:
        """As `Limits.take`."""
        now = self._clock.monotonic()
        levels = [self._level(each, now) for each in buckets]
        waits = [
            math.ceil((1 - level) * each.window_s * 1000 / each.capacity) if level < 1 else 0
            for each, level in zip(buckets, levels, strict=True)
        ]
        price = 0 if any(waits) else 1
        for each, level in zip(buckets, levels, strict=True):
            self._levels.pop((each.name, each.whom), None)
            self._levels[each.name, each.whom] = (level - price, now)
        while len(self._levels) > MOST_LOCAL:
            del self._levels[next(iter(self._levels))]
        return [
            Allowance(each, remaining=int(level - price), wait_ms=wait)
            for each, level, wait in zip(buckets, levels, waits, strict=True)
        ]

    def _level(self, bucket: Bucket, now: float) -> float:
        level, at = self._levels.get((bucket.name, bucket.whom), (float(bucket.capacity), now))
        return min(bucket.capacity, level + (now - at) * bucket.capacity / bucket.window_s)
