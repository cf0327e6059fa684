"""Guessing at one account gets slower and slower."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fittracker.auth.lockout import FIRST_MS, FREE, LONGEST_MS, Lockout
from fittracker.breaker import Breaker
from fittracker.redis import open_redis
from tests.moving_clock import MovingClock

NOWHERE = "redis://127.0.0.1:9"


@pytest.fixture
async def shared(redis_url: str) -> AsyncIterator[Lockout]:
    """As it is with Redis."""
    clock = MovingClock()
    async with open_redis(redis_url) as redis:
        yield Lockout(redis, Breaker(clock, patience_s=30), clock)


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
async def alone(clock: MovingClock) -> AsyncIterator[Lockout]:
    """As it is without."""
    async with open_redis(NOWHERE) as redis:
        yield Lockout(redis, Breaker(clock), clock)


async def test_A9_five_attempts_are_free_and_then_it_locks(shared: Lockout, alone: Lockout) -> None:
    """For this account alone; the fifth is still looked at, the sixth no more."""
    for lockout in (shared, alone):
        locked = [(await lockout.attempt("anna@example.org")).locked for _ in range(FREE + 3)]
        assert locked == [False] * FREE + [True] * 3
        assert not (await lockout.attempt("bob@example.org")).locked


async def test_A9_fifty_at_once_are_fifty(shared: Lockout) -> None:
    """Each is counted before anything is looked at, so no more than five get through."""
    results = await asyncio.gather(*(shared.attempt("otto@example.org") for _ in range(50)))
    assert [each.locked for each in results].count(False) == FREE
    assert [each.locks for each in results].count(True) == 1


async def test_who_gets_in_starts_anew(shared: Lockout, alone: Lockout) -> None:
    """Four wrong and one right, again and again, never lock."""
    for lockout in (shared, alone):
        for _ in range(3):
            for _ in range(FREE - 1):
                assert not (await lockout.attempt("tina@example.org")).locked
            await lockout.succeeded("tina@example.org")


async def test_A9_the_waits_grow_to_a_quarter_of_an_hour(alone: Lockout, clock: MovingClock) -> None:
    """Each wrong one after a wait doubles the next; tries during a wait do not prolong it."""
    for _ in range(FREE):
        assert not (await alone.attempt("ulla@example.org")).locked
    wait_ms = FIRST_MS
    for _ in range(8):
        assert (await alone.attempt("ulla@example.org")).locked
        clock.advance(wait_ms / 1000 - 1)
        assert (await alone.attempt("ulla@example.org")).locked
        clock.advance(1.1)
        assert not (await alone.attempt("ulla@example.org")).locked
        wait_ms = min(wait_ms * 2, LONGEST_MS)


async def test_redis_counts_the_same_waits(shared: Lockout, redis_url: str) -> None:
    """Its own clock cannot be moved; the end of the wait it has written down can be read, and moved."""
    async with open_redis(redis_url) as redis:
        for _ in range(FREE):
            await shared.attempt("vera@example.org")
        keys = {key async for key in redis.scan_iter("lockout:*")}
        waits = []
        for _ in range(7):
            until = {key: await redis.hget(key, "until") for key in keys}
            key = max(keys, key=lambda each: float(until[each] or 0))
            seconds, micro = await redis.time()
            waits.append(float(until[key] or 0) - seconds * 1000 - micro / 1000)
            await redis.hset(key, "until", 0)
            assert not (await shared.attempt("vera@example.org")).locked
    expected = [min(FIRST_MS * 2**n, LONGEST_MS) for n in range(7)]
    assert waits == pytest.approx(expected, abs=2_000)


async def test_an_attempt_that_is_given_back_does_not_count(shared: Lockout, alone: Lockout) -> None:
    """The password was right, the second factor was still to come: also where it had just locked."""
    for lockout in (shared, alone):
        for _ in range(FREE - 1):
            await lockout.attempt("wanda@example.org")
        for _ in range(3):
            attempt = await lockout.attempt("wanda@example.org")
            assert (attempt.locked, attempt.locks) == (False, True)
            await lockout.give_back("wanda@example.org", attempt)


async def test_giving_back_takes_no_lock_away_that_another_attempt_began(
    shared: Lockout, alone: Lockout
) -> None:
    """Else who knows the password would guess at the second factor without end."""
    for lockout in (shared, alone):
        first = await lockout.attempt("xenia@example.org")
        for _ in range(FREE - 1):
            await lockout.attempt("xenia@example.org")
        await lockout.give_back("xenia@example.org", first)
        assert (await lockout.attempt("xenia@example.org")).locked
