"""The contexts of one worker on real servers, with a clock that tests can move."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import config.settings
from config.settings import Settings
from fittracker.auth.accounts import Accounts
from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.ids import new_id
from fittracker.mongo import Document
from fittracker.opening import open_contexts
from fittracker.profile import new_person
from tests.moving_clock import MovingClock

PASSWORD = "otters-swim-upstream-at-77"
Settle = Callable[..., Awaitable[Document]]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def clock() -> MovingClock:
    """The clock of both workers."""
    return MovingClock()


@pytest.fixture(scope="module")
def settings(mongo_url: str, mongo_database: str, redis_url: str) -> Settings:
    """As in production but for cheap hashes."""
    return config.settings.load(
        mode="test", mongo_url=mongo_url, mongo_database=mongo_database, redis_url=redis_url, bcrypt_cost=4
    )


@pytest.fixture(scope="module")
async def contexts(settings: Settings, clock: MovingClock) -> AsyncIterator[Contexts]:
    """One worker."""
    async with open_contexts(settings, clock) as opened:
        yield opened


@pytest.fixture(scope="module")
async def other(settings: Settings, clock: MovingClock) -> AsyncIterator[Contexts]:
    """Another worker beside it."""
    async with open_contexts(settings, clock) as opened:
        yield opened


@pytest.fixture(scope="module")
async def slow(settings: Settings, clock: MovingClock) -> AsyncIterator[Contexts]:
    """Whose hashes cost more than those that are there already."""
    async with open_contexts(settings.with_changes(bcrypt_cost=9), clock) as opened:
        yield opened


@pytest.fixture
def settle(contexts: Contexts) -> Settle:
    """Make a verified person, without a password."""

    async def make(name: str = "Anna", role: str = "user", **fields: Any) -> Document:
        now = contexts.clock.utc()
        person = new_person(new_id(), f"p{next(_numbers)}@example.org", name, role, now, {})
        person |= {"verified_at": now, "password": None, **fields}
        await contexts.database.users.insert_one(person)
        return person

    return make


async def register(accounts: Accounts, email: str, name: str = "Anna") -> None:
    """As from the form."""
    await accounts.registration.register(email, PASSWORD, name, "user", {}, SYSTEM)


async def verify(contexts: Contexts, email: str) -> None:
    """As by the mailed link."""
    await contexts.database.users.update_one(
        {"email": email},
        {"$set": {"verified_at": contexts.clock.utc()}, "$unset": {"verify": "", "unverified_until": ""}},
    )
