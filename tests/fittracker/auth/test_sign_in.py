"""Signing in; the stories are in tests/handlers. Here: what could be told by the time it takes."""

from __future__ import annotations

import pytest

from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.errors import Unauthenticated
from tests.fittracker.auth.conftest import PASSWORD, register, verify
from tests.fittracker.auth.effort import Effort


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
