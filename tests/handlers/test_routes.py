"""The route table, and who gets through which door: generated, so a new route is covered by being there."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web

from fittracker.clock import rfc3339
from fittracker.ids import new_id
from handlers.endpoint import ROUTE
from handlers.openapi import PREFIX
from handlers.rest import MODULES
from handlers.routes import ADMIN, ANYBODY, SIGNED_IN, TRAINER, Policy, Route, Routes, route
from tests.fittracker.picture_files import halves, saved
from tests.handlers.api import Answer, Api, Person

TABLE = list(Routes(MODULES))
NAMES = [f"{each.method} {each.path}" for each in TABLE]
every_route = pytest.mark.parametrize("each", TABLE, ids=NAMES)


async def knock(api: Api, each: Route, token: str | None, id: str = "f" * 24) -> Answer:  # noqa: A002
    """Call a route with an empty body, which no route takes for more than a look at who calls."""
    body = {"json": {}} if each.body else {}
    return await api.call(each.method, filled(each.path, id), token, **body)


def filled(path: str, things: str) -> str:
    """A path with ids in place of its variables: `things` by spaces, the last one for all that are left."""
    ids = things.split()
    return re.sub(r"{\w+}", lambda _: ids.pop(0) if len(ids) > 1 else ids[0], path)


@every_route
async def test_nobody_gets_only_where_anybody_may(api: Api, each: Route) -> None:
    """Everywhere else it is 401, before anything is looked at, and says how to do it."""
    answer = await knock(api, each, None)
    if each.policy.anonymous:
        assert answer.status not in {401, 403}
    else:
        assert (answer.status, answer.code) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@every_route
async def test_a_role_gets_only_where_its_policy_says(api: Api, each: Route) -> None:
    """Users not into what is for trainers, and so on."""
    for role in ("user", "trainer", "admin"):
        person = await (api.admin("Robin") if role == "admin" else api.person("Robin", role=role))
        answer = await knock(api, each, person.access)
        if each.policy.roles is not None and role not in each.policy.roles:
            assert (answer.status, answer.code) == (403, "forbidden"), role
        elif not each.policy.anonymous:
            assert answer.status not in {401, 403}, role


@every_route
async def test_a_device_token_gets_only_where_its_scope_is_asked_for(api: Api, each: Route) -> None:
    """A wearable that was lost opens nothing else."""
    person = await api.person()
    made = await person.post("/auth/device-tokens", {"name": "Watch", "scopes": ["telemetry:write"]})
    answer = await knock(api, each, made.data["token"])
    if not each.policy.anonymous and each.policy.scope != "telemetry:write":
        assert (answer.status, answer.code) == (403, "forbidden")


# -- things of somebody else ---------------------------------------------------------------------------

Make = Callable[[Api, Person], Awaitable[str]]


async def a_session(api: Api, owner: Person) -> str:
    """Where the owner is signed in."""
    return str((await owner.get("/auth/sessions")).data["items"][0]["id"])


async def a_device_token(api: Api, owner: Person) -> str:
    """A device token of the owner's."""
    body = {"name": "Watch", "scopes": ["telemetry:write"]}
    return str((await owner.post("/auth/device-tokens", body)).data["id"])


async def a_grant(api: Api, owner: Person) -> str:
    """A grant from the owner to a trainer who is not the one who knocks."""
    trainer = await api.person("Tina", role="trainer")
    answer = await owner.post("/grants", {"trainer": trainer.id, "data": ["workouts"]})
    return str(answer.data["id"])


async def a_coaching_session(api: Api, owner: Person) -> str:
    """A session that the owner gives."""
    return str((await owner.post("/sessions", {"title": "Hills", "capacity": 3})).data["id"])


async def a_session_that_is_over(api: Api, owner: Person) -> str:
    """One that the owner gave."""
    session = await a_coaching_session(api, owner)
    await api.contexts.coaching.life.step(owner.id, session, "end")
    return session


async def a_session_and_somebody(api: Api, owner: Person) -> str:
    """A session that the owner gives, and an athlete who could be in it."""
    return f"{await a_coaching_session(api, owner)} {(await api.person('Bert')).id}"


async def a_workout(api: Api, owner: Person) -> str:
    """A workout of the owner's."""
    now = api.contexts.clock.utc()
    workout = {"_id": "a" * 23 + owner.id[-1], "user": owner.id, "started_at": now, "stream": owner.id}
    await api.contexts.database.workouts.replace_one({"_id": workout["_id"]}, workout, upsert=True)
    return str(workout["_id"])


async def an_export(api: Api, owner: Person) -> str:
    """An export of what is the owner's."""
    return str((await owner.post("/users/me/export")).data["id"])


async def an_import(api: Api, owner: Person) -> str:
    """An import of the owner's."""
    headers = {"Content-Type": "application/zip"}
    made = await api.call("POST", "/users/me/import", owner.access, data=b"PK\x03\x04", headers=headers)
    return str(made.data["id"])


async def a_measurement(api: Api, owner: Person) -> str:
    """A measurement of the owner's."""
    return str((await owner.post("/users/me/measurements", {"kind": "ftp", "value": 250})).data["id"])


async def a_push_subscription(api: Api, owner: Person) -> str:
    """A browser of the owner's, whose server had a key once."""
    made = {"_id": new_id(), "user": owner.id, "fingerprint": owner.id, "host": "push.example.org"}
    await api.contexts.database.push_subscriptions.insert_one(made)
    return str(made["_id"])


async def themselves(api: Api, owner: Person) -> str:
    """The owner."""
    return owner.id


async def somebody_hidden(api: Api, owner: Person) -> str:
    """The owner, who shows their profile to nobody."""
    await owner.put("/users/me/preferences", {"privacy": {"profile": "private"}})
    return owner.id


async def somebody_blocked(api: Api, owner: Person) -> str:
    """Whom the owner has blocked."""
    blocked = await api.person("Bert")
    await owner.post("/users/me/blocks", {"user": blocked.id})
    return blocked.id


async def a_conversation(api: Api, owner: Person) -> str:
    """A conversation of the owner with somebody who does not knock."""
    body = {"kind": "direct", "members": [(await api.person("Bert")).id]}
    return str((await owner.post("/conversations", body)).data["id"])


async def a_group(api: Api, owner: Person) -> str:
    """A group of the owner's, and somebody else who is in it."""
    member = (await api.person("Bert")).id
    body = {"kind": "group", "title": "Runners", "members": [member]}
    made = (await owner.post("/conversations", body)).data["id"]
    return f"{made} {member}"


async def somebody_hidden_with_a_picture(api: Api, owner: Person) -> str:
    """The owner, whose profile and whose picture nobody sees."""
    headers, picture = {"Content-Type": "image/png"}, saved(halves(), "PNG")
    await api.call("PUT", "/users/me/avatar", owner.access, data=picture, headers=headers)
    return await somebody_hidden(api, owner)


async def a_follower(api: Api, owner: Person) -> str:
    """Somebody who follows the owner."""
    follower = await api.person("Fay")
    assert (await follower.post(f"/users/{owner.id}/follow")).status == 200
    return follower.id


async def a_follow_request(api: Api, owner: Person) -> str:
    """Somebody asks to follow the owner, who does not show themselves to everybody."""
    await somebody_hidden(api, owner)
    await a_follower(api, owner)
    return str((await owner.get("/follow-requests")).data["items"][0]["id"])


async def a_post(api: Api, owner: Person) -> str:
    """A post of the owner's, for followers, of whom there are none."""
    return str((await owner.post("/posts", {"text": "A run."})).data["id"])


async def a_comment(api: Api, owner: Person) -> str:
    """What the owner says about it."""
    path = f"/posts/{await a_post(api, owner)}/comments"
    return str((await owner.post(path, {"text": "In the rain."})).data["id"])


async def a_challenge(api: Api, owner: Person) -> str:
    """A challenge that the owner has made for followers, of whom there are none."""
    span = {"from": "2026-11-01T00:00:00Z", "to": rfc3339(api.clock.utc() + timedelta(days=2))}
    made = await owner.post("/challenges", {"title": "Push-ups", "metric": "custom", **span})
    return str(made.data["id"])


FOREIGN: dict[str, Make] = {
    "/auth/sessions/{id}": a_session,
    "/auth/device-tokens/{id}": a_device_token,
    "/grants/{id}": a_grant,
    "/users/me/export/{id}": an_export,
    "/users/me/import/{id}": an_import,
    "/sessions/{id}": a_coaching_session,
    "/sessions/{id}/summary": a_session_that_is_over,
    "/sessions/{id}/athletes/{user}": a_session_and_somebody,
    "/workouts/{id}": a_workout,
    "/workouts/{id}/heart-rate": a_workout,
    "/users/{id}/heart-rate": themselves,
    "/users/{id}": somebody_hidden,
    "/users/{id}/avatar": somebody_hidden_with_a_picture,
    "/users/me/blocks/{id}": somebody_blocked,
    "/notifications/subscriptions/{id}": a_push_subscription,
    "/users/{id}/report": themselves,
    "/users/me/measurements/{id}": a_measurement,
    "/users/{id}/measurements": themselves,
    "/conversations/{id}": a_conversation,
    "/conversations/{id}/members/{user}": a_group,
    "/conversations/{id}/messages": a_conversation,
    "/users/{id}/follow": themselves,
    "/users/{id}/followers": somebody_hidden,
    "/users/{id}/following": somebody_hidden,
    "/users/me/followers/{id}": a_follower,
    "/follow-requests/{id}/accept": a_follow_request,
    "/follow-requests/{id}/decline": a_follow_request,
    "/posts/{id}": a_post,
    "/posts/{id}/like": a_post,
    "/posts/{id}/likes": a_post,
    "/posts/{id}/comments": a_post,
    "/comments/{id}": a_comment,
    "/challenges/{id}": a_challenge,
    "/challenges/{id}/join": a_challenge,
    "/challenges/{id}/board": a_challenge,
}
"""For each path with an id: a thing of the owner's that it could name."""
FOR_OTHERS = {
    "POST /users/{id}/report",
    "POST /users/{id}/follow",
    "GET /users/{id}/follow",
    "DELETE /users/{id}/follow",
}
"""What one does to others and never to oneself: these have no owner. Each new one is a decision."""
WITH_ID = [each for each in TABLE if "{" in each.path and each.policy is not ADMIN]
QUERIES = {"/users/{id}/heart-rate": "?from=0&to=1000"}
BODIES: dict[str, dict[str, Any]] = {
    "/users/me/measurements/{id}": {"note": "theirs"},
    "/users/{id}/report": {"reason": "spam"},
    "/posts/{id}": {"text": "theirs"},
    "/challenges/{id}": {"title": "theirs"},
    "/posts/{id}/comments": {"text": "theirs"},
}


async def strangers(api: Api, owner: Person) -> list[tuple[str, Person]]:
    """Everybody who is not the owner, with their roles; the last but one was the owner's trainer once."""
    former = await api.person("Fred", role="trainer")
    kinds = ["heart_rate", "workouts", "nutrition", "measurements"]
    given = await owner.post("/grants", {"trainer": former.id, "data": kinds})
    assert (await owner.delete(f"/grants/{given.data['id']}")).status == 204
    return [
        ("user", await api.person("Ulla")),
        ("trainer", await api.person("Tom", role="trainer")),
        ("trainer", former),
        ("admin", await api.admin()),
    ]


@pytest.mark.parametrize("each", WITH_ID, ids=[f"{each.method} {each.path}" for each in WITH_ID])
async def test_C1_what_is_somebody_elses_is_not_there(api: Api, each: Route) -> None:
    """For another user, an unrelated trainer, a former one and an admin: 404, as for what never was.

    Where the policy names a role, every other one gets 403, whatever the id is.
    A route with an id that is not in FOREIGN fails here: somebody has to say what it could belong to.
    """
    name, roles = f"{each.method} {each.path}", each.policy.roles
    owner = await api.person("Olga", role="trainer" if each.path.startswith("/sessions") else "user")
    thing = await FOREIGN[each.path](api, owner)
    others = await strangers(api, owner)
    body: dict[str, Any] = {"json": BODIES.get(each.path, {})} if each.body else {}

    async def ask(token: str | None, id: str) -> Answer:  # noqa: A002
        path = filled(each.path, id) + QUERIES.get(each.path, "")
        return await api.call(each.method, path, token, **body)

    nobody = await ask(None, thing)
    assert (nobody.status, nobody.code) == (401, "unauthenticated")
    for role, other in others:
        foreign, nothing = await ask(other.access, thing), await ask(other.access, "f" * 24)
        if roles is not None and role not in roles:
            assert (foreign.code, nothing.code) == ("forbidden", "forbidden"), role
            continue
        assert (nothing.status, nothing.code) == (404, "not_found"), role
        if name in FOR_OTHERS:
            assert foreign.status == each.status, role
        else:
            assert (foreign.status, foreign.code) == (404, "not_found"), role
            assert foreign.data["detail"] == nothing.data["detail"]
    own = (await ask(owner.access, thing)).status
    if name in FOR_OTHERS:
        assert own == 422
    else:
        assert own == (each.status if roles is None else 403)


OF_ADMINS = [each for each in TABLE if "{" in each.path and each.policy is ADMIN]


@pytest.mark.parametrize("each", OF_ADMINS, ids=[f"{each.method} {each.path}" for each in OF_ADMINS])
async def test_C1_what_is_for_administrators_tells_nobody_else_what_there_is(api: Api, each: Route) -> None:
    """Not even about oneself: it is refused alike for what there is and for what never was."""
    person = await api.person("Ulla")
    there, never = await knock(api, each, person.access, person.id), await knock(api, each, person.access)
    assert (there.status, there.code) == (never.status, never.code) == (403, "forbidden")
    assert there.data["detail"] == never.data["detail"]
    admin = await api.admin()
    assert (await knock(api, each, admin.access)).status in {404, 422}


# -- the table itself ----------------------------------------------------------------------------------


async def test_C2_every_path_of_the_running_application_is_of_the_table(api: Api) -> None:
    """A handler that was added beside the table would have no policy. Preflights are aiohttp-cors' own."""
    assert api.client.app is not None
    rest = next(each for each in api.client.app.router.resources() if each.canonical == PREFIX)
    assert isinstance(rest, web.PrefixedSubAppResource)
    for each in rest:
        if each.method != "OPTIONS":
            found = getattr(each.handler, ROUTE, None)
            assert isinstance(found, Route), each
            assert isinstance(found.policy, Policy), each
    assert len([each for each in rest if each.method != "OPTIONS"]) == len(TABLE)


def test_C2_only_known_policies_are_used() -> None:
    """A new kind of door has to be thought about here as well."""
    assert {each.policy for each in TABLE} <= {ANYBODY, SIGNED_IN, TRAINER, ADMIN}


def test_what_anybody_may_call_is_a_short_list() -> None:
    """Each new one is a decision."""
    assert {each.path for each in TABLE if each.policy.anonymous} == {
        "/auth/register",
        "/auth/verify",
        "/auth/verify/resend",
        "/auth/login",
        "/auth/deletion/undo",
        "/auth/password/forgot",
        "/auth/password/reset",
        "/auth/email/confirm",
        "/auth/console/login",
        "/auth/refresh",
        "/mail/unsubscribe",
        "/mail/resubscribe",
        "/openapi.json",
        "/docs",
        "/asyncapi.json",
        "/docs/live",
    }


def test_every_route_says_what_it_does() -> None:
    """Its docstring is the documentation."""
    assert [name for name, each in zip(NAMES, TABLE, strict=True) if not each.about[0]] == []


def test_nothing_with_a_secret_in_its_answer_is_compressed() -> None:
    """Compression tells the length of what it compresses (BREACH)."""
    assert [each.path for each in TABLE if each.compress and each.path.startswith("/auth")] == []


def test_a_route_that_is_defined_twice_stops_the_start() -> None:
    """No name wins silently."""

    @route("GET", "/twice", SIGNED_IN)
    async def first(_call: Any) -> None:
        """One."""

    @route("GET", "/twice", SIGNED_IN)
    async def second(_call: Any) -> None:
        """Two."""

    module = ModuleType(first.__module__)
    vars(module).update(first=first, second=second)
    with pytest.raises(ValueError, match=r"GET /twice is defined twice: .*first, .*second"):
        Routes([module])
