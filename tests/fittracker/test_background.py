"""Work that nobody waits for."""

from __future__ import annotations

import asyncio

import structlog

from fittracker.background import MOST, Background, beside


async def test_work_is_done_before_the_end() -> None:
    """What was begun is given a moment to finish."""
    done = []

    async def work() -> None:
        await asyncio.sleep(0.02)
        done.append("it")

    async with Background() as background:
        background.spawn(work(), "work")
    assert done == ["it"]


async def test_a_failure_is_in_the_log_and_hurts_nobody() -> None:
    """With the name of the work."""

    async def broken() -> None:
        raise ValueError("a defect")

    with structlog.testing.capture_logs() as logs:
        async with Background() as background:
            background.spawn(broken(), "broken-work")
            await background.idle()
    assert [(each["event"], each["work"]) for each in logs] == [("background_work_failed", "broken-work")]


async def test_what_loses_a_cancellation_is_cancelled_again() -> None:
    """As a library may do at an unlucky moment: the worker ends all the same."""
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                lost += 1
                if lost == 2:
                    raise

    async with asyncio.timeout(10), beside(stubborn(), "stubborn"):
        await asyncio.sleep(0)
    assert lost == 2


async def test_work_beside_a_block_that_fails_is_logged_and_the_block_goes_on() -> None:
    """Its end is not the end of the block."""

    async def broken() -> None:
        raise ValueError("a defect")

    with structlog.testing.capture_logs() as logs:
        async with beside(broken(), "broken-work"):
            await asyncio.sleep(0.01)
    assert [(each["event"], each["work"]) for each in logs] == [("background_work_failed", "broken-work")]


async def test_there_is_no_end_of_work_in_memory() -> None:
    """Too much is refused aloud."""
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    with structlog.testing.capture_logs() as logs:
        async with Background() as background:
            for _ in range(MOST + 3):
                background.spawn(wait(), "waiting")
            gate.set()
    assert [each["event"] for each in logs] == ["background_work_refused"] * 3
