"""Which passwords come next: strong ones, and none of the last five."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from fittracker.auth.new_password import REMEMBERED, choose
from fittracker.auth.passwords import Passwords
from fittracker.contexts import Contexts
from fittracker.errors import Invalid
from tests.fittracker.auth.conftest import PASSWORD, Settle


@pytest.fixture
async def passwords(settings: Settings) -> AsyncIterator[Passwords]:
    """Cheap ones."""
    async with Passwords.open(pepper=settings.password_pepper, cost=4, threads=1) as opened:
        yield opened


async def test_A1_the_last_five_are_remembered_and_no_more(
    passwords: Passwords, contexts: Contexts, settle: Settle
) -> None:
    """The present one among them; the oldest falls off the end."""
    person = await settle(password=await passwords.hash(PASSWORD))
    used = [PASSWORD]
    for n in range(REMEMBERED + 2):
        password = f"{PASSWORD}-{n}"
        chosen = await choose(passwords, person, password)
        person |= chosen.fields(contexts.clock.utc())
        used.append(password)
    for old in used[-REMEMBERED:]:
        with pytest.raises(Invalid, match="before"):
            await choose(passwords, person, old)
    assert (await choose(passwords, person, used[-REMEMBERED - 1])).former[0] == person["password"]
    assert len(person["former_passwords"]) == REMEMBERED - 1


async def test_A1_what_is_known_of_its_owner_makes_it_weak(passwords: Passwords, settle: Settle) -> None:
    """As at the registration."""
    person = await settle(name="Wilhelmina")
    with pytest.raises(Invalid, match="guessed"):
        await choose(passwords, person, "Wilhelmina1")


async def test_who_had_no_password_may_have_any(passwords: Passwords, settle: Settle) -> None:
    """People of a load test, who then ask for a link."""
    person = await settle()
    assert (await choose(passwords, person, PASSWORD)).former == []
