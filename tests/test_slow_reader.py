"""A reader that stops reading: it slows nobody, costs little, and is closed if it never comes back.

The server is a process of its own, so that its memory can be measured; the reader stops behind a proxy that
takes nothing more from the server and lets the kernel hide next to nothing of that.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from tests.fault_proxy import FaultProxy
from tests.peer import Frame, Peer, connect
from tests.people import People, open_people
from tests.server import LoneWorker, lone_workers
from tests.ws.heart_rate import Strap, samples, strap

ATHLETES = 10
READERS = 3
PUSHES = 50
"""Of each athlete in one round: a hundred kilobytes for each reader."""
WARM_ROUNDS, ROUNDS = 20, 90
GROWTH = 2 * 1024 * 1024
KERNEL = 16_384
ENOUGH_ROUNDS = 8
"""After so many a reader that has stopped is a slow one, kernels and proxy included."""
PING_S = 2.0


Start = Callable[..., AbstractAsyncContextManager[list[LoneWorker]]]


@pytest.fixture(scope="module")
def start(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Start:
    """Starts a worker that lets a test push as fast as it can."""
    place = (mongo_url, mongo_database, redis_url, tmp_path_factory.mktemp("workers"))
    return partial(lone_workers, 1, *place, ws_samples=1_000_000, hr_flush_s=0.05)


@pytest.fixture(scope="module")
async def worker(start: Start) -> AsyncIterator[LoneWorker]:
    """One as in production."""
    async with start() as (worker,):
        yield worker
        assert worker.defects() == []


@pytest.fixture(scope="module")
async def anxious(start: Start) -> AsyncIterator[LoneWorker]:
    """One that asks often whether its peers are still there."""
    async with start(ws_ping_s=PING_S) as (worker,):
        yield worker
        assert worker.defects() == []


@pytest.fixture(scope="module")
async def people(worker: LoneWorker) -> AsyncIterator[People]:
    """People whom it knows."""
    async with open_people(worker.settings) as people:
        yield people


async def closed_with(worker: LoneWorker, code: int) -> int:
    """How many sockets the worker has closed with this code."""
    async with ClientSession() as http, http.get(f"{worker.url}/metrics") as answer:
        for line in (await answer.text()).splitlines():
            if line.startswith(f'fittracker_sockets_closed_total{{code="{code}"}}'):
                return int(float(line.split()[-1]))
    return 0


@dataclass
class Reader:
    """Reads on and on; what it saw of each athlete."""

    peer: Peer
    updates: Counter[str] = field(default_factory=Counter)
    newest: dict[str, int] = field(default_factory=dict)
    alerts: int = 0
    cues: list[str] = field(default_factory=list)

    def see(self, frame: Frame) -> None:
        """Take note of a frame."""
        if frame["type"] == "hr.update":
            user, t = frame["data"]["user"], frame["data"]["t"]
            assert t > self.newest.get(user, 0), "older than what was shown before"
            self.updates[user] += 1
            self.newest[user] = t
        elif frame["type"] == "hr.alert":
            self.alerts += 1
        elif frame["type"] == "session.cue":
            self.cues.append(frame["data"]["kind"])

    async def until(self, count: int) -> None:
        """Read until it has seen so many updates of everybody together."""
        while self.updates.total() < count:
            self.see(await self.peer.next())


@dataclass
class Gym:
    """A live session: athletes who push, readers who read, and one who may stop."""

    straps: list[Strap]
    readers: list[Reader]
    slow: Reader
    users: list[str]
    session: str
    pushed: int = 0

    async def round(self, bpm: int = 120) -> None:
        """Everybody pushes, one sample a push; over when every good reader has seen every single one."""
        for number in range(self.pushed + 1, self.pushed + PUSHES + 1):
            for each in self.straps:
                await each.push(*samples(number, bpm=bpm))
        self.pushed += PUSHES
        async with asyncio.timeout(20):
            for reader in self.readers:
                await reader.until(self.pushed * ATHLETES)

    async def say_stop(self) -> None:
        """The trainer does, on one of the good sockets."""
        cue = {"session": self.session, "kind": "stop", "client_id": str(uuid4())}
        await self.readers[0].peer.call("session.cue", **cue)

    async def acknowledged(self) -> None:
        """Read the acks of every athlete, so that these are no slow readers themselves."""
        for each in self.straps:
            await each.ack(self.pushed)


@asynccontextmanager
async def gym(worker: LoneWorker, people: People, proxy: FaultProxy) -> AsyncIterator[Gym]:
    """Everybody is there; the last to come is behind the proxy."""
    trainer, athletes = await people.trainer(), await people.crowd(ATHLETES)
    session = await people.session(trainer, athletes)
    async with AsyncExitStack() as stack:
        room, straps, readers = f"session:{session}", [], []
        for url in (*[worker.url] * READERS, proxy.url):
            peer = await stack.enter_async_context(connect(url, trainer.token))
            await peer.call("room.join", room=room)
            readers.append(Reader(peer))
        for athlete in athletes:
            peer = await stack.enter_async_context(connect(worker.url, athlete.token))
            straps.append(await strap(peer, session=session))
        yield Gym(straps, readers[:-1], readers[-1], [each.id for each in athletes], session)


@asynccontextmanager
async def reluctant(worker: LoneWorker) -> AsyncIterator[FaultProxy]:
    """A way to the worker whose end can stop reading."""
    async with FaultProxy(("127.0.0.1", worker.port), receive_buffer=KERNEL) as proxy:
        yield proxy


async def resident(worker: LoneWorker) -> int:
    """Bytes of memory that the worker has."""
    return int(worker.worker.memory_info().rss)


async def test_E6_a_reader_that_stops_costs_little_and_slows_nobody(
    worker: LoneWorker, people: People
) -> None:
    """The others see every update; the slow one, when it reads again, the newest of each athlete.

    And all that the trainer said meanwhile: who says stop does not know who reads.
    """
    async with reluctant(worker) as proxy, gym(worker, people, proxy) as stage:
        for _ in range(WARM_ROUNDS):
            await stage.round()
            await stage.slow.until(stage.pushed * ATHLETES)
        await stage.acknowledged()
        before = await resident(worker)
        proxy.stall()
        for number in range(ROUNDS):
            # One round with a heart rate above everybody's limit: alerts are not thinned.
            await stage.round(bpm=195 if number == ROUNDS // 2 else 120)
            await stage.acknowledged()
            if number in (ROUNDS // 2, ROUNDS - 1):
                await stage.say_stop()
        assert await resident(worker) - before < GROWTH
        proxy.flow()
        everybody = {user: stage.readers[0].newest[user] for user in stage.users}
        async with asyncio.timeout(20):
            while stage.slow.newest != everybody or stage.slow.alerts < stage.readers[0].alerts:
                stage.slow.see(await stage.slow.peer.next())
            while len(stage.slow.cues) < 2:
                stage.slow.see(await stage.slow.peer.next())
        missed = stage.pushed * ATHLETES - stage.slow.updates.total()
        assert missed > ROUNDS * PUSHES * ATHLETES / 2
        # Once it keeps up it misses nothing again.
        seen = stage.slow.updates.total()
        await stage.round()
        await stage.slow.until(seen + PUSHES * ATHLETES)


async def test_E6_a_reader_that_never_comes_back_is_closed(anxious: LoneWorker, people: People) -> None:
    """With 4008, which invites it to come again; that it still talks does not help. The others stay."""
    async with reluctant(anxious) as proxy, gym(anxious, people, proxy) as stage:
        before = await closed_with(anxious, 4008)
        proxy.stall(answers_only=True)
        talking = asyncio.create_task(_talk(stage.slow.peer))
        for _ in range(ENOUGH_ROUNDS):
            await stage.round()
        await stage.acknowledged()
        async with asyncio.timeout(4 * PING_S):
            while await closed_with(anxious, 4008) == before:
                await asyncio.gather(*(reader.peer.call("ping") for reader in stage.readers))
                await asyncio.sleep(0.05)
        proxy.flow()
        assert await stage.slow.peer.ending() == 4008
        await talking
        await stage.round()


async def _talk(peer: Peer) -> None:
    """Say something now and then until there is nobody to say it to: who talks is not gone."""
    with suppress(ConnectionError):
        while True:
            await peer.send("ping")
            await asyncio.sleep(PING_S / 4)


async def test_E7_a_peer_that_is_gone_without_a_word_is_noticed_after_two_pings(
    anxious: LoneWorker, people: People
) -> None:
    """A cable was pulled: nothing says so. One that is merely quiet answers pings, and stays."""
    gone, quiet, witness = await people.crowd(3)
    trainer = await people.trainer()
    room = f"session:{await people.session(trainer, [gone, quiet, witness])}"
    async with (
        reluctant(anxious) as proxy,
        connect(proxy.url, gone.token) as lost,
        connect(anxious.url, quiet.token) as silent,
        connect(anxious.url, witness.token) as peer,
    ):
        for each in (lost, silent, peer):
            await each.call("room.join", room=room)
        listening = asyncio.create_task(silent.ending())  # reads, and so answers pings, and says nothing
        proxy.stall()
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(60):
            while await _online(peer, room) != {quiet.id, witness.id}:
                await asyncio.sleep(0.2)
        assert asyncio.get_running_loop().time() - began > PING_S
        proxy.flow()
        assert await lost.ending() == 1006
        assert not listening.done()
        await silent.close()
        await listening


async def _online(peer: Peer, room: str) -> set[str]:
    members = (await peer.call("room.members", room=room))["members"]
    return {each["user"] for each in members if each["online"]}
