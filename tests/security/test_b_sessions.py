"""B7, B8, B10: a sign-in that is over is over on every worker, for requests and for sockets.

Two workers, processes of their own, linked by MongoDB and Valkey alone. What is done on one is looked at on
both; no test waits for a fixed time, each waits for what has to happen, and fails where it takes too long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.handlers.api import eventually
from tests.peer import Peer, connect
from tests.people import People, Person, open_people
from tests.server import LoneWorker, lone_workers

API = "/api/v1"
SIGNED_OUT, BANNED = 4010, 4503
OUT_AFTER_LOGOUT_S = 1.0
OUT_AFTER_CHANGE_S = 5.0


@pytest.fixture(scope="module")
async def workers(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[LoneWorker]]:
    """Two workers."""
    logs = tmp_path_factory.mktemp("b-sessions")
    async with lone_workers(2, mongo_url, mongo_database, redis_url, logs) as running:
        yield running
        assert [each.defects() for each in running] == [[], []]


@pytest.fixture(scope="module")
async def people(workers: list[LoneWorker]) -> AsyncIterator[People]:
    """People whom both know."""
    async with open_people(workers[0].settings) as opened:
        yield opened


@pytest.fixture(scope="module")
async def http(workers: list[LoneWorker]) -> AsyncIterator[ClientSession]:
    """A client for all requests."""
    async with ClientSession() as session:
        yield session


@dataclass(frozen=True)
class Scene:
    """Two workers, and somebody with an open socket on each, whom each worker has just believed."""

    workers: list[LoneWorker]
    http: ClientSession
    person: Person
    sockets: list[Peer]

    async def ask(self, worker: int, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        """A request to a worker: status and body."""
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.workers[worker].url}{API}{path}"
        async with self.http.request(method, url, headers=headers, json=body) as response:
            text = await response.read()
            return response.status, (await response.json(content_type=None)) if text else None

    async def opens(self, token: str) -> list[bool]:
        """On which workers a token opens anything."""
        answers = [await self.ask(place, "GET", "/users/me", token) for place in range(len(self.workers))]
        return [status == 200 for status, _ in answers]

    async def is_out_within(self, seconds: float, began: float, *tokens: str) -> None:
        """Tokens open nothing on any worker within this time of `began` (monotonic)."""
        for token in tokens or (self.person.token,):

            async def out(token: str = token) -> bool:
                return not any(await self.opens(token))

            await eventually(out, "the token is dead on every worker", seconds=seconds)
        assert time.monotonic() - began < seconds

    async def codes_within(self, seconds: float, began: float) -> list[int | None]:
        """With which codes the sockets are closed, within this time of `began`."""
        async with asyncio.timeout(seconds):
            codes = list(await asyncio.gather(*(each.ending() for each in self.sockets)))
        assert time.monotonic() - began < seconds
        return codes


@asynccontextmanager
async def scene(workers: list[LoneWorker], http: ClientSession, person: Person) -> AsyncIterator[Scene]:
    """Open the sockets, and make each worker remember the person."""
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connect(each.url, person.token)) for each in workers]
        stage = Scene(workers, http, person, sockets)
        assert await stage.opens(person.token) == [True, True]
        yield stage


Set = Callable[[Person], Any]


@pytest.fixture
def on_stage(workers: list[LoneWorker], http: ClientSession) -> Set:
    """`async with on_stage(person) as stage`."""
    return lambda person: scene(workers, http, person)


async def test_B7_after_logout_the_token_is_dead_on_every_worker_and_its_sockets_are_closed(
    people: People, on_stage: Set
) -> None:
    """Within a second, though both workers had just seen it alive; another sign-in goes on."""
    anna = await people.athlete()
    elsewhere = await people.sign_in(anna)
    async with on_stage(anna) as stage, connect(stage.workers[1].url, elsewhere.token) as other:
        began = time.monotonic()
        assert (await stage.ask(0, "POST", "/auth/logout", anna.token))[0] == 204
        assert await stage.codes_within(OUT_AFTER_LOGOUT_S, began) == [SIGNED_OUT, SIGNED_OUT]
        await stage.is_out_within(OUT_AFTER_LOGOUT_S, began)
        assert await stage.opens(elsewhere.token) == [True, True]
        assert await other.call("ping")


async def test_B7_after_logout_no_socket_opens_with_the_token(people: People, on_stage: Set) -> None:
    """Nor does one that asked for a place before: signing in by frame is refused as well."""
    anna = await people.athlete()
    async with on_stage(anna) as stage, connect(stage.workers[1].url) as waiting:
        assert (await stage.ask(0, "POST", "/auth/logout", anna.token))[0] == 204
        await stage.codes_within(OUT_AFTER_LOGOUT_S, time.monotonic())
        assert (await waiting.refused("auth", token=anna.token))["code"] == "unauthenticated"


async def admin_changes(stage: Scene, people: People, **change: Any) -> float:
    """An administrator changes the person's account on the first worker; when that began (monotonic)."""
    (ada,) = await people.crowd(1, "admin")
    began = time.monotonic()
    path, body = f"/admin/users/{stage.person.id}", {"reason": "staff", **change}
    status, answer = await stage.ask(0, "PATCH", path, ada.token, body)
    assert status == 200, answer
    return began


async def test_B8_whoever_is_disabled_is_out_on_every_worker(people: People, on_stage: Set) -> None:
    """Requests, sockets (4503), and device tokens with theirs."""
    anna = await people.athlete()
    _, device = await people.device(anna)
    async with on_stage(anna) as stage, connect(stage.workers[1].url, device) as strap:
        began = await admin_changes(stage, people, disabled=True)
        assert await stage.codes_within(OUT_AFTER_CHANGE_S, began) == [BANNED, BANNED]
        assert await strap.ending() == BANNED
        await stage.is_out_within(OUT_AFTER_CHANGE_S, began, anna.token, device)
        async with connect(stage.workers[1].url) as again:
            for token in (anna.token, device):
                assert (await again.refused("auth", token=token))["code"] == "unauthenticated"


async def test_B8_whoever_is_enabled_again_is_still_signed_out(people: People, on_stage: Set) -> None:
    """What was ended stays ended; signing in again works at once, on every worker."""
    anna = await people.athlete()
    async with on_stage(anna) as stage:
        began = await admin_changes(stage, people, disabled=True)
        await stage.is_out_within(OUT_AFTER_CHANGE_S, began)
        await admin_changes(stage, people, disabled=False)
        assert await stage.opens(anna.token) == [False, False]
        assert await stage.opens((await people.sign_in(anna)).token) == [True, True]


async def test_B8_a_demoted_trainer_sees_nobody_any_more(people: People, on_stage: Set) -> None:
    """Sockets close (4010); with a new sign-in there is no watching, no room and no coaching."""
    tina, anna = await people.trainer(), await people.athlete()
    session = await people.session(tina, [anna])
    async with on_stage(tina) as stage, connect(stage.workers[1].url, anna.token) as athlete:
        await stage.sockets[1].call("hr.watch", user=anna.id)
        await athlete.call("room.join", room=f"session:{session}")
        began = await admin_changes(stage, people, role="user")
        assert await stage.codes_within(OUT_AFTER_CHANGE_S, began) == [SIGNED_OUT, SIGNED_OUT]
        await stage.is_out_within(OUT_AFTER_CHANGE_S, began)
        token = (await people.sign_in(tina)).token
        for worker in (0, 1):
            status, _ = await stage.ask(worker, "POST", "/sessions", token, {"title": "X", "capacity": 3})
            assert status == 403
        async with connect(stage.workers[1].url, token) as again:
            assert (await again.refused("hr.watch", user=anna.id))["code"] == "not_found"
            assert (await again.refused("room.join", room=f"session:{session}"))["code"] == "not_found"
        assert (await athlete.refused("room.members", room=f"session:{session}"))["code"] == "not_found"


async def test_B8_a_demoted_administrator_administers_nothing(people: People, on_stage: Set) -> None:
    """On neither worker, whatever role an old token names."""
    (root,) = await people.crowd(1, "admin")
    async with on_stage(root) as stage:
        began = await admin_changes(stage, people, role="user")
        assert await stage.codes_within(OUT_AFTER_CHANGE_S, began) == [SIGNED_OUT, SIGNED_OUT]
        await stage.is_out_within(OUT_AFTER_CHANGE_S, began)
        token = (await people.sign_in(root)).token
        assert [(await stage.ask(worker, "GET", "/admin/users", token))[0] for worker in (0, 1)] == [403, 403]


async def test_B10_sessions_are_listed_and_ended_one_by_one_and_all_at_once(
    people: People, on_stage: Set
) -> None:
    """By the person: the one that was meant is out on every worker, the others are not; then all."""
    anna = await people.athlete()
    second, third = await people.sign_in(anna), await people.sign_in(anna)
    async with on_stage(second) as stage:
        _, listed = await stage.ask(1, "GET", "/auth/sessions", anna.token)
        assert {each["id"] for each in listed["items"]} == {anna.sid, second.sid, third.sid}
        assert [each["id"] for each in listed["items"] if each["current"]] == [anna.sid]
        began = time.monotonic()
        assert (await stage.ask(0, "DELETE", f"/auth/sessions/{second.sid}", anna.token))[0] == 204
        assert await stage.codes_within(OUT_AFTER_LOGOUT_S, began) == [SIGNED_OUT, SIGNED_OUT]
        await stage.is_out_within(OUT_AFTER_LOGOUT_S, began)
        assert await stage.opens(third.token) == [True, True]
        began = time.monotonic()
        assert (await stage.ask(1, "POST", "/auth/logout-all", anna.token))[0] == 204
        await stage.is_out_within(OUT_AFTER_LOGOUT_S, began, anna.token, third.token)


async def test_B10_an_administrator_lists_and_ends_somebodys_sessions(people: People, on_stage: Set) -> None:
    """One by one and all at once, everywhere; it is audited, and nobody else can."""
    anna, (ada,) = await people.athlete(), await people.crowd(1, "admin")
    second, third = await people.sign_in(anna), await people.sign_in(anna)
    path = f"/admin/users/{anna.id}/sessions"
    async with on_stage(anna) as stage:
        _, listed = await stage.ask(0, "GET", path, ada.token)
        assert {each["id"] for each in listed["items"]} == {anna.sid, second.sid, third.sid}
        assert {"id", "device", "address", "created_at", "last_used_at", "expires_at"} == set(
            listed["items"][0]
        )
        assert (await stage.ask(0, "DELETE", path, anna.token))[0] == 403
        assert (await stage.ask(1, "DELETE", f"{path}/{third.sid}", anna.token))[0] == 403
        began = time.monotonic()
        assert (await stage.ask(1, "DELETE", f"{path}/{third.sid}", ada.token))[0] == 204
        await stage.is_out_within(OUT_AFTER_CHANGE_S, began, third.token)
        assert await stage.opens(second.token) == [True, True]
        assert (await stage.ask(0, "DELETE", f"{path}/{ada.sid}", ada.token))[0] == 404
        began = time.monotonic()
        assert (await stage.ask(0, "DELETE", path, ada.token))[0] == 204
        assert await stage.codes_within(OUT_AFTER_CHANGE_S, began) == [SIGNED_OUT, SIGNED_OUT]
        await stage.is_out_within(OUT_AFTER_CHANGE_S, began, anna.token, second.token)
        assert (await stage.ask(0, "GET", path, ada.token))[1] == {"items": []}
        told = people.contexts.database.audit.find({"target": anna.id, "actor": ada.id}, sort=[("_id", 1)])
        assert [(each["event"], each["detail"]) async for each in told] == [
            ("admin.looked", {"what": "sessions"}),
            ("session.ended", {"sessions": [third.sid]}),
            ("admin.sessions_ended", {"sessions": 2}),
            ("admin.looked", {"what": "sessions"}),
        ]
