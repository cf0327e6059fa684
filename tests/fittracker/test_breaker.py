"""Doing without Redis while it is away."""

from __future__ import annotations

import asyncio

import pytest

from fittracker.breaker import Breaker, RedisAway
from fittracker.redis import open_redis
from tests.moving_clock import MovingClock


async def test_after_a_failure_nobody_waits_for_a_second() -> None:
    """Then one tries again."""
    clock = MovingClock()
    breaker = Breaker(clock)
    asked = 0

    async def fail() -> None:
        nonlocal asked
        asked += 1
        raise ConnectionResetError

    async with open_redis("redis://127.0.0.1:9") as redis:
        for _ in range(5):
            with pytest.raises(RedisAway):
                await breaker.call(lambda: redis.get("x"))

        async def succeed() -> str:
            nonlocal asked
            asked += 1
            return "yes"

        with pytest.raises(RedisAway):
            await breaker.call(succeed)
        assert asked == 0
        clock.advance(1.01)
        assert await breaker.call(succeed) == "yes"
        assert asked == 1
        with pytest.raises(ConnectionResetError):
            await breaker.call(fail)


async def test_one_that_hangs_is_given_up() -> None:
    """After the patience it was given, and then it is left alone."""
    breaker = Breaker(MovingClock(), patience_s=0.02)
    with pytest.raises(RedisAway):
        await breaker.call(lambda: asyncio.sleep(30))
    with pytest.raises(RedisAway):
        await breaker.call(lambda: asyncio.sleep(0))


async def test_what_the_caller_did_wrong_is_not_hidden() -> None:
    """Only an absence is one."""
    breaker = Breaker(MovingClock())

    async def broken() -> None:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        await breaker.call(broken)
    assert await breaker.call(lambda: asyncio.sleep(0, "still there")) == "still there"
