"""The scale in the bathroom, and the trainer who looks at its figures."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.idempotency import KEY, REPLAYED
from tests.handlers.api import Api, Person

MINE = "/users/me/measurements"


async def weigh(person: Person, value: float, at: str | None = None, **more: Any) -> dict[str, Any]:
    """A good measurement."""
    moment = {"at": at} if at else {}
    answer = await person.post(MINE, {"kind": "weight", "value": value, **moment, **more})
    assert answer.status == 201, answer.raw
    return dict(answer.data)


async def test_anna_weighs_herself(api: Api) -> None:
    """It comes back with its unit, the profile follows, and its ETag has changed."""
    anna = await api.person()
    before = (await anna.get("/users/me")).headers["ETag"]
    made = await weigh(anna, 61.5, note="after the run")
    assert (made["kind"], made["value"], made["unit"], made["note"]) == (
        "weight",
        61.5,
        "kg",
        "after the run",
    )
    me = await anna.get("/users/me")
    assert me.data["weight_kg"] == 61.5
    assert me.headers["ETag"] != before
    assert (await anna.get(MINE)).data == {"items": [made], "next_cursor": None}


async def test_she_corrects_and_deletes(api: Api) -> None:
    """Null takes a note back; what is deleted is gone."""
    anna = await api.person()
    made = await weigh(anna, 615 / 10, "2026-05-01T08:00:00+02:00", note="x")
    assert made["at"] == "2026-05-01T06:00:00.000Z"
    changed = await anna.patch(f"{MINE}/{made['id']}", {"value": 62, "note": None})
    assert (changed.status, changed.data) == (200, {**made, "value": 62, "note": None})
    assert (await anna.get("/users/me")).data["weight_kg"] == 62
    assert (await anna.delete(f"{MINE}/{made['id']}")).status == 204
    assert (await anna.delete(f"{MINE}/{made['id']}")).status == 404
    assert (await anna.get("/users/me")).data["weight_kg"] is None


async def test_what_she_says_of_herself_is_written_down(api: Api) -> None:
    """A change of the profile is a measurement, and what she registered with was the first one."""
    anna = await api.person(weight_kg=70)
    await anna.patch("/users/me", {"weight_kg": 69, "max_hr": 188})
    items = (await anna.get(MINE)).data["items"]
    assert sorted((each["kind"], each["value"]) for each in items) == [
        ("max_hr", 188),
        ("weight", 69),
        ("weight", 70),
    ]


async def test_the_list_is_read_by_kind_time_and_page(api: Api) -> None:
    """Half-open spans, newest first, and pages that stay right while one is added."""
    anna = await api.person()
    for day in range(1, 8):
        await weigh(anna, 60 + day, f"2026-05-{day:02}T08:00:00Z")
    await anna.post(MINE, {"kind": "ftp", "value": 250, "at": "2026-05-03T08:00:00Z"})
    span = f"{MINE}?kind=weight&from=2026-05-02T08:00:00Z&to=2026-05-07T08:00:00Z&limit=2"
    seen, cursor = [], ""
    while True:
        page = (await anna.get(span + cursor)).data
        seen += [each["value"] for each in page["items"]]
        await weigh(anna, 90, f"2026-05-06T2{len(seen) // 2}:00:00Z")
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [66, 65, 64, 63, 62]
    for wrong in (
        "?kind=height",
        "?from=2026",
        "?limit=0",
        "?cursor=x",
        "?from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z",
    ):
        assert (await anna.get(MINE + wrong)).status in {400, 422}, wrong


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "weight", "value": 401}, "value"),
        ({"kind": "weight", "value": 1}, "value"),
        ({"kind": "resting_hr", "value": 52.5}, "value"),
        ({"kind": "max_hr", "value": "180"}, "value"),
        ({"kind": "weight", "value": None}, "value"),
        ({"kind": "height", "value": 170}, "kind"),
        ({"kind": "weight", "value": 60, "at": "2999-01-01T00:00:00Z"}, "at"),
        ({"kind": "weight", "value": 60, "at": "1989-12-31T00:00:00Z"}, "at"),
        ({"kind": "weight", "value": 60, "at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"kind": "weight", "value": 60, "at": "yesterday"}, "at"),
        ({"kind": "weight", "value": 60, "note": ""}, "note"),
        ({"kind": "weight", "value": 60, "unit": "lb"}, "unit"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(api: Api, body: dict[str, Any], field: str) -> None:
    """422 naming the field, and nothing is written."""
    anna = await api.person(birth_date="1990-01-01")
    answer = await anna.post(MINE, body)
    assert (answer.status, set(answer.fields)) == (422, {field})
    assert (await anna.get(MINE)).data["items"] == []


async def test_d9_a_lost_answer_is_given_again(api: Api) -> None:
    """With a key, also minutes later."""
    anna = await api.person()
    body = {"kind": "body_fat", "value": 22.5}
    first = await anna.post(MINE, body, headers={KEY: "k"})
    api.clock.advance(120)
    again = await anna.post(MINE, body, headers={KEY: "k"})
    assert (first.status, again.status, again.raw, again.headers[REPLAYED]) == (201, 201, first.raw, "true")
    assert len((await anna.get(MINE)).data["items"]) == 1


async def test_a_trainer_sees_them_with_a_grant_for_them(api: Api) -> None:
    """Not with one for something else, and no longer when it has ended."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    made = await weigh(anna, 61)
    path = f"/users/{anna.id}/measurements"
    assert (await tina.get(path)).status == 404
    await anna.post("/grants", {"trainer": tina.id, "data": ["heart_rate", "workouts"]})
    assert (await tina.get(path)).status == 404
    given = await anna.post("/grants", {"trainer": tina.id, "data": ["measurements"]})
    assert (await tina.get(path + "?kind=weight")).data["items"] == [made]
    assert (await tina.patch(f"{MINE}/{made['id']}", {"value": 60})).status == 404
    await anna.delete(f"/grants/{given.data['id']}")
    assert (await tina.get(path)).status == 404
    assert (await anna.get(path)).data["items"] == [made]


async def test_the_description_tells_the_ranges(api: Api) -> None:
    """Nobody has to guess a unit."""
    schemas = (await api.call("GET", "/openapi.json")).data["components"]["schemas"]
    assert "weight: 20 to 400 kg" in schemas["NewMeasurement"]["properties"]["value"]["description"]
