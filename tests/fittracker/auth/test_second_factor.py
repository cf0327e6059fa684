"""The second factor; the stories are in tests/handlers/test_second_factor.py. Here: how its secret rests."""

from __future__ import annotations

import pytest

from config.settings import Settings
from fittracker.auth.letters import Letters
from fittracker.auth.one_time_codes import code_at
from fittracker.auth.second_factor import SecondFactor
from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.errors import NotFound
from fittracker.mongo import Document
from fittracker.sealing import Seal
from tests.fittracker.auth.conftest import Settle
from tests.moving_clock import MovingClock

NEW_KEY = ("newer", "a-new-key-of-more-than-thirty-two-bytes")


def factor(contexts: Contexts, keys: tuple[tuple[str, str], ...]) -> SecondFactor:
    """On a worker with these keys."""
    letters = Letters(contexts.mail, contexts.limits, contexts.clock)
    return SecondFactor(contexts.database, Seal(keys, "totp"), letters, contexts.audit, contexts.clock)


async def stored(contexts: Contexts, person: Document) -> Document:
    """The person as the database has them now."""
    found = await contexts.database.users.find_one({"_id": person["_id"]})
    assert found is not None
    return found


async def test_a_key_of_the_server_can_be_retired_once_people_have_signed_in(
    contexts: Contexts, settings: Settings, settle: Settle, clock: MovingClock
) -> None:
    """Each use seals the secret with the newest key. Who did not come needs a recovery code."""
    old = settings.token_keys
    before, between, after = (factor(contexts, keys) for keys in (old, (NEW_KEY, *old), (NEW_KEY,)))
    codes, secrets = {}, {}
    for name in ("comes", "stays away"):
        person = await settle()
        secrets[name] = (await before.start(person["_id"]))["secret"]
        codes[name] = await before.confirm(person["_id"], code_at(secrets[name], clock.now()), SYSTEM)
        clock.advance(60)
        if name == "comes":
            here = await stored(contexts, person)
            assert await between.spend(here, code_at(secrets[name], clock.now()), SYSTEM)
            clock.advance(60)
        here = await stored(contexts, person)
        came_in = await after.spend(here, code_at(secrets[name], clock.now()), SYSTEM)
        assert came_in is (name == "comes")
        assert await after.spend(here, codes[name][0], SYSTEM)


async def test_the_secret_rests_sealed(contexts: Contexts, settle: Settle, clock: MovingClock) -> None:
    """While it is pending as well as later."""
    person = await settle()
    second_factor = contexts.accounts.second_factor
    secret = (await second_factor.start(person["_id"]))["secret"]
    assert secret not in str(await stored(contexts, person))
    await second_factor.confirm(person["_id"], code_at(secret, clock.now()), SYSTEM)
    here = await stored(contexts, person)
    assert secret not in str(here)
    assert "totp_pending" not in here


async def test_who_has_none_has_no_code(contexts: Contexts, settle: Settle) -> None:
    """And nobody has nothing."""
    person = await settle()
    assert not await contexts.accounts.second_factor.spend(person, "123456", SYSTEM)
    assert not await contexts.accounts.second_factor.is_on(person["_id"])
    with pytest.raises(NotFound):
        await contexts.accounts.second_factor.is_on("f" * 24)
