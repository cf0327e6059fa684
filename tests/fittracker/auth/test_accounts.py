"""Accounts; the stories are in tests/handlers/test_auth.py. Here: what could be told by the time it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from fittracker.auth.accounts import Accounts
from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts, open_contexts
from fittracker.errors import Unauthenticated
from tests.fittracker.auth.effort import Effort
from tests.moving_clock import MovingClock

PASSWORD = "otters-swim-upstream-at-77"


@pytest.fixture(scope="module")
async def slow(settings: Settings, clock: MovingClock) -> AsyncIterator[Contexts]:
    """Whose hashes cost more than those that are there already."""
    async with open_contexts(settings.with_changes(bcrypt_cost=9), clock) as opened:
        yield opened


async def register(accounts: Accounts, email: str, password: str = PASSWORD) -> None:
    """As from the form."""
    await accounts.registration.register(email, password, "Anna", "user", {}, SYSTEM)


async def verify(contexts: Contexts, email: str) -> None:
    """As by the mailed link."""
    await contexts.database.users.update_one(
        {"email": email},
        {"$set": {"verified_at": contexts.clock.utc()}, "$unset": {"verify": "", "unverified_until": ""}},
    )


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


async def test_A4_signing_in_takes_as_long_for_nobody(
    slow: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown, wrong, unverified, disabled: one hash at today's cost each."""
    accounts, users = slow.accounts, slow.database.users
    for name in ("good", "disabled"):
        await register(accounts, f"{name}@example.org")
        await verify(slow, f"{name}@example.org")
    await register(accounts, "unverified@example.org")
    await users.update_one({"email": "disabled@example.org"}, {"$set": {"disabled_at": slow.clock.utc()}})

    async def refused(email: str, password: str) -> None:
        keys = [key async for key in slow.redis.scan_iter("lockout:*")]
        if keys:
            await slow.redis.delete(*keys)
        with pytest.raises(Unauthenticated):
            await accounts.sign_in.login(email, password, SYSTEM)

    efforts = await Effort(monkeypatch).of(
        {
            "nobody": lambda: refused("nobody@example.org", PASSWORD),
            "no address": lambda: refused("no address", PASSWORD),
            "wrong": lambda: refused("good@example.org", "wrong-wrong-wrong"),
            "unverified": lambda: refused("unverified@example.org", PASSWORD),
            "disabled": lambda: refused("disabled@example.org", PASSWORD),
        }
    )
    assert efforts == dict.fromkeys(efforts, 2**9)


async def test_A3_who_signs_in_after_the_cost_rose_gets_a_new_hash(
    contexts: Contexts, slow: Contexts
) -> None:
    """And the password stays the same."""
    await register(contexts.accounts, "anna@example.org")
    await verify(contexts, "anna@example.org")
    users = slow.database.users
    before = await users.find_one({"email": "anna@example.org"})
    await slow.accounts.sign_in.login("anna@example.org", PASSWORD, SYSTEM)
    after = await users.find_one({"email": "anna@example.org"})
    assert before is not None
    assert after is not None
    assert before["password"].startswith("$2b$04$")
    assert after["password"].startswith("$2b$09$")
    await slow.accounts.sign_in.login("anna@example.org", PASSWORD, SYSTEM)


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
        await contexts.accounts.registration.register(email, PASSWORD, name, "user", {}, SYSTEM)
        stored = await contexts.database.users.find_one({"email": email})
        assert stored is not None
        assert stored["name"] == name
