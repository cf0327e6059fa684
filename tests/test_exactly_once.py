"""Every acknowledged sample is stored exactly once, whatever breaks: the promise that wearables rely on.

Twenty athletes stream through a proxy that cuts their connections at random, in the middle of frames as well,
and sends each new one to one of two workers; both workers are killed on the way. The client that users get
reconnects and resumes. In the end the database is read, document by document.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from fittracker.client import Backoff, Client, HeartStream
from fittracker.client import Sample as Measured
from tests.fault_proxy import FaultProxy
from tests.people import People, open_people
from tests.server import LoneWorker, lone_workers
from tests.stored import Row, faults

ATHLETES = 20
SEED = 20_261_123
MEAN_LIFE = 3_000
BEFORE_A_KILL = 60
T0 = 1_760_000_000_000


@pytest.fixture(scope="module")
async def workers(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[LoneWorker]]:
    """Two of them; a short flush, so that a kill falls between an accepted sample and its storing."""
    logs: Path = tmp_path_factory.mktemp("workers")
    async with lone_workers(2, mongo_url, mongo_database, redis_url, logs, hr_flush_s=0.2) as workers:
        yield workers


@pytest.fixture(scope="module")
async def people(workers: list[LoneWorker]) -> AsyncIterator[People]:
    """People whom both workers know."""
    async with open_people(workers[0].settings) as people:
        yield people


class Athlete:
    """Somebody who runs with a wearable; some speak JSON, some msgpack, half of them in binary frames."""

    def __init__(self, number: int, url: str, token: str) -> None:
        self.number = number
        self.stream = str(uuid4())
        self.sent: list[Row] = []
        self.seen = 0
        self.summed_up: int | None = None
        self._random = Random(f"{SEED}:{number}")
        self.client = Client(
            url,
            token=token,
            msgpack=number % 2 == 1,
            connect_timeout_s=30.0,
            command_timeout_s=5.0,
            backoff=Backoff(first_s=0.05, most_s=0.4, stable_s=0.0, random=self._random),
        )

    async def run(self, finished: asyncio.Event) -> None:
        """Push until told to stop, and then until all of it is acknowledged."""
        async with self.client as client:
            stream = await client.open_stream(stream=self.stream, binary=self.number % 4 >= 2)
            while not finished.is_set():
                await self._push(stream)
                self.seen = stream.acked
                await asyncio.sleep(self._random.uniform(0.01, 0.06))  # hearts do not beat faster
            await stream.flush()
            self.seen = stream.acked
            if self.number % 5 == 0:
                self.summed_up = (await stream.close()).summary.samples

    async def _push(self, stream: HeartStream) -> None:
        batch = []
        for _ in range(self._random.randint(1, 4)):
            seq = len(self.sent) + 1
            measured = Measured(T0 + seq * 1000, self._random.randint(50, 190), [], None)
            self.sent.append((seq, measured.t, measured.bpm))
            batch.append(measured)
        await stream.push(batch)


async def all_reach(athletes: list[Athlete], more: int, running: list[asyncio.Task[None]]) -> None:
    """Wait until everybody has so many samples more acknowledged."""
    goals = {athlete: athlete.seen + more for athlete in athletes}
    async with asyncio.timeout(40):
        while any(athlete.seen < goal for athlete, goal in goals.items()):
            for task in running:
                if task.done():
                    await task  # raises what ended it
            await asyncio.sleep(0.02)


async def killed(worker: LoneWorker) -> None:
    """SIGKILL, and the new worker serves."""
    before = worker.worker.pid
    worker.kill_worker()
    async with asyncio.timeout(30):
        while not [child for child in worker.workers if child.pid != before]:
            await asyncio.sleep(0.02)
    await worker.ready()


async def test_every_acknowledged_sample_is_stored_exactly_once(
    workers: list[LoneWorker], people: People, mongo: MongoClient[dict[str, Any]], mongo_database: str
) -> None:
    """In order, and none is missing; each closed stream is one workout of exactly its samples."""
    crowd = await people.crowd(ATHLETES)
    finished = asyncio.Event()
    async with AsyncExitStack() as stack:
        targets = [("127.0.0.1", worker.port) for worker in workers]
        proxy = await stack.enter_async_context(FaultProxy(*targets, seed=SEED))
        proxy.mean_life = MEAN_LIFE
        athletes = [Athlete(number, proxy.url, person.token) for number, person in enumerate(crowd)]
        running = [asyncio.create_task(athlete.run(finished)) for athlete in athletes]
        stack.push_async_callback(_cancel, running)
        for worker in workers:
            await all_reach(athletes, BEFORE_A_KILL, running)
            await killed(worker)
        await all_reach(athletes, BEFORE_A_KILL, running)
        finished.set()
        async with asyncio.timeout(40):
            await asyncio.gather(*running)
        assert proxy.cuts > 3 * ATHLETES

    database = mongo[mongo_database]
    for athlete in athletes:
        assert faults(database, athlete.stream, athlete.sent) == []
        assert athlete.seen == len(athlete.sent)
        assert athlete.summed_up in (None, len(athlete.sent))
    closed = [athlete.stream for athlete in athletes if athlete.number % 5 == 0]
    assert database.workouts.count_documents({"stream": {"$in": closed}}) == len(closed)
    assert database.workouts.count_documents({}) == len(closed)
    assert [worker.defects() for worker in workers] == [[], []]


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
