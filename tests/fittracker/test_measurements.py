"""Measurements, as the contexts see them; the stories are in tests/handlers/test_measurements.py."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fittracker.contexts import Contexts
from fittracker.errors import Conflict, Invalid, NotFound
from fittracker.ids import new_id
from fittracker.measurements import Wanted
from fittracker.mongo import Document
from tests.fittracker.auth.conftest import Settle
from tests.moving_clock import MovingClock

ALL = Wanted()


async def values(contexts: Contexts, user: str, kind: str = "weight") -> list[float | None]:
    """What was measured, newest first."""
    items, _ = await contexts.measurements.page(user, Wanted(kind=kind), 100, None)
    return [each["value"] for each in items]


async def profile(contexts: Contexts, user: str) -> Document:
    """Somebody's profile."""
    return await contexts.users.get(user)


def back(contexts: Contexts, days: float) -> datetime:
    """So many days ago."""
    return contexts.clock.utc() - timedelta(days=days)


async def test_the_profile_is_the_newest_measurement(contexts: Contexts, settle: Settle) -> None:
    """Whatever is added, corrected and deleted, in whichever order."""
    anna = (await settle())["_id"]
    add, change, delete = (
        contexts.measurements.add,
        contexts.measurements.change,
        contexts.measurements.delete,
    )
    newest = await add(anna, "weight", 70, back(contexts, 1))
    await add(anna, "weight", 75, back(contexts, 30))
    assert (await profile(contexts, anna))["weight_kg"] == 70
    await change(anna, newest["_id"], {"value": 71})
    assert (await profile(contexts, anna))["weight_kg"] == 71
    await change(anna, newest["_id"], {"at": back(contexts, 60)})
    assert (await profile(contexts, anna))["weight_kg"] == 75
    await change(anna, newest["_id"], {"at": back(contexts, 1)})
    await delete(anna, newest["_id"])
    assert (await profile(contexts, anna))["weight_kg"] == 75
    assert await values(contexts, anna) == [75]


async def test_a_change_of_the_profile_is_a_measurement(contexts: Contexts, settle: Settle) -> None:
    """Of those fields alone, and only where it changes; null is written down as well."""
    anna = (await settle(weight_kg=70.0, resting_hr=52))["_id"]
    await contexts.users.change(anna, {"weight_kg": 69.5, "height_cm": 170}, None)
    await contexts.users.change(anna, {"weight_kg": 69.5, "resting_hr": 52}, None)
    assert await values(contexts, anna) == [69.5, 70.0]  # what she registered with is dated then
    assert await values(contexts, anna, "resting_hr") == []
    await contexts.users.change(anna, {"weight_kg": None}, None)
    assert await values(contexts, anna) == [None, 69.5, 70.0]
    assert (await profile(contexts, anna))["weight_kg"] is None


async def test_a_change_that_is_refused_measures_nothing(contexts: Contexts, settle: Settle) -> None:
    """Neither a profile that cannot be, nor one that has changed meanwhile."""
    anna = (await settle(resting_hr=60))["_id"]
    with pytest.raises(Invalid):
        await contexts.users.change(anna, {"max_hr": 60, "weight_kg": 70.0}, None)
    with pytest.raises(Invalid) as caught:
        await contexts.measurements.add(anna, "max_hr", 60)
    assert set(caught.value.fields) == {"value"}
    assert (await contexts.measurements.page(anna, ALL, 100, None))[0] == []
    assert (await profile(contexts, anna))["max_hr"] is None


async def test_the_profile_wins_over_a_measurement_that_lies_ahead(
    contexts: Contexts, settle: Settle
) -> None:
    """A scale whose clock is wrong does not hide what somebody says now."""
    anna = (await settle())["_id"]
    await contexts.measurements.add(anna, "weight", 80, contexts.clock.utc() + timedelta(hours=20))
    await contexts.users.change(anna, {"weight_kg": 70.0}, None)
    assert await values(contexts, anna) == [70, 80]
    assert (await profile(contexts, anna))["weight_kg"] == 70


async def test_an_older_heart_is_used_for_an_older_workout(contexts: Contexts, settle: Settle) -> None:
    """The newest until the end of that day in Berlin; before the first one, the first one."""
    settled = await settle(time_zone="Europe/Berlin", birth_date="1986-01-01")
    anna, add = settled["_id"], contexts.measurements.add
    for day, kilos, highest in ((10, 80, 190), (20, 75, 185)):
        at = datetime(2026, 3, day, 22, 59, tzinfo=UTC)  # 23:59 there
        await add(anna, "weight", kilos, at)
        await add(anna, "max_hr", highest, at)
    await add(anna, "resting_hr", 48, datetime(2026, 3, 20, 23, 0, tzinfo=UTC))  # 00:00 on the next day

    async def then(day: int, hour: int = 12) -> tuple[Any, ...]:
        found = await contexts.users.physiology(anna, None, datetime(2026, 3, day, hour, tzinfo=UTC))
        assert found.zones is not None
        return found.weight_kg, found.maximum, found.resting, found.zones.edges[5]

    assert await then(1) == (80, 190, 48, 190)
    assert await then(10, 1) == (80, 190, 48, 190)
    assert await then(19) == (80, 190, 48, 190)
    assert await then(20, 0) == (75, 185, 48, 185)
    now = await contexts.users.physiology(anna)
    assert (now.weight_kg, now.maximum, now.resting) == (75, 185, 48)


async def test_what_was_taken_back_is_not_known_from_then_on(
    contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """And still counts for the days before."""
    anna = (await settle(weight_kg=70.0))["_id"]
    first = contexts.clock.utc()
    clock.advance(3 * 86_400)
    await contexts.users.change(anna, {"weight_kg": None}, None)
    assert (await contexts.users.physiology(anna, None, first)).weight_kg == 70.0
    assert (await contexts.users.physiology(anna, None, contexts.clock.utc())).weight_kg is None
    assert (await contexts.users.physiology(anna)).weight_kg is None


async def test_zones_of_last_year_take_last_years_heart(contexts: Contexts, settle: Settle) -> None:
    """A row without a heart rate is completed with the one of its first day."""
    anna = (await settle())["_id"]
    await contexts.measurements.add(anna, "max_hr", 195, datetime(2025, 1, 1, tzinfo=UTC))
    await contexts.measurements.add(anna, "max_hr", 180, datetime(2026, 1, 1, tzinfo=UTC))
    rows = [{"since": day, "method": "maximum"} for day in ("2025-06-01", "2026-06-01", "9999-12-31")]
    changed = await contexts.users.change_zones(anna, rows, None)
    assert [row["max_hr"] for row in changed["zones"]] == [195, 180, 180]


async def test_the_reads_of_a_physiology_are_covered_by_indexes(contexts: Contexts, settle: Settle) -> None:
    """With a thousand measurements, six entries of the index are looked at, and no document."""
    anna, now = (await settle())["_id"], contexts.clock.utc()
    rows = [
        {"_id": new_id(), "user": anna, "kind": kind, "value": 70, "at": now - timedelta(days=day)}
        for kind in ("weight", "max_hr", "resting_hr")
        for day in range(333)
    ]
    await contexts.database.measurements.insert_many(rows)
    database = contexts.database
    await database.command("profile", 2)
    try:
        found = await contexts.measurements.around(anna, now - timedelta(days=100))
    finally:
        await database.command("profile", 0)
    assert {name: len(points) for name, points in found.items()} == dict.fromkeys(found, 2)
    query = {"command.aggregate": "measurements", "command.pipeline.0.$match.user": anna}
    (profiled,) = await database["system.profile"].find(query).to_list()
    await database.drop_collection("system.profile")
    assert profiled["docsExamined"] == 0
    assert profiled["keysExamined"] <= 12


async def test_d8_clicks_at_once_are_one_measurement(
    contexts: Contexts, other: Contexts, settle: Settle
) -> None:
    """With or without a moment, on two workers; and who weighs the same next morning is heard."""
    anna = (await settle(weight_kg=70.0))["_id"]
    both = (contexts, other)
    clicks = [both[turn % 2].measurements.add(anna, "weight", 69.0) for turn in range(20)]
    assert len({each["_id"] for each in await asyncio.gather(*clicks)}) == 1
    at = back(contexts, 3)
    dated = [both[turn % 2].measurements.add(anna, "weight", 71.0, at) for turn in range(20)]
    assert len({each["_id"] for each in await asyncio.gather(*dated)}) == 1
    assert await values(contexts, anna) == [69.0, 70.0, 71.0]
    with pytest.raises(Conflict):
        await contexts.measurements.add(anna, "weight", 72.0, at)


async def test_the_same_weight_next_morning_is_another_measurement(
    contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """A double click is over after ten seconds."""
    anna = (await settle())["_id"]
    await contexts.measurements.add(anna, "weight", 69.0)
    clock.advance(11)
    await contexts.measurements.add(anna, "weight", 69.0)
    assert await values(contexts, anna) == [69.0, 69.0]


async def test_many_at_once_leave_profile_and_measurements_agreed(
    contexts: Contexts, other: Contexts, settle: Settle
) -> None:
    """Posts, changes of the profile and deletions from all sides: the profile is the newest one."""
    anna = (await settle(weight_kg=60.0))["_id"]
    old = [
        await contexts.measurements.add(anna, "weight", 50 + day, back(contexts, day)) for day in range(1, 9)
    ]
    work: list[Any] = [other.measurements.delete(anna, each["_id"]) for each in old]
    work += [
        contexts.measurements.add(anna, "weight", 70 + hour, back(contexts, hour / 24)) for hour in range(8)
    ]
    work += [other.users.change(anna, {"weight_kg": 90.0 + turn}, None) for turn in range(8)]
    await asyncio.gather(*work)
    found = await values(contexts, anna)
    assert found[0] == (await profile(contexts, anna))["weight_kg"]
    assert len(found) == 17  # eight and eight, and the one she registered with


async def test_two_cannot_be_of_one_moment(contexts: Contexts, settle: Settle) -> None:
    """Which one would be the newest? Of another kind it may be."""
    anna = (await settle())["_id"]
    one = await contexts.measurements.add(anna, "weight", 70, back(contexts, 1))
    two = await contexts.measurements.add(anna, "weight", 71, back(contexts, 2))
    await contexts.measurements.add(anna, "ftp", 250, one["at"])
    with pytest.raises(Conflict):
        await contexts.measurements.change(anna, two["_id"], {"at": one["at"]})
    await contexts.measurements.change(anna, two["_id"], {"at": two["at"], "note": "in boots"})


async def test_what_is_bens_is_not_there_for_anna(contexts: Contexts, settle: Settle) -> None:
    """As if it never was; and for nobody nothing is."""
    anna, ben = (await settle())["_id"], (await settle("Ben"))["_id"]
    his = await contexts.measurements.add(ben, "weight", 80)
    for other in (his["_id"], "f" * 24, "nonsense"):
        with pytest.raises(NotFound):
            await contexts.measurements.change(anna, other, {"value": 1_000})
        with pytest.raises(NotFound):
            await contexts.measurements.delete(anna, other)
    with pytest.raises(NotFound):
        await contexts.measurements.add("f" * 24, "weight", 80)
    assert await values(contexts, ben) == [80]
