"""A contest at two workers in processes of their own, one of which is killed while people report."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiohttp import ClientError
from redis.asyncio import Redis

from tests.peer import Ended, Peer, Refused, connect
from tests.people import People, Person, open_people
from tests.server import LoneWorker, lone_workers

REPORTS = 15


@pytest.fixture
async def workers(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[LoneWorker]]:
    """Two workers."""
    logs = tmp_path_factory.mktemp("contest")
    changes = {"ws_commands": 10_000}
    async with lone_workers(2, mongo_url, mongo_database, redis_url, logs, **changes) as running:
        yield running


@pytest.fixture
async def people(workers: list[LoneWorker]) -> AsyncIterator[People]:
    """People whom both know."""
    async with open_people(workers[0].settings) as people:
        yield people


async def report_all(workers: list[LoneWorker], person: Person, challenge: str, first: int) -> float:
    """Report 15 times, each until it is confirmed, at whichever worker answers; the last total."""
    turn, total = first, 0.0
    waiting = [str(uuid4()) for _ in range(REPORTS)]
    while waiting:
        with contextlib.suppress(Ended, ClientError, ConnectionError, TimeoutError):
            async with connect(workers[turn % 2].url, person.token) as peer:
                while waiting:
                    total = await _report(peer, challenge, waiting[0])
                    waiting.pop(0)
        turn += 1
        await asyncio.sleep(0.05)
    return total


async def _report(peer: Peer, challenge: str, client_id: str) -> float:
    while True:
        try:
            answer = await peer.call(
                "challenge.progress", challenge=challenge, value=1.5, client_id=client_id
            )
            return float(answer["total"])
        except Refused as refusal:
            if refusal.code != "unavailable":
                raise
            await asyncio.sleep(0.05)


async def test_what_is_reported_counts_once_though_a_worker_is_killed_and_valkey_forgets(
    workers: list[LoneWorker], people: People, redis_url: str
) -> None:
    """Eight people, each sending again what was not confirmed; both boards show what MongoDB has."""
    runners = await people.crowd(8)
    challenge = await people.challenge(*runners)
    reporting = [
        asyncio.create_task(report_all(workers, each, challenge, place)) for place, each in enumerate(runners)
    ]
    entries = people.contexts.database.challenge_progress
    async with asyncio.timeout(80), Redis.from_url(redis_url) as valkey:
        while await entries.count_documents({"challenge": challenge}) < 20:
            await asyncio.sleep(0.01)
        workers[1].kill_worker()
        await valkey.flushall()
        totals = await asyncio.gather(*reporting)
    assert set(totals) == {REPORTS * 1.5}
    assert await entries.count_documents({"challenge": challenge}) == 8 * REPORTS
    boards = []
    for worker, person in zip(workers, runners, strict=False):
        await worker.ready()
        async with connect(worker.url, person.token) as peer:
            shown = await peer.call("challenge.board", challenge=challenge, limit=20)
            boards.append([(each["user"], each["value"]) for each in shown["items"]])
    assert boards[0] == boards[1]
    assert {value for _, value in boards[0]} == {REPORTS * 1.5}
    assert len(boards[0]) == 8
