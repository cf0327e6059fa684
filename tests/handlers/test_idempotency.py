"""Sending a request again, as apps do that lost the answer in a tunnel."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fittracker.errors import Conflict, Failure, Unavailable
from handlers.idempotency import KEY, REPLAYED
from handlers.openapi import PREFIX
from handlers.rest import MODULES
from handlers.routes import ANYBODY, SIGNED_IN, Routes, Upload, route
from tests.handlers.api import Answer, Api, Person

WATCH = {"name": "Watch", "scopes": ["telemetry:write"]}


async def make(person: Person, key: str, body: Any = None, path: str = "/auth/device-tokens") -> Answer:
    """A post with a key."""
    return await person.post(path, body or WATCH, headers={KEY: key})


async def tokens_of(person: Person) -> int:
    """How many device tokens somebody has."""
    return len((await person.get("/auth/device-tokens")).data["items"])


async def test_D9_same_body_same_answer(api: Api) -> None:
    """Status, body and type of the first time, a header that says so, and one effect."""
    anna = await api.person()
    first, again = await make(anna, "tunnel-1"), await make(anna, "tunnel-1")
    assert (first.status, again.status) == (201, 201)
    assert (again.raw, again.headers["Content-Type"]) == (first.raw, first.headers["Content-Type"])
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert await tokens_of(anna) == 1


async def test_D9_other_body_422(api: Api) -> None:
    """The key names one request, to the letter."""
    anna = await api.person()
    await make(anna, "k")
    answer = await make(anna, "k", {**WATCH, "name": "Strap"})
    assert (answer.status, answer.code, set(answer.fields)) == (422, "invalid", {KEY})
    assert await tokens_of(anna) == 1


async def test_D9_fifty_at_once_have_one_effect(api: Api) -> None:
    """Each of them gets the answer, or is told when to come back for it."""
    anna = await api.person()
    answers = await asyncio.gather(*(make(anna, "double-click") for _ in range(50)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.data["token"] for answer in answers if answer.status == 201}) == 1
    for each in answers:
        if each.status == 409:
            assert each.headers["Retry-After"] == "1"
    assert await tokens_of(anna) == 1
    assert (await make(anna, "double-click")).headers[REPLAYED] == "true"


async def test_D9_a_key_is_of_one_person_and_one_route(api: Api) -> None:
    """Ben gets his own token for Anna's key; and for a session the same key is a new one."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    mine, hers = await make(anna, "1"), await make(tina, "1")
    assert mine.data["token"] != hers.data["token"]
    session = {"title": "Hills", "capacity": 3}
    made, again = await make(tina, "1", session, "/sessions"), await make(tina, "1", session, "/sessions")
    assert (made.status, REPLAYED in made.headers, again.data) == (201, False, made.data)
    grant = {"trainer": tina.id, "data": ["workouts"]}
    assert (await make(anna, "1", grant, "/grants")).status == 201
    assert (await make(anna, "1", grant, "/grants")).headers[REPLAYED] == "true"
    audited = await api.contexts.database.audit.count_documents({"event": "grant.given", "target": anna.id})
    assert audited == 1


async def test_D9_without_a_key_everything_is_as_before(api: Api) -> None:
    """Two posts are two."""
    anna = await api.person()
    await anna.post("/auth/device-tokens", WATCH)
    await anna.post("/auth/device-tokens", WATCH)
    assert await tokens_of(anna) == 2


@pytest.mark.parametrize("key", ["", " ", "x" * 129, "schlüssel", "a\tb"])
async def test_D9_what_is_no_key_is_refused(api: Api, key: str) -> None:
    """By name, before anything is done."""
    anna = await api.person()
    answer = await make(anna, key)
    assert (answer.status, set(answer.fields)) == (422, {KEY})
    assert await tokens_of(anna) == 0


async def test_D9_two_keys_are_none(api: Api) -> None:
    """Who believes which?"""
    anna = await api.person()
    headers = [("Authorization", f"Bearer {anna.access}"), (KEY, "a"), (KEY, "b")]
    path = f"{PREFIX}/auth/device-tokens"
    async with api.client.post(path, json=WATCH, headers=headers) as response:
        assert response.status == 400
    assert await tokens_of(anna) == 0


async def test_D9_a_refusal_that_stays_one_is_kept(api: Api) -> None:
    """The trainer of a grant is not there: 404 is told again, though somebody may have come meanwhile."""
    anna = await api.person()
    body = {"trainer": "f" * 24, "data": ["workouts"]}
    first, again = await make(anna, "k", body, "/grants"), await make(anna, "k", body, "/grants")
    assert (first.status, again.status, again.raw) == (404, 404, first.raw)
    assert again.headers[REPLAYED] == "true"
    assert again.code == "not_found"


async def test_D9_who_was_not_signed_in_tries_again(api: Api) -> None:
    """401 is about the token and not about the request."""
    anna = await api.person()
    access, anna.access = anna.access, "ey.nonsense"
    assert (await make(anna, "k")).status == 401
    anna.access = access
    answer = await make(anna, "k")
    assert (answer.status, REPLAYED in answer.headers) == (201, False)


@pytest.mark.parametrize(
    "failure",
    [Failure("ours"), Unavailable("away"), Conflict("busy", retry_after_ms=10), RuntimeError("bug")],
)
async def test_D9_what_failed_for_a_moment_may_be_tried_again(
    api: Api, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is free at once, and the next try does the work."""
    anna = await api.person()

    async def fail(*_arguments: object) -> None:
        raise failure

    with monkeypatch.context() as broken:
        broken.setattr(type(api.contexts.device_tokens), "create", fail)
        answer = await make(anna, "k")
    assert answer.status == getattr(failure, "status", 500)
    again = await make(anna, "k")
    assert (again.status, REPLAYED in again.headers) == (201, False)


async def test_the_description_tells_of_it(api: Api) -> None:
    """The header and 409, on every route that has it and on no other."""
    paths = (await api.call("GET", "/openapi.json")).data["paths"]
    with_key = {
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if any(each["name"] == KEY for each in operation["parameters"] if each["in"] == "header")
    }
    table = [each for each in Routes(MODULES) if each.idempotent]
    assert with_key == {f"{each.method} {each.path}" for each in table}
    assert with_key >= {"POST /sessions", "POST /grants", "POST /auth/device-tokens"}
    for each in table:
        operation = paths[each.path][each.method.lower()]
        assert "409" in operation["responses"]
        assert REPLAYED in operation["responses"][str(each.status)]["headers"]


def test_a_route_that_cannot_keep_the_promise_stops_the_start() -> None:
    """Nobody's keys would be everybody's, and an upload would be held in memory for its hash."""
    with pytest.raises(ValueError, match="cannot be idempotent"):
        route("POST", "/x", ANYBODY, idempotent=True)
    with pytest.raises(ValueError, match="cannot be idempotent"):
        route("POST", "/x", SIGNED_IN, idempotent=True, upload=Upload(("image/png",), 5))
