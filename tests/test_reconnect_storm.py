"""Two thousand sockets come back after their worker was killed, all with `since`."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.crowds import Member, conversations, side_by_side, until
from tests.people import People, open_people
from tests.server import LoneWorker, lone_workers
from tests.test_exactly_once import killed

ROOMS = 20
PEOPLE = 10
DEVICES = 10
"""Sockets of each person: 2,000 in all."""
MISSED = 5
WITHIN_S = 30.0
SPREAD_S = 3.0
"""Clients come back after a random part of this."""


@pytest.fixture
async def worker(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LoneWorker]:
    """The worker of all of them."""
    logs = tmp_path_factory.mktemp("storm")
    async with lone_workers(1, mongo_url, mongo_database, redis_url, logs) as (worker,):
        yield worker


@pytest.fixture
async def people(worker: LoneWorker) -> AsyncIterator[People]:
    """People whom it knows."""
    async with open_people(worker.settings) as people:
        yield people


@contextmanager
def profiled(database: Database[dict[str, Any]]) -> Iterator[Counter[str]]:
    """MongoDB notes each operation; afterwards, how many reads there were of each collection."""
    reads: Counter[str] = Counter()
    database.command("profile", 2)
    try:
        yield reads
    finally:
        database.command("profile", 0)
        found = database["system.profile"].find({"op": {"$in": ["query", "getmore", "command"]}})
        for each in found:
            if each["op"] != "command" or "aggregate" in each["command"]:
                reads[each["ns"].partition(".")[2]] += 1
        database["system.profile"].drop()


async def _say(people: People, groups: list[tuple[str, Any]], *texts: str) -> None:
    """In each room the first one says these, through another worker."""
    for room, (speaker, *_) in groups:
        for text in texts:
            await people.contexts.chat.send(speaker.id, speaker.name, room, text, client_id=str(uuid4()))


@pytest.mark.timeout(240)
async def test_two_thousand_sockets_come_back_within_half_a_minute(
    worker: LoneWorker, people: People, mongo: MongoClient[dict[str, Any]], mongo_database: str
) -> None:
    """Everybody gets what they missed, out of Redis: MongoDB is not asked once a room for it."""
    groups = await conversations(people, ROOMS, PEOPLE)
    members = [Member(person, room) for room, group in groups for person in group for _ in range(DEVICES)]
    await side_by_side(member.come(worker.port) for member in members)
    await until(lambda: all(member.joined for member in members), "everybody is in")
    await _say(people, groups, "before")
    await until(lambda: all(member.texts == ["before"] for member in members), "everybody heard it")

    await killed(worker)
    await until(lambda: not any(member.socket and member.socket.open for member in members), "all are cut")
    missed = [f"missed {number}" for number in range(MISSED)]
    await _say(people, groups, *missed)
    random = Random(20_261_127)
    delays = [random.uniform(0, SPREAD_S) for _ in members]

    async def come_back(member: Member, delay: float) -> None:
        await asyncio.sleep(delay)
        await member.come(worker.port)

    database = mongo[mongo_database]
    with profiled(database) as reads:
        begun = time.monotonic()
        async with asyncio.timeout(WITHIN_S):
            await side_by_side(map(come_back, members, delays), len(members))
            while not all(member.joined for member in members):
                assert [member.refusal for member in members if member.refusal] == []
                await asyncio.sleep(0.02)
        took = time.monotonic() - begun
    print(f"{len(members)} came back within {took:.1f} s; reads of MongoDB: {dict(reads)}")
    assert all(member.joined and member.joined["recovered"] for member in members)
    assert all(member.texts == ["before", *missed] for member in members)
    assert reads["room_events"] <= ROOMS

    await _say(people, groups, "after")
    await until(lambda: all(member.texts[-1] == "after" for member in members), "it goes on")
    for member in members:
        assert member.socket is not None
        member.socket.abort()
    assert worker.defects() == []
    await asyncio.gather(*(member.socket.lost for member in members if member.socket))
