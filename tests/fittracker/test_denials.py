"""Denied access: written down, whoever it was, and bounded."""

from __future__ import annotations

import pytest

from fittracker.audit import unrecorded
from fittracker.caller import Caller
from fittracker.contexts import Contexts
from fittracker.denials import MOST_A_MINUTE, Denials
from fittracker.mongo import Database
from tests.handlers.api import eventually
from tests.moving_clock import MovingClock

ANNA, NOBODY = Caller("a" * 24, "192.0.2.1", "r-1"), Caller(None, "192.0.2.1", "r-2")


@pytest.fixture
async def database(contexts: Contexts) -> Database:
    """With an empty audit log."""
    await contexts.database.audit.delete_many({})
    return contexts.database


@pytest.fixture
def denials(contexts: Contexts, database: Database, clock: MovingClock) -> Denials:
    """Those of a worker that has just begun."""
    return Denials(contexts.audit, clock)


async def written(database: Database, count: int) -> list[str]:
    """What each entry says was refused, once there are so many."""

    async def look() -> list[str]:
        found = await database.audit.find({}, sort=[("_id", 1)]).to_list()
        return [each["detail"]["route"] for each in found] if len(found) >= count else []

    return await eventually(look, f"{count} entries")


async def test_who_was_refused_what_is_in_the_log(database: Database, denials: Denials) -> None:
    """With the person where there is one, else with the address alone."""
    denials.note(ANNA, route="GET /admin/users")
    denials.note(NOBODY, route="POST /auth/console/login")
    assert await written(database, 2) == ["GET /admin/users", "POST /auth/console/login"]
    assert [each["actor"] async for each in database.audit.find({}, sort=[("_id", 1)])] == [ANNA.user, None]


async def test_one_who_tries_for_ever_does_not_fill_it(
    database: Database, denials: Denials, clock: MovingClock
) -> None:
    """The rest is counted; others are written down as before, and after a minute so are they."""
    before = unrecorded._value.get()
    for _ in range(MOST_A_MINUTE + 25):
        denials.note(ANNA, route="again")
    dropped = unrecorded._value.get() - before
    assert 24 <= dropped <= 25
    denials.note(NOBODY, route="another")
    clock.advance(60)
    denials.note(ANNA, route="later")
    told = await written(database, MOST_A_MINUTE + 2)
    assert told[-2:] == ["another", "later"]
    assert len(told) == MOST_A_MINUTE + 2 + 25 - dropped
