"""What is looked after while nobody asks for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import structlog

from fittracker import housekeeping
from fittracker.contexts import Contexts
from fittracker.housekeeping import Housekeeping
from tests.fittracker.auth.conftest import Settle
from tests.moving_clock import MovingClock


async def test_a_grant_ends_by_itself_while_the_worker_runs(
    contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """Within a few seconds of its date."""
    anna, tina = await settle(), await settle("Tina", "trainer")
    until = contexts.clock.utc() + timedelta(minutes=1)
    await contexts.grants.give(anna["_id"], tina["_id"], ["heart_rate"], until)
    clock.advance(61)
    for _ in range(800):
        if await contexts.database.grants.count_documents({"trainer": tina["_id"], "active": True}) == 0:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the grant was never ended")


async def test_a_failure_is_logged_and_the_next_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in one turn does not stop the house."""
    monkeypatch.setattr(housekeeping, "TURN_S", 0.001)
    turns = 0
    again = asyncio.Event()

    class Broken:
        async def settle_all(self) -> None:
            nonlocal turns
            turns += 1
            if turns > 2:
                again.set()
            raise RuntimeError("a defect")

    nothing: Any = None
    with structlog.testing.capture_logs() as logs:
        async with Housekeeping(Broken(), nothing).running():  # type: ignore[arg-type]
            await asyncio.wait_for(again.wait(), 5)
    assert {each["event"] for each in logs} == {"housekeeping_failed"}
