"""Rows from people who wish us harm: each is refused with a reason, and those beside it are taken."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from fittracker.contexts import Contexts
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.portability.people import exported, facts, imported, ride
from tests.fittracker.portability.test_opening import zipped

T0 = 1_700_000_000_000
STREAM = str(uuid4())


def stream(**changes: Any) -> dict[str, Any]:
    """A good row of a stream, but for these."""
    physiology = {"zones": None, "limits": {"high": 180, "low": 40}, "time_zone": "UTC", "age": 36}
    row = {"id": STREAM, "opened_at": "2023-11-14T22:00:00Z", "physiology": physiology, "sport": "running"}
    return {**row, **changes}


def samples(first: int = 1, to: int = 2, **changes: Any) -> dict[str, Any]:
    """A good batch, but for these."""
    count = to - first + 1
    row = {"stream": STREAM, "from": first, "to": to, "t": [T0 + n * 1000 for n in range(first, to + 1)]}
    return {**row, "bpm": [120] * count, **changes}


def rows(*each: Any) -> bytes:
    """A JSON-lines file."""
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in each)


async def take(contexts: Contexts, user: str, **files: bytes) -> dict[str, Any]:
    """What came of an archive of these files; `profile` is the one that is not lines."""
    named = {f"{name}.json{'' if name == 'profile' else 'l'}": data for name, data in files.items()}
    return await imported(contexts, user, zipped(named))


@pytest.mark.parametrize(
    "row",
    [
        b"{",
        b"[" * 50_000,
        b"null",
        b"\xff\xfe",
        stream(id={"$ne": None}),
        stream(id="../../etc/passwd"),
        stream(user="f" * 24),
        stream(_id="f" * 24),
        stream(**{"$where": "sleep(5000)"}),
        stream(opened_at="2023-11-14T22:00:00"),
        stream(opened_at="9999-11-14T22:00:00Z"),
        stream(opened_at=5),
        stream(sport="a\r\nb"),
        stream(sport="x" * 1_000),
        stream(device={"name": "Strap", "$set": "x"}),
        stream(physiology={}),
        stream(physiology={"zones": None, "limits": {}, "age": 1e308}),
        stream(physiology={"zones": {"method": "own", "edges": [1]}, "limits": {}}),
        stream(physiology={"zones": None, "limits": {"high": 5}}),
        stream(physiology={"zones": None, "limits": {}, "sex": "x" * 5_000}),
    ],
)
async def test_a_stream_that_cannot_be_is_refused(contexts: Contexts, settle: Settle, row: Any) -> None:
    """With the place of its row; the good one behind it is taken."""
    anna = (await settle())["_id"]
    result = await take(contexts, anna, heart_streams=rows(row, stream(id=str(uuid4()))))
    assert result["imported"] == {"heart_streams": 1}
    assert (result["refused"], result["problems"][0]["row"]) == (1, 1)
    assert result["problems"][0]["reason"]


@pytest.mark.parametrize(
    "row",
    [
        samples(bpm=[120]),
        samples(bpm=[120, 301]),
        samples(bpm=[120, -1]),
        samples(bpm=[120, "90"]),
        samples(bpm={"$gt": 0}),
        samples(t=[T0, 2**63]),
        samples(t=[T0, 5]),
        samples(t=[]),
        {**samples(), "to": 9},
        samples(seq=[2, 1]),
        samples(seq=[1, 2**60]),
        samples(rr=[[600.0], [0]]),
        samples(rr=[[600.0] * 65, None]),
        samples(rr=[[1e300], None]),
        samples(contact=[True]),
        samples(day="2023-13-99T"),
        samples(stream=str(uuid4())),
        samples(first=3, to=4),
        samples(user="f" * 24),
    ],
)
async def test_samples_that_cannot_be_are_refused(contexts: Contexts, settle: Settle, row: Any) -> None:
    """Nothing of the row is stored."""
    anna = (await settle())["_id"]
    result = await take(contexts, anna, heart_streams=rows(stream()), heart_samples=rows(row))
    assert (result["imported"], result["refused"]) == ({"heart_streams": 1}, 1)
    assert await contexts.database.heart_batches.count_documents({"user": anna}) == 0


async def test_no_sample_is_stored_twice_whatever_an_archive_says(contexts: Contexts, settle: Settle) -> None:
    """Batches that overlap what is stored, or leave a hole, are refused; those that follow are taken."""
    anna = (await settle())["_id"]
    await take(contexts, anna, heart_streams=rows(stream()), heart_samples=rows(samples(1, 10)))
    second = rows(samples(1, 5), samples(6, 12), samples(13, 14), samples(11, 12))
    result = await take(contexts, anna, heart_streams=rows(stream()), heart_samples=second)
    assert result["imported"] == {"heart_samples": 1}
    assert result["skipped"] == {"heart_streams": 1, "heart_samples": 1}
    assert [each["row"] for each in result["problems"]] == [2, 3]
    found = await contexts.database.heart_batches.find({"user": anna}).sort("_id").to_list()
    assert [(each["_id"]["n"], each["to"]) for each in found] == [(1, 10), (11, 12)]


async def test_what_is_somebody_elses_stays_theirs(contexts: Contexts, settle: Settle) -> None:
    """Naming another's stream makes one of one's own; another's session and workout are not looked at."""
    anna, eve = (await settle())["_id"], (await settle("Eve"))["_id"]
    await ride(contexts, anna, "garmin-fenix2-run.fit")
    theirs = await contexts.database.heart_streams.find_one({"user": anna})
    assert theirs is not None
    before = await exported(contexts, anna)
    forged = {
        "heart_streams": rows(stream(id=theirs["_id"], session="a" * 24)),
        "heart_samples": rows(samples(stream=theirs["_id"])),
        "workouts": rows({"id": theirs["workout"], "stream": theirs["_id"], "user": anna}),
    }
    result = await take(contexts, eve, **forged)
    assert result["imported"] == {"heart_streams": 1, "heart_samples": 1, "workouts": 1}
    assert await contexts.database.heart_streams.find_one({"user": anna}) == theirs
    hers = await contexts.database.heart_streams.find_one({"user": eve})
    assert hers is not None
    assert (hers["_id"] != theirs["_id"], hers["session"]) == (True, None)
    made = await contexts.database.workouts.find_one({"user": eve})
    assert made is not None
    assert made["summary"]["samples"] == 2, "figures are computed, not believed"
    assert facts(await exported(contexts, anna)) == facts(before)


async def test_a_live_stream_takes_nothing_in(contexts: Contexts, settle: Settle) -> None:
    """What a device recorded here cannot be made longer by a file."""
    anna = (await settle())["_id"]
    await ride(contexts, anna, "garmin-fenix2-run.fit")
    mine = await contexts.database.heart_streams.find_one({"user": anna})
    assert mine is not None
    count = await contexts.database.heart_batches.count_documents({"user": anna})
    more = rows(samples(9_000_001, 9_000_002, stream=mine["_id"]))
    result = await take(contexts, anna, heart_samples=more)
    assert (result["imported"], result["skipped"]) == ({}, {"heart_samples": 1})
    assert await contexts.database.heart_batches.count_documents({"user": anna}) == count


@pytest.mark.parametrize(
    "profile",
    [
        b"[]",
        b'{"weight_kg": 5000}',
        b'{"birth_date": "2023-02-30"}',
        b'{"birth_date": "2023-01-01"}',
        b'{"time_zone": "../../etc/passwd"}',
        b'{"time_zone": "Nowhere/City"}',
        b'{"max_hr": 100, "resting_hr": 120}',
        b'{"zones": [{"since": "2020-01-01", "method": "own", "edges": [1, 2, 3, 4, 5, 0]}]}',
        b'{"preferences": {"notifications": {"$set": {"mail": true}}}}',
        b'{"preferences": {"privacy": {"a.b": "public"}}}',
        b'{"preferences": {"alerts": {"high": 1}}}',
        b'{"preferences": {"quiet_hours": {"from": "22:00", "to": "24:00"}}}',
        b'{"preferences": {"quiet_hours": {"from": "22:00", "to": "22:00"}}}',
    ],
)
async def test_a_profile_that_nobody_has_is_refused(
    contexts: Contexts, settle: Settle, profile: bytes
) -> None:
    """It goes through the rules of the profile."""
    anna = (await settle())["_id"]
    result = await take(contexts, anna, profile=profile)
    assert (result["imported"], result["refused"]) == ({}, 1), result
    person = await contexts.users.get(anna)
    assert (person["weight_kg"], person["zones"], person["preferences"]) == (None, [], {})


async def test_who_somebody_is_cannot_be_imported(contexts: Contexts, settle: Settle) -> None:
    """Neither role nor address nor name; what is set already stays."""
    anna = (await settle(weight_kg=62.0))["_id"]
    offered = {"role": "admin", "email": "x@example.org", "name": "Eve", "weight_kg": 80, "height_cm": 170}
    result = await take(contexts, anna, profile=json.dumps(offered).encode())
    assert result["imported"] == {"profile": 1}
    person = await contexts.users.get(anna)
    assert (person["role"], person["name"], person["weight_kg"], person["height_cm"]) == (
        "user",
        "Anna",
        62,
        170,
    )


async def test_files_that_are_none_of_ours_are_told(contexts: Contexts, settle: Settle) -> None:
    """At most a hundred of them, with what can be shown of their names."""
    anna = (await settle())["_id"]
    strange = {f"../../{n}\x1b[31m": b"x" for n in range(150)}
    result = await imported(contexts, anna, zipped(strange | {"grants.jsonl": b"{}\n"}))
    assert (result["refused"], len(result["problems"])) == (150, 100)
    assert result["left_out"] == ["grants"]
    assert all(each["file"].isprintable() for each in result["problems"])


async def test_measurements_go_through_their_rules(contexts: Contexts, settle: Settle) -> None:
    """One of a moment; the profile follows the newest."""
    anna = (await settle())["_id"]
    good = {"id": "x", "kind": "weight", "value": 61.5, "at": "2026-01-01T08:00:00Z", "note": None}
    bad = [{"value": 5000}, {"kind": "$ne"}, {"at": "2026-01-01"}, {"note": "a\nb"}, {"value": {"$gt": 0}}]
    content = rows(good, good, *({**good, **change} for change in bad))
    result = await take(contexts, anna, measurements=content)
    assert (result["imported"], result["skipped"]) == ({"measurements": 1}, {"measurements": 1})
    assert result["refused"] == len(bad)
    assert (await contexts.users.get(anna))["weight_kg"] == 61.5
