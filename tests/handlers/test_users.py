"""One's own profile, zones and preferences."""

from __future__ import annotations

import asyncio

import pytest

from fittracker.preferences import NOTIFICATIONS
from tests.handlers.api import Api

WRONG = {
    "birth_date": ["1990-13-01", "yesterday", 5, "2025-01-01", "1890-01-01"],
    "sex": ["x", 1],
    "weight_kg": [0, 1_000, "60", True, [60]],
    "height_cm": [10, "170", 9_223_372_036_854_775_808],
    "resting_hr": [0, 300, 60.5, "60", True],
    "max_hr": [20, 400, None.__class__.__name__],
    "time_zone": ["Mars/Olympus", "", "../../etc/passwd", "europe\nberlin", "A" * 200],
    "name": ["", "   ", "a\r\nBcc: x@example.org", "\x1b[31mred", "x" * 81, "\u202egnp.exe", None],
}


async def test_anna_changes_her_profile(api: Api) -> None:
    """What she sends changes, the rest stays, null takes a value back."""
    anna = await api.person(birth_date="1990-02-03")
    changed = await anna.patch(
        "/users/me", {"weight_kg": 61.5, "resting_hr": 52, "time_zone": "Europe/Berlin"}
    )
    assert changed.status == 200
    assert (changed.data["weight_kg"], changed.data["birth_date"]) == (61.5, "1990-02-03")
    cleared = await anna.patch("/users/me", {"weight_kg": None})
    assert cleared.data["weight_kg"] is None
    assert (await anna.get("/users/me")).data == cleared.data


async def test_two_devices_do_not_overwrite_each_other(api: Api) -> None:
    """Who changes what they have not seen gets 412; of twenty at once one changes it."""
    anna = await api.person()
    tag = (await anna.get("/users/me")).headers["ETag"]
    answers = await asyncio.gather(
        *(anna.patch("/users/me", {"weight_kg": 50 + each}, headers={"If-Match": tag}) for each in range(20))
    )
    assert sorted(answer.status for answer in answers) == [200] + [412] * 19
    assert next(a for a in answers if a.status == 412).code == "precondition_failed"
    for nonsense in ("x", '"-1"', 'W/"2"'):
        answer = await anna.patch("/users/me", {"weight_kg": 60}, headers={"If-Match": nonsense})
        assert answer.status == 412


async def test_what_has_not_changed_need_not_be_sent_again(api: Api) -> None:
    """304 for the version one has."""
    anna = await api.person()
    tag = (await anna.get("/users/me")).headers["ETag"]
    same = await anna.get("/users/me", headers={"If-None-Match": tag})
    assert (same.status, same.raw, same.headers["ETag"]) == (304, b"", tag)


@pytest.mark.parametrize("field", WRONG)
async def test_values_no_person_has_are_refused_by_name(api: Api, field: str) -> None:
    """422 naming the field, and nothing changes."""
    anna = await api.person()
    before = (await anna.get("/users/me")).data
    for value in WRONG[field]:  # type: ignore[attr-defined]
        answer = await anna.patch("/users/me", {field: value})
        assert (answer.status, answer.code) == (422, "invalid"), value
        assert answer.fields.keys() == {field}, value
    assert (await anna.get("/users/me")).data == before


async def test_C3_nobody_makes_themselves_what_they_are_not(api: Api) -> None:
    """Fields of ours are unknown to it."""
    anna = await api.person()
    for field, value in (
        ("role", "admin"),
        ("verified_at", None),
        ("_id", "a" * 24),
        ("email", "x@example.org"),
        ("password", "x"),
        ("version", 1),
        ("created_at", "2020-01-01T00:00:00Z"),
        ("$set", {"role": "admin"}),
        ("preferences.units", "metric"),
    ):
        answer = await anna.patch("/users/me", {field: value})
        assert (answer.status, answer.code) == (422, "invalid"), field
    assert (await anna.get("/users/me")).data["role"] == "user"


async def test_the_resting_rate_must_lie_below_the_highest(api: Api) -> None:
    """Also when they come one after the other."""
    anna = await api.person()
    assert (await anna.patch("/users/me", {"resting_hr": 100})).status == 200
    answer = await anna.patch("/users/me", {"max_hr": 90})
    assert (answer.status, answer.fields) == (422, {"max_hr": "is not above resting_hr"})


async def test_a_new_name_is_known_everywhere_at_once(api: Api) -> None:
    """Also to sign-ins that began before, and to device tokens."""
    anna = await api.person()
    made = await anna.post("/auth/device-tokens", {"name": "Watch", "scopes": ["telemetry:write"]})
    authenticate = api.contexts.authenticator.authenticate
    assert (await authenticate(made.data["token"])).name == "Anna"
    await anna.patch("/users/me", {"name": "Anna Berg"})
    assert (await authenticate(anna.access)).name == "Anna Berg"
    assert (await authenticate(made.data["token"])).name == "Anna Berg"


async def test_anna_sets_her_zones_by_day_and_sport(api: Api) -> None:
    """They come back complete and in order; the newest that has begun is used, the sport's own first."""
    anna = await api.person(birth_date="1986-05-05", resting_hr=60)
    rows = [
        {"sport": "run", "since": "2026-03-01", "method": "own", "edges": [100, 120, 140, 150, 160, 180]},
        {"since": "2020-01-01", "method": "maximum", "max_hr": 190},
        {"since": "2026-01-01", "method": "reserve", "max_hr": 180},
    ]
    answer = await anna.put("/users/me/zones", {"items": rows})
    assert answer.status == 200
    assert [each["method"] for each in answer.data["items"]] == ["maximum", "reserve", "own"]
    assert [each["resting_hr"] for each in answer.data["items"]] == [60, 60, 60]
    assert (await anna.get("/users/me/zones")).data == answer.data
    users = api.contexts.users
    run, bike = await users.physiology(anna.id, "run"), await users.physiology(anna.id, "bike")
    assert run.zones is not None
    assert bike.zones is not None
    assert run.zones.bounds == [[100, 120], [120, 140], [140, 150], [150, 160], [160, 180]]
    assert bike.zones.bounds[2] == [144, 156]


async def test_zones_that_are_none_are_refused_by_row(api: Api) -> None:
    """The field says which one."""
    anna = await api.person()
    wrong = {
        "items.0.max_hr": {"since": "2026-01-01", "method": "maximum"},
        "items.0.resting_hr": {"since": "2026-01-01", "method": "reserve", "max_hr": 180},
        "items.0.edges": {"since": "2026-01-01", "method": "own", "edges": [100, 90, 120, 130, 140, 150]},
        "items.0.since": {"since": "someday", "method": "maximum", "max_hr": 180},
    }
    for field, row in wrong.items():
        answer = await anna.put("/users/me/zones", {"items": [row]})
        assert (answer.status, answer.fields.keys()) == (422, {field}), row
    twice = [{"since": "2026-01-01", "method": "maximum", "max_hr": 180}] * 2
    assert (await anna.put("/users/me/zones", {"items": twice})).status == 422
    assert (await anna.get("/users/me/zones")).data == {"items": []}


async def test_annas_own_alert_limits_count(api: Api) -> None:
    """What she sets replaces what follows from her profile; null turns an alert off."""
    anna = await api.person(birth_date="1986-05-05", resting_hr=42)
    before = (await api.contexts.users.physiology(anna.id)).limits
    assert (before.high, before.low) == (180, 37)
    answer = await anna.put(
        "/users/me/preferences", {"alerts": {"high": 165, "low": None}, "units": "imperial"}
    )
    chosen = {"alerts": {"high": 165, "low": None}, "units": "imperial"}
    assert chosen.items() <= answer.data.items()
    after = (await api.contexts.users.physiology(anna.id)).limits
    assert (after.high, after.low, after.jump) == (165, None, before.jump)
    kept = await anna.put("/users/me/preferences", {"language": "de-AT"})
    assert kept.data == {**answer.data, "language": "de-AT"}


async def test_alert_limits_that_cannot_be_are_refused(api: Api) -> None:
    """Too near to each other, out of range, unknown."""
    anna = await api.person(max_hr=190)
    for alerts in ({"high": 100, "low": 95}, {"high": 20}, {"flap": 1}, {"lost_s": 0}, {"irregular": "yes"}):
        answer = await anna.put("/users/me/preferences", {"alerts": alerts})
        assert answer.status == 422, alerts
    assert "alerts" not in (await anna.get("/users/me/preferences")).data


async def test_an_old_limit_never_stops_a_new_stream(api: Api) -> None:
    """Anna set a low limit near the highest rate she later corrected: her own word counts."""
    anna = await api.person(max_hr=190)
    assert (await anna.put("/users/me/preferences", {"alerts": {"low": 120}})).status == 200
    assert (await anna.patch("/users/me", {"max_hr": 125})).status == 200
    limits = (await api.contexts.users.physiology(anna.id)).limits
    assert (limits.low, limits.high) == (120, None)


# -- notifications and privacy ---------------------------------------------------------------------------


async def test_a_new_person_sees_what_follows_while_nothing_is_set(api: Api) -> None:
    """Every kind with every channel, and who may see what: a settings page needs no table of its own."""
    anna = await api.person()
    found = (await anna.get("/users/me/preferences")).data
    assert found["privacy"] == {
        "profile": "public",
        "heart_rate": "private",
        "map": "private",
        "weight": "private",
        "presence": "contacts",
    }
    assert set(found["notifications"]) == set(NOTIFICATIONS)
    assert found["notifications"]["security"] == {"socket": True, "mail": True, "push": True}
    assert found["notifications"]["weekly_summary"] == {"socket": False, "mail": False, "push": False}


async def test_a_cell_changes_alone(api: Api) -> None:
    """Turning one mail off leaves everything else, and so does hiding one field."""
    anna = await api.person()
    before = (await anna.get("/users/me/preferences")).data
    answer = await anna.put(
        "/users/me/preferences",
        {"notifications": {"weekly_summary": {"mail": True}}, "privacy": {"heart_rate": "public"}},
    )
    assert answer.status == 200
    before["notifications"]["weekly_summary"]["mail"] = True
    before["privacy"]["heart_rate"] = "public"
    assert answer.data == before
    again = await anna.put("/users/me/preferences", {"notifications": {"social": {"push": False}}})
    before["notifications"]["social"]["push"] = False
    assert again.data == before == (await anna.get("/users/me/preferences")).data


async def test_the_whole_answer_can_be_sent_back(api: Api) -> None:
    """As a form does it."""
    anna = await api.person()
    before = (await anna.get("/users/me/preferences")).data
    assert (await anna.put("/users/me/preferences", before)).data == before


async def test_what_is_about_security_cannot_be_turned_off(api: Api) -> None:
    """Who took the account over would like that; nothing of the same request is changed."""
    anna = await api.person()
    off = {"notifications": {"security": {"mail": False, "push": True}, "social": {"socket": False}}}
    answer = await anna.put("/users/me/preferences", off)
    assert (answer.status, answer.fields) == (422, {"notifications.security.mail": "cannot be turned off"})
    found = (await anna.get("/users/me/preferences")).data["notifications"]
    assert (found["security"]["mail"], found["social"]["socket"]) == (True, True)


async def test_cells_that_are_not_there_are_refused_by_name(api: Api) -> None:
    """Kinds, channels, fields, and values that mean something to MongoDB only."""
    anna = await api.person()
    for bad, field in (
        ({"notifications": {"pigeon": {"mail": False}}}, "notifications.pigeon"),
        ({"notifications": {"social": {"pigeon": False}}}, "notifications.social.pigeon"),
        ({"notifications": {"social": {"mail": "no"}}}, "notifications.social.mail"),
        ({"notifications": {"social.mail": False}}, "notifications.social.mail"),
        ({"privacy": {"heart_rate": "everybody"}}, "privacy.heart_rate"),
        ({"privacy": {"heart_rate": {"$ne": "private"}}}, "privacy.heart_rate"),
        ({"privacy": {"$set": "public"}}, "privacy.$set"),
    ):
        answer = await anna.put("/users/me/preferences", bad)
        assert (answer.status, answer.fields.keys()) == (422, {field}), bad
