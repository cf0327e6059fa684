"""Durable rooms under faults: 500 messages a second, while everything breaks that can.

For half a minute, which is as long as the breaking takes; `make soak` goes on for a whole one.

Two workers, three mongod in a replica set, a Valkey. People talk in five rooms; some are cut off again and
again, in the middle of frames as well, and come back. Both workers are killed, Valkey is started again with
its data and without, the primary steps down, a secondary is killed, the ways to Valkey and to the workers are
cut and stall. In the end all that everybody wrote down is held against what is stored.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pymongo import MongoClient

from fittracker.embedded import Services
from fittracker.embedded.server import LOOPBACK
from fittracker.roomlog.record import record
from fittracker.roomlog.window import PENDING_ROOMS
from tests.conftest import DATABASE
from tests.fault_proxy import FaultProxy
from tests.history import Room, Said, faults
from tests.people import People, Person, open_people
from tests.replica_set import ReplicaSet, replica_set
from tests.server import LoneWorker, lone_workers
from tests.talkers import Talker
from tests.test_exactly_once import killed

SEED = 20_261_127
ROOMS = 5
IN_A_ROOM = 5
RATE = 500.0
SECONDS = float(os.environ.get("SOAK_SECONDS", "30"))
MORE = int(SECONDS * RATE / 20)
"""So many messages between two faults: half of what there is to say, for repairs take their time."""
MEAN_LIFE = 100_000
"""Bytes after which a connection through the proxy breaks: every few seconds."""
STEP_S = 0.02


@dataclass
class Stage:
    """All that can be broken."""

    members: ReplicaSet
    services: Services
    workers: list[LoneWorker]
    to_workers: FaultProxy
    to_valkey: FaultProxy
    people: People
    talkers: list[Talker] = field(default_factory=list)
    rooms: list[Room] = field(default_factory=list)

    @property
    def acknowledged(self) -> int:
        """How many messages have their answer."""
        return sum(len(room.acknowledged) for room in self.rooms)

    async def go_on(self, more: int) -> None:
        """Wait until so many more have been acknowledged: it works again."""
        goal = self.acknowledged + more
        await until(lambda: self.acknowledged >= goal, f"{more} more messages are acknowledged")


async def until(true: Callable[[], Any], what: str, seconds: float = 180.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(STEP_S)


@pytest.fixture(scope="module")
def members(nothing_left_running: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    """Three mongod."""
    with replica_set(tmp_path_factory.mktemp("three")) as members:
        yield members


@pytest.fixture(scope="module")
def valkey(members: ReplicaSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A Valkey of our own."""
    with Services.start(tmp_path_factory.mktemp("valkey"), mongo_url=members.url) as services:
        yield services


@pytest.fixture(scope="module")
async def stage(
    members: ReplicaSet, valkey: Services, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """Two workers, and the ways to them and from them to Valkey."""
    logs: Path = tmp_path_factory.mktemp("workers")
    address, _, port = valkey.redis_url.rpartition("/")[0].rpartition(":")
    async with AsyncExitStack() as stack:
        to_valkey = await stack.enter_async_context(FaultProxy((LOOPBACK, int(port))))
        redis_url = f"{address}:{to_valkey.port}/0"
        workers = await stack.enter_async_context(
            lone_workers(2, members.url, DATABASE, redis_url, logs, ws_commands=100_000)
        )
        targets = [(LOOPBACK, worker.port) for worker in workers]
        to_workers = await stack.enter_async_context(FaultProxy(*targets, seed=SEED))
        to_workers.mean_life = MEAN_LIFE
        people = await stack.enter_async_context(open_people(workers[0].settings))
        yield Stage(members, valkey, workers, to_workers, to_valkey, people)


async def _fill(stage: Stage) -> None:
    """People in rooms: three of five come through the proxy that cuts, the others straight to a worker."""
    crowd = await stage.people.crowd(ROOMS * IN_A_ROOM)
    for number in range(ROOMS):
        members = crowd[number * IN_A_ROOM : (number + 1) * IN_A_ROOM]
        others = [each.id for each in members[1:]]
        made = await stage.people.contexts.conversations.begin(members[0].id, "group", others, "Faults")
        room = Room(f"chat:{made['_id']}")
        stage.rooms.append(room)
        for place, person in enumerate(members):
            stage.talkers.append(_talker(stage, room, f"{number}.{place}", person, place))


def _talker(stage: Stage, room: Room, name: str, person: Person, place: int) -> Talker:
    straight = stage.workers[place % 2].port
    port = stage.to_workers.port if place < 3 else straight
    return Talker(name, person, room, lambda: port, Random(f"{SEED}:{name}"), since=place != 0)


async def _talk(stage: Stage, begun: float) -> None:
    """Everybody says what is due, 500 messages a second in all."""
    each = RATE / len(stage.talkers)
    while True:
        due = int(min(time.monotonic() - begun, SECONDS) * each)
        for talker in stage.talkers:
            talker.step(due)
        await asyncio.sleep(STEP_S)


async def _break_everything(stage: Stage) -> None:
    """One after the other; after each it has to work again."""
    await stage.go_on(MORE)
    await stage.to_workers.cut()
    await killed(stage.workers[0])
    await stage.go_on(MORE)
    await asyncio.to_thread(stage.services.restart_redis, keep_data=True)
    await stage.go_on(MORE)
    await asyncio.to_thread(stage.members.step_down)
    await stage.go_on(MORE)
    await asyncio.to_thread(stage.services.restart_redis, keep_data=False)
    await stage.go_on(MORE)
    stage.to_workers.stall()
    await stage.to_valkey.cut()
    await stage.go_on(MORE // 3)
    stage.to_workers.flow()
    stage.to_valkey.stall()
    await asyncio.sleep(2.0)  # how long it stalls, no wait for anything
    stage.to_valkey.flow()
    await stage.go_on(MORE)
    victim = (await asyncio.to_thread(stage.members.secondaries))[0]
    await asyncio.to_thread(stage.members.kill, victim)
    await stage.go_on(MORE)
    await killed(stage.workers[1])
    await stage.go_on(MORE)
    await asyncio.to_thread(stage.members.start, victim)
    # And once more while MongoDB has no primary: what Valkey forgets now, only the workers know.
    stepping = asyncio.create_task(asyncio.to_thread(stage.members.step_down))
    await asyncio.to_thread(stage.services.restart_redis, keep_data=False)
    await stepping
    await stage.go_on(MORE)


async def _settled(stage: Stage) -> None:
    """Everything has its answer, Redis waits for nothing, and everybody is where their room is."""
    log = stage.people.contexts.room_log
    redis = stage.people.contexts.redis
    await until(lambda: all(talker.settled for talker in stage.talkers), "everything has its answer")
    async with asyncio.timeout(60):
        while await redis.zcard(PENDING_ROOMS):
            await asyncio.sleep(STEP_S)
    for room in stage.rooms:
        inside = [talker for talker in stage.talkers if talker.room is room]
        async with asyncio.timeout(60):
            while True:
                head = await log.head(room.name)
                if all(each.settled and each.at == (head.epoch, head.seq) for each in inside):
                    break
                await asyncio.sleep(STEP_S)


async def _look_up(stage: Stage, keys: dict[str, dict[str, str]]) -> None:
    """What is stored, as the documents lie in MongoDB; what the history tells, page by page."""
    with MongoClient[dict[str, Any]](stage.members.url, readConcernLevel="majority") as client:
        for room in stage.rooms:
            found = client[DATABASE].room_events.find({"room": room.name}, sort=[("seq", 1)])
            named = keys[room.name]
            room.stored = [
                Said(named.get(each["_id"], each["_id"]), each["epoch"], each["seq"]) for each in found
            ]
    for room in stage.rooms:
        reader = next(talker for talker in stage.talkers if talker.room is room)
        before: int | None = None
        more = True
        while more:
            page = await stage.people.contexts.chat.history(
                reader.person.id, room.name, before=before, limit=100
            )
            more, before = page.more, page.messages[0].seq
            room.told[:0] = [Said(str(each.text), each.epoch, each.seq) for each in page.messages]


def _ids(stage: Stage) -> dict[str, dict[str, str]]:
    """By room and id of the event, what its sender called it."""
    return {
        room.name: {
            record(room.name, "", None, by=talker.person.id, client_id=client, at_ms=0).id: key
            for talker in stage.talkers
            if talker.room is room
            for key, client in talker.clients.items()
        }
        for room in stage.rooms
    }


@pytest.mark.timeout(600)
# PyMongo, when a member is killed while it connects, drops a socket.
@pytest.mark.filterwarnings("ignore:.*unclosed <socket.socket:pytest.PytestUnraisableExceptionWarning")
async def test_nothing_acknowledged_is_lost_doubled_or_swapped(stage: Stage) -> None:
    """Whatever breaks; and whoever missed something was told so."""
    await _fill(stage)
    async with AsyncExitStack() as stack:
        living = [asyncio.create_task(talker.live()) for talker in stage.talkers]
        begun = time.monotonic()
        living.append(asyncio.create_task(_talk(stage, begun)))
        stack.push_async_callback(_cancel, living)
        await _break_everything(stage)
        broken_s = time.monotonic() - begun
        total = int(SECONDS * RATE / len(stage.talkers)) * len(stage.talkers)
        await until(lambda: sum(talker.said for talker in stage.talkers) == total, "all is said")
        stage.to_workers.mean_life = None
        await _settled(stage)
        settled_s = time.monotonic() - begun
        await _look_up(stage, _ids(stage))
    refusals: Counter[str] = sum((talker.refusals for talker in stage.talkers), Counter())
    print(
        f"{stage.acknowledged} acknowledged, faults {broken_s:.1f} s, settled {settled_s:.1f} s;",
        f"comings {sum(each.comings for each in stage.talkers)},",
        f"recovered {sum(each.recoveries for each in stage.talkers)},",
        f"pages {sum(each.pages for each in stage.talkers)};",
        f"refusals {dict(refusals)}, cuts {stage.to_workers.cuts} {stage.to_valkey.cuts}",
    )
    assert [fault for room in stage.rooms for fault in faults(room)] == []
    assert [surprise for talker in stage.talkers for surprise in talker.surprises] == []
    assert [worker.defects() for worker in stage.workers] == [[], []]
    assert stage.acknowledged == total
    assert sum(talker.recoveries for talker in stage.talkers) > ROOMS


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
