"""Registering; the stories are in tests/handlers. Here: what could be told by the time it takes."""

from __future__ import annotations

import pytest

from fittracker.contexts import Contexts
from tests.fittracker.auth.conftest import register, verify
from tests.fittracker.auth.effort import Effort
from tests.moving_clock import MovingClock


async def test_A5_registering_takes_as_long_for_a_taken_address(
    slow: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One hash at today's cost, whether it will be stored or not."""
    await register(slow.accounts, "taken@example.org")
    await verify(slow, "taken@example.org")
    efforts = await Effort(monkeypatch).of(
        {
            "free": lambda: register(slow.accounts, "free@example.org"),
            "taken": lambda: register(slow.accounts, "taken@example.org"),
        }
    )
    assert efforts == dict.fromkeys(efforts, 2**9)


async def test_A6_a_verification_link_ends_after_an_hour(contexts: Contexts, clock: MovingClock) -> None:
    """Only its hash is stored, with its end."""
    await register(contexts.accounts, "late@example.org")
    stored = await contexts.database.users.find_one({"email": "late@example.org"})
    assert stored is not None
    assert len(stored["verify"]["fingerprint"]) == 64
    assert (stored["verify"]["expires_at"] - contexts.clock.utc()).total_seconds() == pytest.approx(
        3_600, abs=5
    )


async def test_names_that_look_like_operators_are_names(contexts: Contexts) -> None:
    """They go through an aggregation when an account is made; there they are literals."""
    for name in ("$email", "$$ROOT", "{$ne: null}"):
        email = f"op{abs(hash(name))}@example.org"
        await register(contexts.accounts, email, name=name)
        stored = await contexts.database.users.find_one({"email": email})
        assert stored is not None
        assert stored["name"] == name
