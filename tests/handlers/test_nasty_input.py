"""Whatever is put into a field or a path: refused or taken as text, never 500, and nothing breaks.

Generated from the route table: a new route with a body has to say what a good one is.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from handlers.rest import MODULES
from handlers.routes import ADMIN, Route, Routes
from tests.handlers.api import PASSWORD, Api

TABLE = list(Routes(MODULES))
WITH_BODY = [each for each in TABLE if each.body is not None]
WITH_ID = [each for each in TABLE if "{" in each.path]

NASTY: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**63,
    10**300,
    "",
    " ",
    "$ne",
    "$where: sleep(5000)",
    "{{7*7}}${7*7}<script>",
    "' OR '1'='1' --",
    "a\r\nBcc: x@example.org",
    "\x1b[31m",
    "../../etc/passwd",
    "x" * 20_000,
    "💥" * 500,
    [],
    [None],
    [[["a"]]],
    ["$ne"] * 50,
    {},
    {"$ne": None},
    {"$gt": ""},
    {"$where": "sleep(5000)"},
    {"$regex": ".*"},
    {"a.b": 1},
    {"__proto__": {"role": "admin"}},
]
GOOD: dict[str, dict[str, Any]] = {
    "POST /auth/register": {"email": "x@example.org", "password": PASSWORD, "name": "X"},
    "POST /auth/verify": {"token": "ftv_" + "x" * 43},
    "POST /auth/verify/resend": {"email": "nobody@example.org"},
    "POST /auth/login": {"email": "nobody@example.org", "password": PASSWORD},
    "POST /auth/console/login": {"email": "nobody@example.org", "password": PASSWORD},
    "POST /auth/password/forgot": {"email": "nobody@example.org"},
    "POST /auth/password/reset": {"token": "ftp_" + "x" * 43, "password": PASSWORD},
    "POST /auth/password/change": {"current": PASSWORD, "password": PASSWORD},
    "POST /auth/email/change": {"current": PASSWORD, "email": "nobody@example.org"},
    "POST /auth/email/confirm": {"token": "fte_" + "x" * 43},
    "POST /auth/totp/confirm": {"code": "123456"},
    "POST /auth/totp/disable": {"current": PASSWORD, "code": "123456"},
    "POST /auth/refresh": {"refresh_token": "ftr_" + "a" * 24 + "b" * 43},
    "POST /auth/device-tokens": {"name": "Watch", "scopes": ["telemetry:write"]},
    "PATCH /users/me": {"name": "X"},
    "DELETE /users/me": {"current": "wrong-otters-swim-at-77", "code": "123456"},
    "POST /auth/deletion/undo": {"token": "ftx_" + "x" * 43},
    "PUT /users/me/zones": {"items": [{"since": "2026-01-01", "method": "maximum", "max_hr": 180}]},
    "PUT /users/me/preferences": {
        "alerts": {"high": 170},
        "notifications": {"social": {"mail": True}},
        "privacy": {"map": "public"},
        "quiet_hours": {"from": "22:00", "to": "07:00"},
    },
    "POST /users/me/blocks": {"user": "f" * 24},
    "POST /notifications/read": {"ids": ["f" * 24], "all": False},
    "POST /notifications/subscriptions": {
        "endpoint": "https://push.example.org/abc",
        "keys": {"p256dh": "B" + "x" * 86, "auth": "y" * 22},
        "expirationTime": 1_900_000_000_000,
    },
    "POST /users/{id}/report": {"reason": "spam", "text": "Buy\nthis"},
    "POST /users/me/measurements": {
        "kind": "weight",
        "value": 61.5,
        "at": "2026-01-01T00:00:00Z",
        "note": "x",
    },
    "PATCH /users/me/measurements/{id}": {"value": 61.5, "at": "2026-01-01T00:00:00Z", "note": "x"},
    "POST /grants": {"trainer": "f" * 24, "data": ["workouts"]},
    "POST /sessions": {"title": "X", "capacity": 3, "athletes": []},
    "POST /posts": {"text": "A run\nuphill", "workout": None, "visibility": "followers"},
    "PATCH /posts/{id}": {"text": "A run", "workout": None, "visibility": "private"},
    "POST /challenges": {
        "title": "Push-ups",
        "about": "As many\nas you can",
        "metric": "custom",
        "unit": "reps",
        "goal": 1000,
        "from": "2026-11-01T00:00:00Z",
        "to": "2027-06-01T00:00:00Z",
        "visibility": "private",
        "invite": [],
    },
    "PATCH /challenges/{id}": {"title": "Push-ups", "about": "", "goal": 5.5, "to": "2027-07-01T00:00:00Z"},
    "POST /posts/{id}/comments": {"text": "Well\ndone", "client_id": "x"},
    "POST /admin/notices": {"text": "We restart at noon."},
    "PATCH /admin/users/{id}": {"role": "trainer", "disabled": True, "reason": "staff"},
    "POST /conversations": {"kind": "group", "title": "Runners", "members": ["f" * 24]},
    "PATCH /admin/reports/{id}": {"state": "resolved", "note": "Told\nthem"},
}


def name(route: Route) -> str:
    """As in GOOD."""
    return f"{route.method} {route.path}"


def somewhere(route: Route) -> str:
    """The path of a route, with an id of nobody's where there is one."""
    return re.sub(r"{\w+}", "f" * 24, route.path)


def spoil(good: Any, value: Any) -> list[Any]:
    """The good one with this value in the place of each of its parts, at every depth."""
    if isinstance(good, dict):
        return [{**good, key: bad} for key, part in good.items() for bad in [value, *spoil(part, value)]]
    if isinstance(good, list):
        return [[bad] for part in good for bad in [value, *spoil(part, value)]]
    return []


@pytest.mark.parametrize("each", WITH_BODY, ids=name)
async def test_D1_no_value_in_any_field_does_harm(api: Api, each: Route) -> None:
    """Neither operators, nor numbers, nor texts that mean something elsewhere."""
    person = await api.whoever_may(each.policy)
    before = (await person.get("/users/me")).data["role"]
    bodies = [body for value in NASTY for body in spoil(GOOD[name(each)], value)]
    schema = each.body() if each.body else None
    bodies += [
        {**GOOD[name(each)], field: value}
        for field in schema.fields
        for value in NASTY  # type: ignore[union-attr]
    ]
    for body in bodies:
        answer = await api.call(each.method, somewhere(each), person.access, json=body)
        assert answer.status < 500, body
        assert answer.status in {each.status, 400, 401, 403, 404, 409, 422}, (body, answer.status)
    assert (await person.get("/users/me")).data["role"] == before


@pytest.mark.parametrize("each", WITH_BODY, ids=name)
async def test_C3_fields_of_ours_are_unknown_everywhere(api: Api, each: Route) -> None:
    """422 naming them, on every route that takes a body."""
    person = await api.whoever_may(each.policy)
    for field in ("_id", "user", "owner", "verified_at", "price", "$set", "is_admin", "created_at"):
        body = {**GOOD[name(each)], field: "x"}
        answer = await api.call(each.method, somewhere(each), person.access, json=body)
        assert (answer.status, set(answer.fields)) == (422, {field})


@pytest.mark.parametrize("each", WITH_ID, ids=name)
async def test_D1_no_id_in_a_path_does_harm(api: Api, each: Route) -> None:
    """What is no id is of nobody."""
    person = await api.whoever_may(each.policy)
    query = "?from=0&to=1000" if each.path == "/users/{id}/heart-rate" else ""
    for bad in ("$ne", "a" * 500, "' OR 1=1", "%00", "null", "-1", "A" * 24, "{}", "..", "💥", "a\nb"):
        path = each.path.replace("{id}", quote(bad, safe="")) + query
        body = {"json": GOOD[name(each)]} if each.body else {}
        answer = await api.call(each.method, path, person.access, **body)
        assert answer.status in {400, 404, 405}, bad


async def test_a_body_where_none_belongs_is_refused(api: Api) -> None:
    """Nobody should believe that it did something."""
    somebody, admin = await api.person(), await api.admin()
    for each in TABLE:
        if each.body is None and each.method in {"POST", "DELETE"}:
            person = admin if each.policy is ADMIN else somebody
            path = re.sub(r"{\w+}", "f" * 24, each.path)
            answer = await api.call(each.method, path, person.access, json={"a": 1})
            # A route that takes a body of another kind says that JSON is none.
            assert answer.status == (415 if each.upload else 422), each.path
    assert await somebody.is_signed_in()
    assert await admin.is_signed_in()


def test_every_route_with_a_body_is_tried() -> None:
    """And every good body is of a route."""
    assert set(GOOD) == {name(each) for each in WITH_BODY}
    assert all(len(json.dumps(value)) < 1_000_000 for value in NASTY)
