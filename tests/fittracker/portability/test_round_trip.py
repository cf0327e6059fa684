"""What goes out comes in again, the same: with a real recording, and with workers that die."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.jobs import LEASE_S, Lease
from fittracker.mongo import Document
from fittracker.portability import assembly, import_run
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.portability.people import exported, facts, imported, ride
from tests.moving_clock import MovingClock

RIDE = "garmin-edge530-ride-rr.fit"
RUN = "garmin-fenix2-run.fit"


async def settled(contexts: Contexts, settle: Settle) -> str:
    """Somebody with measurements, zones and preferences."""
    user: str = (await settle())["_id"]
    await contexts.users.change(user, {"birth_date": "1990-01-01", "sex": "female"}, None)
    await contexts.users.change(user, {"time_zone": "Europe/Berlin", "resting_hr": 52}, None)
    await contexts.measurements.add(user, "weight", 62.5, note="after breakfast")
    await contexts.users.change(user, {"resting_hr": None}, None)
    row = {"sport": None, "since": "2020-01-01", "method": "maximum", "max_hr": 185, "edges": None}
    await contexts.users.change_zones(user, [row], None)
    wishes = {"units": "metric", "privacy": {"weight": "public"}, "alerts": {"high": 170, "low": None}}
    await contexts.users.change_preferences(user, wishes, None)
    quiet = {"quiet_hours": {"from": "22:00", "to": "07:00"}}
    await contexts.users.change_preferences(user, quiet, None)
    return user


class Dies(Exception):  # noqa: N818  it reads as what it is
    """The worker is gone: nothing of it is tidied up."""


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Workers that die at the checkpoint after `left` more, before it is written."""
    whole, life = Lease.checkpoint, {"left": 10**9, "deaths": 0}

    async def checkpoint(lease: Lease, progress: float, state: Document) -> None:
        life["left"] -= 1
        if life["left"] < 0:
            life["deaths"] += 1
            raise Dies
        await whole(lease, progress, state)

    monkeypatch.setattr(Lease, "checkpoint", checkpoint)
    return life


async def once(content: bytes) -> AsyncIterator[bytes]:
    """A body that comes in one piece."""
    yield content


async def test_a_ride_goes_out_and_comes_in_the_same(contexts: Contexts, settle: Settle) -> None:
    """8,823 samples with their RR intervals, figures, zones, measurements: not one fact is another."""
    anna, nora = await settled(contexts, settle), (await settle("Nora"))["_id"]
    count = await ride(contexts, anna, RIDE)
    archive = await exported(contexts, anna)
    before = facts(archive)
    assert sum(len(row["t"]) for row in before["heart_samples"]) == count == 8_823
    assert any(row.get("rr") for row in before["heart_samples"])
    assert any(row.get("seq") for row in before["heart_samples"])
    assert None in {row["value"] for row in before["measurements"]}
    result = await imported(contexts, nora, archive)
    assert (result["refused"], result["problems"], result["skipped"]) == (0, [], {})
    assert facts(await exported(contexts, nora)) == before
    again = await imported(contexts, nora, archive)
    assert (again["imported"], again["refused"]) == ({}, 0)
    assert facts(await exported(contexts, nora)) == before


async def test_it_comes_home_by_a_detour_and_adds_nothing(contexts: Contexts, settle: Settle) -> None:
    """From one account into another and back: what was recorded here is known by its first name."""
    anna, nora = await settled(contexts, settle), (await settle("Nora"))["_id"]
    await ride(contexts, anna, RUN)
    before = facts(await exported(contexts, anna))
    await imported(contexts, nora, await exported(contexts, anna))
    back = await imported(contexts, anna, await exported(contexts, nora))
    assert (back["imported"], back["refused"]) == ({}, 0)
    assert facts(await exported(contexts, anna)) == before


async def test_an_export_goes_on_when_its_workers_die(
    contexts: Contexts,
    settle: Settle,
    clock: MovingClock,
    mortal: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each makes a few members; the archive is whole, and every sample is in it once."""
    monkeypatch.setattr(assembly, "MEMBER_BYTES", 20_000)
    anna = await settled(contexts, settle)
    count = await ride(contexts, anna, RUN)
    job = await contexts.ownership.exports.ask(anna, SYSTEM)
    while (now := await contexts.ownership.exports.get(anna, job["_id"]))["status"] != "ready":
        assert now["status"] != "failed", "each worker came too short a way"
        mortal["left"] = 6
        try:
            await contexts.ownership.exports.work()
        except Dies:
            clock.advance(LEASE_S + 1)
    mortal["left"] = 10**9
    assert 3 <= mortal["deaths"] <= 10
    done, content = await contexts.ownership.exports.fetch(anna, job["_id"])
    archive = b"".join([chunk async for chunk in content])
    assert len(archive) == done["result"]["size"]
    rows = facts(archive)["heart_samples"]
    assert sum(len(row["t"]) for row in rows) == count
    assert rows == facts(await exported(contexts, anna))["heart_samples"]


async def test_an_import_goes_on_when_its_workers_die(
    contexts: Contexts,
    settle: Settle,
    clock: MovingClock,
    mortal: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is missing and nothing is there twice."""
    monkeypatch.setattr(import_run, "GROUP", 5)
    anna, nora = await settled(contexts, settle), (await settle("Nora"))["_id"]
    await ride(contexts, anna, RUN)
    archive = await exported(contexts, anna)
    job = await contexts.ownership.imports.ask(nora, once(archive), SYSTEM)
    for _ in range(100):
        mortal["left"] = 3
        try:
            await contexts.ownership.imports.work()
        except Dies:
            clock.advance(LEASE_S + 1)
        found = await contexts.ownership.imports.get(nora, job["_id"])
        if found["status"] in {"ready", "failed"}:
            break
        await contexts.database.jobs.update_one({"_id": job["_id"]}, {"$set": {"attempts": 1}})
    mortal["left"] = 10**9
    assert (found["status"], found["result"]["refused"]) == ("ready", 0), json.dumps(found, default=str)
    assert mortal["deaths"] >= 2
    assert facts(await exported(contexts, nora)) == facts(archive)
