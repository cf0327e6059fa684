"""Token buckets, shared and local: the same arithmetic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest

from fittracker.breaker import Breaker
from fittracker.errors import RateLimited
from fittracker.limits import Bucket, Limits, LocalBuckets
from fittracker.redis import open_redis
from tests.moving_clock import MovingClock

_people = count(1)


def bucket(capacity: int = 5, window_s: float = 60.0, name: str = "test") -> Bucket:
    """A bucket of somebody new."""
    return Bucket(name, f"person-{next(_people)}", capacity, window_s)


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
async def shared(redis_url: str, clock: MovingClock) -> AsyncIterator[Limits]:
    async with open_redis(redis_url) as redis:
        yield Limits(redis, Breaker(clock, patience_s=30), clock)


@pytest.fixture
async def alone(clock: MovingClock) -> AsyncIterator[Limits]:
    async with open_redis("redis://127.0.0.1:9") as redis:
        yield Limits(redis, Breaker(clock), clock)


async def test_a_bucket_gives_what_it_holds_and_then_says_when(shared: Limits, alone: Limits) -> None:
    """With Redis and without it, alike."""
    for limits in (shared, alone):
        mine = bucket()
        taken = [(await limits.take([mine]))[0] for _ in range(7)]
        assert [each.remaining for each in taken] == [4, 3, 2, 1, 0, 0, 0]
        assert [each.wait_ms > 0 for each in taken] == [False] * 5 + [True] * 2
        assert 11_000 < taken[-1].wait_ms <= 12_000


async def test_all_buckets_pay_or_none(shared: Limits, alone: Limits) -> None:
    """What one of them refuses costs nothing in the others."""
    for limits in (shared, alone):
        wide, narrow = bucket(10), bucket(1)
        await limits.take([wide, narrow])
        refused = await limits.take([wide, narrow])
        assert [each.wait_ms > 0 for each in refused] == [False, True]
        assert (await limits.take([wide]))[0].remaining == 8


async def test_fifty_at_once_share_what_there_is(shared: Limits) -> None:
    """One call is one step, whoever else calls."""
    mine = bucket(20)
    taken = await asyncio.gather(*(shared.take([mine]) for _ in range(50)))
    assert sum(each[0].wait_ms == 0 for each in taken) == 20


async def test_two_workers_share_a_bucket(shared: Limits, redis_url: str, clock: MovingClock) -> None:
    """It is the person who is counted."""
    mine = bucket(2)
    async with open_redis(redis_url) as redis:
        other = Limits(redis, Breaker(clock), clock)
        assert (await shared.take([mine]))[0].wait_ms == 0
        assert (await other.take([mine]))[0].wait_ms == 0
        assert (await shared.take([mine]))[0].wait_ms > 0


async def test_spending_from_an_empty_bucket_is_refused_with_the_longest_wait(shared: Limits) -> None:
    """Coming back after that is not too early for any of them."""
    short, long = bucket(1, 10), bucket(1, 100)
    await shared.spend(short, long)
    with pytest.raises(RateLimited) as caught:
        await shared.spend(short, long)
    assert caught.value.retry_after_ms == pytest.approx(100_000, abs=1_000)


def test_a_bucket_fills_evenly(clock: MovingClock) -> None:
    """Six a minute is one every ten seconds, and never more than it holds."""
    limits = LocalBuckets(clock)
    mine = bucket(6)
    for _ in range(6):
        limits.take([mine])
    clock.advance(9)
    assert limits.take([mine])[0].wait_ms > 0
    clock.advance(1.1)
    assert limits.take([mine])[0].wait_ms == 0
    assert limits.take([mine])[0].wait_ms > 0
    clock.advance(3_600)
    assert limits.take([mine])[0].remaining == 5


async def test_redis_fills_as_evenly(shared: Limits) -> None:
    """By its own clock: fifty a second are back soon."""
    mine = bucket(50, 1.0)
    for _ in range(50):
        await shared.take([mine])
    refused = (await shared.take([mine]))[0]
    await asyncio.sleep(0.1 + refused.wait_ms / 1000)
    assert (await shared.take([mine]))[0].wait_ms == 0


def test_the_memory_of_a_worker_is_bounded(clock: MovingClock) -> None:
    """A million strangers do not fill it."""
    limits = LocalBuckets(clock)
    for number in range(60_000):
        limits.take([Bucket("x", str(number), 1)])
    assert len(limits._levels) == 50_000
