"""The guard: whoever is signed in already cannot guess beside the lockout either."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from fittracker.auth.lockout import FREE
from fittracker.auth.passwords import Passwords
from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.errors import Invalid, NotFound
from fittracker.mongo import Document
from tests.fittracker.auth.conftest import PASSWORD, Settle


@pytest.fixture
async def anna(settings: Settings, settle: Settle) -> AsyncIterator[Document]:
    """Somebody with a password."""
    async with Passwords.open(pepper=settings.password_pepper, cost=4, threads=1) as passwords:
        yield await settle(password=await passwords.hash(PASSWORD))


async def test_A10_the_right_password_opens_and_forgets_the_wrong_ones(
    contexts: Contexts, anna: Document
) -> None:
    """Again and again; the field that is named is the one of the form."""
    guard = contexts.accounts.guard
    for _ in range(3):
        for _ in range(FREE - 1):
            with pytest.raises(Invalid) as caught:
                await guard.present(anna["_id"], "wrong guess", SYSTEM, field="password")
            assert caught.value.fields.keys() == {"password"}
        assert (await guard.present(anna["_id"], PASSWORD, SYSTEM))["email"] == anna["email"]


async def test_A9_wrong_ones_lock_the_account_for_signing_in_as_well(
    contexts: Contexts, anna: Document
) -> None:
    """And the other way round: there is one count for an account, and the sixth is not looked at."""
    guard = contexts.accounts.guard
    for _ in range(FREE):
        with pytest.raises(Invalid):
            await guard.present(anna["_id"], "wrong guess", SYSTEM)
    assert (await guard.attempt(anna["email"])).locked
    with pytest.raises(Invalid, match="wrong"):
        await guard.present(anna["_id"], PASSWORD, SYSTEM)
    await guard.passed(anna["email"])
    await guard.present(anna["_id"], PASSWORD, SYSTEM)


async def test_nobody_has_no_password(contexts: Contexts) -> None:
    """An account that was erased while its owner was still signed in."""
    with pytest.raises(NotFound):
        await contexts.accounts.guard.present("f" * 24, PASSWORD, SYSTEM)
