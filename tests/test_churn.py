"""After people have come and gone nothing of them is left: not in the metrics, and not in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bench import churn
from tests.crowds import conversations
from tests.people import People, open_people
from tests.server import LoneWorker, lone_workers

ROUNDS = 10
SOCKETS = 300
MOST_BYTES = 4_000
"""A connection that is not let go of holds some 14 KB; a leak of one of a dozen of its parts would show."""


@pytest.fixture
async def worker(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LoneWorker]:
    """The worker to which they come."""
    logs = tmp_path_factory.mktemp("churn")
    async with lone_workers(1, mongo_url, mongo_database, redis_url, logs) as (worker,):
        yield worker


@pytest.fixture
async def people(worker: LoneWorker) -> AsyncIterator[People]:
    """People whom it knows."""
    async with open_people(worker.settings) as people:
        yield people


@pytest.mark.timeout(240)
async def test_after_ten_rounds_all_gauges_are_zero_and_memory_has_stopped_growing(
    worker: LoneWorker, people: People
) -> None:
    """The first rounds fill caches; in the second half a connection leaves next to nothing behind."""
    ((room, group),) = await conversations(people, 1, 20)
    tokens = [person.token for person in group]
    memory = await churn.rounds(worker.port, worker.worker.pid, tokens, room, count=ROUNDS, sockets=SOCKETS)
    print(f"KB {[round(each) for each in memory]}, {churn.growth_bytes(memory, SOCKETS):.0f} bytes each")
    assert await churn.left(worker.port) == {}
    assert churn.growth_bytes(memory, SOCKETS) < MOST_BYTES
    assert worker.defects() == []


def test_a_leak_would_be_found() -> None:
    """Ten rounds of three hundred that leave 14 KB each; and a cache that was filled in the first half."""
    assert churn.growth_bytes([100_000 + 14 * 300 * number for number in range(1, 11)], 300) > MOST_BYTES
    assert churn.growth_bytes([100_000, 108_000, 110_000, 110_500, 110_500, *[110_600] * 5], 300) < 100
