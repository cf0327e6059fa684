"""People who move between two workers, and workers that die or are replaced under them.

The two are processes of their own; whoever looks on is on the first, and is told each change once.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession
from redis import Redis

from fittracker.redis import HOLDERS
from tests.handlers.api import eventually
from tests.peer import Peer, connect
from tests.people import People, Person, open_people
from tests.server import LoneWorker, lone_workers
from ws.broker import HEARTBEAT_S

GRACE_S = 1.0
DRAIN_S = 1.0
LOADED_S = 5.0
"""What a busy machine may add to it."""


@pytest.fixture(scope="module")
async def workers(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[LoneWorker]]:
    """Two workers that wait for a second for who lost the connection."""
    logs = tmp_path_factory.mktemp("presence")
    async with lone_workers(
        2, mongo_url, mongo_database, redis_url, logs, presence_grace_s=GRACE_S, drain_s=DRAIN_S
    ) as running:
        yield running


@pytest.fixture(scope="module")
async def people(workers: list[LoneWorker]) -> AsyncIterator[People]:
    """People whom both workers know."""
    async with open_people(workers[0].settings) as people:
        yield people


@pytest.fixture
def valkey(redis_url: str) -> Iterator[Any]:
    """To look at what is kept."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@dataclass
class Onlooker:
    """A trainer on the first worker, in the room of a session and asking about its athletes."""

    peer: Peer
    room: str
    athletes: list[Person]
    stack: AsyncExitStack

    async def comes(self, worker: LoneWorker, *athletes: Person) -> list[Peer]:
        """Athletes open a socket there and enter the room."""
        peers = []
        for each in athletes:
            peer = await self.stack.enter_async_context(connect(worker.url, each.token))
            await peer.call("room.join", room=self.room)
            peers.append(peer)
        return peers

    async def seen(self, *athletes: Person) -> None:
        """The trainer has been told that these came, each once by name and once as being online."""
        for each in athletes:
            await self.peer.expect("presence.joined", user=each.id)
            await self.peer.expect("presence.changed", user=each.id, online=True)

    async def gone(self, *athletes: Person, within_s: float) -> None:
        """The trainer is told that these went, each once either way, and in time."""
        began = time.monotonic()
        for each in athletes:
            await self.peer.expect("presence.left", user=each.id)
            await self.peer.expect("presence.changed", user=each.id, online=False)
        assert time.monotonic() - began < within_s

    async def told(self) -> list[dict[str, Any]]:
        """Whatever else the trainer was told of people coming and going."""
        return [each for each in await self.peer.settle() if each["type"].startswith("presence.")]

    async def online(self) -> set[str]:
        """Who is online, by the answer to a question; in the room the same people are."""
        ids = [each.id for each in self.athletes]
        answer = await self.peer.call("presence.query", users=ids)
        members = (await self.peer.call("room.members", room=self.room))["members"]
        assert {each["user"] for each in members if each["online"]} & set(ids) == set(answer["online"])
        return set(answer["online"])


@asynccontextmanager
async def onlooker(people: People, worker: LoneWorker, count: int) -> AsyncIterator[Onlooker]:
    """So many athletes, none of whom is there yet."""
    trainer, athletes = await people.trainer(), await people.crowd(count)
    room = f"session:{await people.session(trainer, athletes)}"
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(connect(worker.url, trainer.token))
        await peer.call("room.join", room=room)
        looking = Onlooker(peer, room, athletes, stack)
        assert await looking.online() == set()
        yield looking


async def gauge(worker: LoneWorker, name: str) -> float:
    """A figure of its worker."""
    async with ClientSession(worker.url) as http, http.get("/metrics") as answer:
        found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", await answer.text(), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


async def test_who_moves_from_one_worker_to_another_was_never_away(
    people: People, workers: list[LoneWorker]
) -> None:
    """Ten times there and back; who stays away leaves a moment later, once."""
    here, there = workers
    async with onlooker(people, here, 1) as looking:
        (ada,) = looking.athletes
        (peer,) = await looking.comes(there, ada)
        await looking.seen(ada)
        for turn in range(10):
            await peer.close()
            (peer,) = await looking.comes(workers[turn % 2], ada)
        await asyncio.sleep(GRACE_S + 1.5)  # by then whoever was waited for would have been given up
        assert await looking.told() == []
        assert await looking.online() == {ada.id}
        await peer.close()
        await looking.gone(ada, within_s=GRACE_S + 1 + LOADED_S)
        assert await looking.told() == []
        assert await looking.online() == set()
    await eventually(lambda: settled(here), "nobody is waited for any more")


async def settled(worker: LoneWorker) -> bool:
    """Whether nothing of anybody is left on a worker."""
    names = ("fittracker_presence_parting", "fittracker_presence_owed", "fittracker_sockets")
    return [await gauge(worker, name) for name in names] == [0.0, 0.0, 0.0]


async def test_a_killed_worker_s_people_are_gone_within_two_heartbeats_and_told_once(
    people: People, workers: list[LoneWorker], valkey: Any
) -> None:
    """Who was on the other one as well stays; who comes back to its successor has come, once."""
    here, there = workers
    async with onlooker(people, here, 4) as looking:
        both, *lost = looking.athletes
        await looking.comes(there, *looking.athletes)
        await looking.comes(here, both)
        await looking.seen(*looking.athletes)
        there.kill_worker()
        await looking.gone(*lost, within_s=2 * HEARTBEAT_S + LOADED_S)
        assert await looking.online() == {both.id}
        await there.ready()
        await looking.comes(there, lost[0])
        await looking.seen(lost[0])
        assert await looking.told() == []
        # What the dead one had said is gone: two workers live, and two have something to be taken back.
        assert valkey.scard(HOLDERS) == 2
        assert len(valkey.keys("held:*")) == 2


async def test_after_a_deploy_there_are_no_ghosts_and_who_came_back_was_never_away(
    people: People, workers: list[LoneWorker], valkey: Any
) -> None:
    """A worker that is asked to end lets everybody go; some come to the other one, some do not."""
    here, there = workers
    async with onlooker(people, here, 2) as looking:
        ada, ben = looking.athletes
        peers = await looking.comes(there, ada, ben)
        await looking.seen(ada, ben)
        there.drain()
        assert [await peer.ending() for peer in peers] == [1012, 1012]
        await looking.comes(here, ada)
        await looking.gone(ben, within_s=2 * DRAIN_S + GRACE_S + 3 + LOADED_S)
        await there.master.wait()
        assert await looking.online() == {ada.id}
        assert await looking.told() == []
        await eventually(lambda: alone(valkey), "only the living worker has said anything")


async def alone(valkey: Any) -> bool:
    """Whether one worker alone is known to have said anything."""
    return bool(valkey.scard(HOLDERS) == 1)


async def test_nothing_of_this_was_a_defect(workers: list[LoneWorker]) -> None:
    """Nor is anything left of anybody."""
    here, _ = workers
    await eventually(lambda: settled(here), "nothing is left")
    assert [worker.defects() for worker in workers] == [[], []]
