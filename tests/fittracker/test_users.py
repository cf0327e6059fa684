"""People, as the contexts see them; the stories are in tests/handlers/test_users.py."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fittracker.contexts import Contexts
from fittracker.errors import NotFound
from tests.fittracker.auth.conftest import Settle


async def test_a_day_is_the_persons_own(contexts: Contexts, settle: Settle) -> None:
    """At 23:30 UTC on the last of the year, Anna in Berlin has her new zones and is a year older."""
    berlin = await settle(
        birth_date="1987-01-01",
        time_zone="Europe/Berlin",
        zones=[
            {
                "sport": None,
                "since": "2027-01-01",
                "method": "maximum",
                "edges": None,
                "max_hr": 200,
                "resting_hr": None,
            }
        ],
    )
    before = await contexts.users.physiology(berlin["_id"], None, datetime(2026, 12, 31, 22, 30, tzinfo=UTC))
    after = await contexts.users.physiology(berlin["_id"], None, datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    assert (before.age, after.age) == (39, 40)
    assert before.zones is not None
    assert after.zones is not None
    assert (before.zones.edges[5], after.zones.edges[5]) == (180, 200)


async def test_the_physiology_survives_being_stored(contexts: Contexts, settle: Settle) -> None:
    """It is kept with every stream."""
    anna = await settle(birth_date="1987-01-01", sex="female", weight_kg=61.5, resting_hr=52, max_hr=188)
    found = await contexts.users.physiology(anna["_id"], "run")
    assert type(found).from_document(found.as_document()) == found
    assert (found.sex, found.weight_kg, found.resting, found.maximum) == ("female", 61.5, 52.0, 188.0)


async def test_nobody_has_none(contexts: Contexts) -> None:
    """NotFound for both questions."""
    with pytest.raises(NotFound):
        await contexts.users.get("f" * 24)
    with pytest.raises(NotFound):
        await contexts.users.physiology("f" * 24)


async def test_the_hashes_stay_where_they_are(contexts: Contexts, settle: Settle) -> None:
    """Not even a handler gets them."""
    anna = await settle(password="$2b$12$secret", verify={"fingerprint": "secret"})
    assert "secret" not in str(await contexts.users.get(anna["_id"]))
