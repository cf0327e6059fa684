"""The open sockets of two real workers, as an administrator sees them over either."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from fittracker.redis import WORKERS, worker_key
from tests.handlers.api import eventually
from tests.peer import MSGPACK, connect
from tests.people import People, Person, open_people
from tests.server import LoneWorker, lone_workers

API = "/api/v1/admin/connections"


@pytest.fixture(scope="module")
async def workers(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[LoneWorker]]:
    """Two workers, behind a proxy that may say where somebody comes from."""
    logs = tmp_path_factory.mktemp("connections")
    async with lone_workers(
        2, mongo_url, mongo_database, redis_url, logs, trusted_proxies="127.0.0.1/32"
    ) as running:
        yield running
        assert [each.defects() for each in running] == [[], []]


@pytest.fixture(scope="module")
async def people(workers: list[LoneWorker]) -> AsyncIterator[People]:
    """People whom both know."""
    async with open_people(workers[0].settings) as opened:
        yield opened


@pytest.fixture
async def valkey(redis_url: str) -> AsyncIterator[Redis]:
    """The console of whoever looks after Valkey."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


class Desk:
    """An administrator who asks one worker or the other."""

    def __init__(self, http: ClientSession, workers: list[LoneWorker], ada: Person) -> None:
        self._http = http
        self._workers = workers
        self.ada = ada

    async def ask(self, method: str = "GET", path: str = "", worker: int = 0, **params: Any) -> Any:
        """The status and the body."""
        headers = {"Authorization": f"Bearer {self.ada.token}"}
        url = f"{self._workers[worker].url}{API}{path}"
        async with self._http.request(method, url, headers=headers, params=params) as response:
            return response.status, (await response.json(content_type=None)) if response.status < 400 and (
                response.status != 204
            ) else await response.read()

    async def look(self, worker: int = 0, **params: Any) -> Any:
        """The page; it must be a good one."""
        status, page = await self.ask(worker=worker, **params)
        assert status == 200, page
        return page

    async def of(self, person: Person, worker: int = 0) -> list[dict[str, Any]]:
        """Somebody's open sockets."""
        items: list[dict[str, Any]] = (await self.look(worker, user=person.id))["items"]
        return items


@pytest.fixture
async def desk(workers: list[LoneWorker], people: People) -> AsyncIterator[Desk]:
    """A new administrator's."""
    (ada,) = await people.crowd(1, "admin")
    async with ClientSession() as http:
        yield Desk(http, workers, ada)


async def test_the_sockets_of_all_workers_are_seen_over_each_of_them(
    desk: Desk, people: People, workers: list[LoneWorker]
) -> None:
    """Whose they are, where from, since when, in how many rooms, and in which encoding."""
    tina, anna = await people.trainer(), await people.athlete()
    _, device = await people.device(anna)
    before = time.time()
    async with (
        connect(workers[0].url, tina.token, protocols=(MSGPACK,)) as trainer,
        connect(workers[1].url, device, headers={"X-Forwarded-For": "203.0.113.7"}),
    ):
        await trainer.call("room.join", room=f"session:{await people.session(tina, [anna])}")
        for worker in (0, 1):
            (hers,), (its,) = await desk.of(tina, worker), await desk.of(anna, worker)
            assert hers | {"id": "", "opened_at": ""} == {
                "id": "",
                "user": tina.id,
                "role": "trainer",
                "device": False,
                "address": "127.0.0.1",
                "opened_at": "",
                "encoding": "msgpack",
                "rooms": 2,
                "unread_bytes": 0,
            }
            assert (its["device"], its["address"], its["encoding"]) == (True, "203.0.113.7", "json")
            opened = time.mktime(time.strptime(hers["opened_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
            assert before - 3 <= opened <= time.time() + 1
            assert hers["id"].partition("-")[0] != its["id"].partition("-")[0]


async def test_sockets_are_found_by_address_and_by_room(
    desk: Desk, people: People, workers: list[LoneWorker]
) -> None:
    """On both workers; filters go together."""
    tina, anna = await people.trainer(), await people.athlete()
    room = f"session:{await people.session(tina, [anna])}"
    far = {"X-Forwarded-For": "198.51.100.4"}
    async with (
        connect(workers[0].url, tina.token, headers=far) as here,
        connect(workers[1].url, anna.token, headers=far) as there,
        connect(workers[1].url, headers=far),
    ):
        for peer in (here, there):
            await peer.call("room.join", room=room)
        by_room = (await desk.look(room=room))["items"]
        assert {each["user"] for each in by_room} == {tina.id, anna.id}
        by_address = (await desk.look(address="198.51.100.4"))["items"]
        assert {each["user"] for each in by_address} == {tina.id, anna.id, None}
        both = (await desk.look(room=room, user=anna.id, address="198.51.100.4"))["items"]
        assert [each["user"] for each in both] == [anna.id]
        assert (await desk.look(room="session:" + "f" * 24))["items"] == []
        assert (await desk.look(address="198.51.100.5"))["items"] == []


async def test_pages_hold_every_socket_once_newest_first(
    desk: Desk, people: People, workers: list[LoneWorker]
) -> None:
    """Though they are spread over the workers, and others come meanwhile, which may be seen or not.

    A worker's times are up to a second old: what opens on one may stand behind what the other just showed.
    """
    anna = await people.athlete()
    async with AsyncExitStack() as stack:
        for place in range(9):
            await stack.enter_async_context(connect(workers[place % 2].url, anna.token))
        first = {each["id"] for each in await desk.of(anna)}
        found: list[dict[str, Any]] = []
        params = {"user": anna.id, "limit": "2"}
        while True:
            page = await desk.look(len(found) % 2, **params)
            found += page["items"]
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]
            await stack.enter_async_context(connect(workers[0].url, anna.token))
        shown = [each["id"] for each in found]
        assert len(first) == 9
        assert first <= set(shown)
        assert len(set(shown)) == len(shown)
        times = [each["opened_at"] for each in found]
        assert times == sorted(times, reverse=True)
        assert (await desk.look(user=anna.id))["sockets"] >= 13
    assert (await desk.ask(cursor="1-2-3"))[0] == 400
    assert (await desk.ask(limit="101"))[0] == 422


async def test_an_answer_says_whether_it_is_whole(
    desk: Desk, workers: list[LoneWorker], valkey: Redis
) -> None:
    """A worker that hangs is missed after a second; one that died is not asked; a ghost is struck off."""
    page = await desk.look()
    assert (page["workers_asked"], page["workers_answered"]) == (2, 2)
    await valkey.sadd(WORKERS, "f" * 12)
    assert (await desk.look())["workers_asked"] == 2
    assert not await valkey.sismember(WORKERS, "f" * 12)
    hanging = workers[1].worker.pid
    os.kill(hanging, signal.SIGSTOP)
    try:
        began = time.monotonic()
        page = await desk.look()
        assert (page["workers_asked"], page["workers_answered"]) == (2, 1)
        assert time.monotonic() - began < 3
    finally:
        os.kill(hanging, signal.SIGCONT)

    async def whole() -> bool:
        return bool((await desk.look())["workers_answered"] == 2)

    await eventually(whole, "the worker answers again")


async def test_answers_that_nobody_took_do_not_stay(desk: Desk, valkey: Redis) -> None:
    """Every list of answers has an end; those that were taken are gone at once."""
    await asyncio.gather(*(desk.look(place % 2) for place in range(10)))
    for key in [key async for key in valkey.scan_iter("roll:*")]:
        assert 0 < await valkey.ttl(key) <= 10


async def test_a_socket_is_closed_wherever_it_is(
    desk: Desk, people: People, workers: list[LoneWorker]
) -> None:
    """4010: its client may sign in again. It is audited with whose it was; the person's others stay."""
    anna = await people.athlete()
    async with (
        connect(workers[1].url, anna.token, greet=False) as doomed,
        connect(workers[0].url, anna.token) as other,
    ):
        target = (await doomed.expect("hello"))["connection"]
        assert (await desk.ask("DELETE", f"/{target}"))[0] == 204
        assert await doomed.ending() == 4010
        assert await other.call("ping")

        async def gone() -> bool:
            return len(await desk.of(anna)) == 1

        await eventually(gone, "it is on no list any more")
        assert (await desk.ask("DELETE", f"/{target}"))[0] == 404
    entry = await people.contexts.database.audit.find_one({"event": "admin.connection_closed"})
    assert entry is not None
    assert (entry["actor"], entry["target"]) == (desk.ada.id, anna.id)
    assert entry["detail"] == {"connection": target}


@pytest.mark.parametrize("what", ["f" * 24, "f" * 12 + "-1", "x", "f" * 12 + "-" + "9" * 13, "*"])
async def test_a_socket_that_never_was_cannot_be_closed(desk: Desk, what: str) -> None:
    """Of a worker that is not there, or of no form at all: 404 at once."""
    began = time.monotonic()
    assert (await desk.ask("DELETE", f"/{what}"))[0] == 404
    assert time.monotonic() - began < 1


async def test_a_worker_that_hangs_may_still_have_the_socket(
    desk: Desk, people: People, workers: list[LoneWorker]
) -> None:
    """503, not 404: nobody knows; the worker closes it when it goes on."""
    anna = await people.athlete()
    async with connect(workers[1].url, anna.token) as peer:
        (hers,) = await desk.of(anna)
        hanging = workers[1].worker.pid
        os.kill(hanging, signal.SIGSTOP)
        try:
            assert (await desk.ask("DELETE", f"/{hers['id']}"))[0] == 503
        finally:
            os.kill(hanging, signal.SIGCONT)
        assert await peer.ending() == 4010


async def test_looking_is_audited(desk: Desk, people: People) -> None:
    """With the person, where it is about one."""
    anna = await people.athlete()
    await desk.of(anna)
    entry = await people.contexts.database.audit.find_one({"event": "admin.looked", "actor": desk.ada.id})
    assert entry is not None
    assert (entry["target"], entry["detail"]) == (anna.id, {"what": "connections"})


async def test_a_worker_that_has_ended_is_asked_no_more(
    desk: Desk,
    mongo_url: str,
    mongo_database: str,
    redis_url: str,
    valkey: Redis,
    tmp_path: Path,
) -> None:
    """Its sign of life goes with it, and its place on the list: nobody waits for it."""
    before = await valkey.smembers(WORKERS)
    async with lone_workers(1, mongo_url, mongo_database, redis_url, tmp_path):
        page = await desk.look()
        assert (page["workers_asked"], page["workers_answered"]) == (3, 3)
        (third,) = await valkey.smembers(WORKERS) - before
        assert await valkey.exists(worker_key(third))
    assert not await valkey.exists(worker_key(third))
    assert await valkey.smembers(WORKERS) == before
    page = await desk.look()
    assert (page["workers_asked"], page["workers_answered"]) == (2, 2)


async def test_everybody_who_is_connected_hears_a_notice_and_it_is_written_down(
    workers: list[LoneWorker], people: People, desk: Desk
) -> None:
    """On either worker, in either encoding; who has not signed in hears nothing."""
    ann, bob = await people.crowd(2)
    async with (
        connect(workers[0].url, ann.token) as one,
        connect(workers[1].url, bob.token, protocols=(MSGPACK,)) as other,
    ):
        headers = {"Authorization": f"Bearer {desk.ada.token}"}
        url = f"{workers[0].url}/api/v1/admin/notices"
        async with (
            ClientSession() as http,
            http.post(url, headers=headers, json={"text": "We restart at noon."}) as answer,
        ):
            assert answer.status == 202
        for peer in (one, other):
            assert await peer.expect("server.notice") == {"text": "We restart at noon."}
    found = people.contexts.database.audit.find({"event": "admin.notice"})
    assert [each["detail"]["text"] async for each in found] == ["We restart at noon."]
