"""What is looked after while nobody asks for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import structlog
from pymongo.errors import AutoReconnect

from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.housekeeping import Duty, Housekeeping
from tests.fittracker.auth.conftest import Settle
from tests.moving_clock import MovingClock


async def test_a_grant_ends_by_itself_while_the_worker_runs(
    contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """Within a few seconds of its date."""
    anna, tina = await settle(), await settle("Tina", "trainer")
    until = contexts.clock.utc() + timedelta(minutes=1)
    await contexts.grants.give(anna["_id"], tina["_id"], ["heart_rate"], until, caller=SYSTEM)
    clock.advance(61)
    for _ in range(800):
        if await contexts.database.grants.count_documents({"trainer": tina["_id"], "active": True}) == 0:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the grant was never ended")


async def test_a_failure_is_logged_and_the_next_turn_comes() -> None:
    """A defect in one turn does not stop the house, nor does it keep another duty waiting."""
    turns = {"broken": 0, "away": 0, "good": 0}
    again = asyncio.Event()

    def duty(name: str, error: Exception | None) -> Duty:
        async def do() -> None:
            turns[name] += 1
            if min(turns.values()) > 2:
                again.set()
            if error is not None:
                raise error

        return Duty(name, 0.001, do)

    duties = [duty("broken", RuntimeError("a defect")), duty("away", AutoReconnect()), duty("good", None)]
    with structlog.testing.capture_logs() as logs:
        async with Housekeeping(duties).running():
            await asyncio.wait_for(again.wait(), 5)
    assert {(each["event"], each["duty"]) for each in logs} == {
        ("housekeeping_failed", "broken"),
        ("housekeeping_unavailable", "away"),
    }
