"""Workouts and heart rate over REST: one's own whole, an athlete's with their grant, nobody else's at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from fittracker.clock import rfc3339
from fittracker.control import Control
from fittracker.stream import Sample, Stream
from fittracker.telemetry import Telemetry
from tests.handlers.api import Api, Person


class Device:
    """Owns a stream and needs no acknowledgement."""

    def acknowledge(self, stream: Stream) -> None:
        """Not waited for."""

    def taken(self, stream: Stream) -> None:
        """Nobody takes it."""


async def run_of(api: Api, person: Person, seconds: int = 120) -> tuple[dict[str, Any], int]:
    """A workout of so many seconds that ended now, 100 bpm and then 140; and when it began, unix ms."""
    contexts = api.contexts
    telemetry = Telemetry(
        contexts.database,
        Control(contexts.redis),
        contexts.clock,
        worker="t" * 12,
        flush_s=60,
        flush_samples=10_000,
        buffer_samples=10_000,
    )
    stream = await telemetry.open(
        str(uuid4()),
        person.id,
        await contexts.users.physiology(person.id),
        session=None,
        sport="running",
        device=None,
        owner=Device(),
        connection="c1",
    )
    began = contexts.clock.now_ms() // 60_000 * 60_000 - seconds * 1000
    for second in range(seconds):
        bpm = 100 if second < seconds // 2 else 140
        telemetry.accept(stream, [Sample(second + 1, began + second * 1000, bpm, [600.0])])
    await telemetry.store(stream)
    workout = await contexts.workouts.finish(stream.id, person.id)
    assert workout is not None
    return workout, began


async def test_a_workout_is_read_with_its_figures_and_its_heart_rate(api: Api) -> None:
    """Raw it comes whole; in buckets it is the mean of each."""
    anna = await api.person(birth_date="1990-01-01")
    workout, began = await run_of(api, anna)
    shown = (await anna.get(f"/workouts/{workout['_id']}")).data
    summary = shown["summary"]
    assert (shown["sport"], summary["samples"], summary["avg_bpm"]) == ("running", 120, 120.0)
    assert shown["summary"]["methods"]["avg_bpm"]["method"]
    assert [each["id"] for each in (await anna.get("/workouts")).data["items"]] == [shown["id"]]
    raw = (await anna.get(f"/workouts/{shown['id']}/heart-rate")).data
    assert raw["resolution"] == "raw"
    assert raw["items"][0] == {"t": began, "bpm": 100, "rr": [600.0]}
    assert len(raw["items"]) == 120
    minutes = (await anna.get(f"/workouts/{shown['id']}/heart-rate?resolution=60s")).data["items"]
    assert [(each["t"], each["bpm"]) for each in minutes] == [(began, 100), (began + 60_000, 140)]


async def test_a_span_of_time_is_half_open_and_takes_both_kinds_of_moments(api: Api) -> None:
    """RFC 3339 or the unix milliseconds of the samples."""
    anna = await api.person()
    _, began = await run_of(api, anna)
    path = f"/users/me/heart-rate?from={began + 10_000}&to={began + 20_000}"
    items = (await anna.get(path)).data["items"]
    assert [each["t"] for each in items] == [began + second * 1000 for second in range(10, 20)]
    now = api.clock.utc()
    spelled = f"from={rfc3339(now - timedelta(hours=1))}&to={rfc3339(now + timedelta(hours=1))}"
    answer = (await anna.get(f"/users/me/heart-rate?resolution=10s&{spelled}")).data
    assert (len(answer["items"]), answer["next_cursor"]) == (12, None)
    assert (await anna.get(f"/users/me/heart-rate?from={began}&to={began}")).status == 422
    assert (await anna.get("/users/me/heart-rate")).fields.keys() == {"from", "to"}
    assert (await anna.get(f"{path}&resolution=2s")).status == 422


async def test_nobody_elses_workout_exists(api: Api) -> None:
    """Nor does their heart rate, until they grant a look at it, and after they took it back."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    workout, began = await run_of(api, anna)
    span = f"from={began}&to={began + 120_000}"
    for path in (
        f"/workouts/{workout['_id']}",
        f"/workouts/{workout['_id']}/heart-rate",
        f"/users/{anna.id}/heart-rate?{span}",
        f"/workouts/{'f' * 24}",
        "/workouts/nonsense",
    ):
        assert (await tina.get(path)).code == "not_found", path
    grant = (await anna.post("/grants", {"trainer": tina.id, "data": ["heart_rate"]})).data
    seen = await tina.get(f"/users/{anna.id}/heart-rate?resolution=60s&{span}")
    assert [each["bpm"] for each in seen.data["items"]] == [100, 140]
    assert (await tina.get(f"/workouts/{workout['_id']}")).status == 404
    assert (await anna.delete(f"/grants/{grant['id']}")).status == 204
    assert (await tina.get(f"/users/{anna.id}/heart-rate?{span}")).status == 404
