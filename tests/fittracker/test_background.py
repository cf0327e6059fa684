"""Work that nobody waits for."""

from __future__ import annotations

import asyncio

import structlog

from fittracker.background import MOST, Background


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
