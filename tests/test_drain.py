"""SIGTERM with a thousand open sockets: all are told, and nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from tests.crowds import Member, conversations, side_by_side, until
from tests.people import People, open_people
from tests.server import LoneWorker, lone_workers
from tests.stored import read

GROUPS = 20
PEOPLE = 10
DEVICES = 5
"""Sockets of each person: 1,000 in all."""
STRAPS = 150
TALKERS = 100
DRAIN_S = 20.0
WITHIN_S = 25.0
T0 = 1_760_000_000_000


@pytest.fixture
async def worker(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LoneWorker]:
    """It drains as in production."""
    logs = tmp_path_factory.mktemp("drain")
    async with lone_workers(
        1, mongo_url, mongo_database, redis_url, logs, drain_s=DRAIN_S, ws_commands=100_000
    ) as (worker,):
        yield worker


@pytest.fixture
async def people(worker: LoneWorker) -> AsyncIterator[People]:
    """People whom it knows."""
    async with open_people(worker.settings) as people:
        yield people


class Strap:
    """A socket that pushes heart rate until it is closed."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.stream = str(uuid4())
        self.pushed = 0

    async def run(self) -> None:
        """Four samples a second."""
        socket = self.member.socket
        assert socket is not None
        opened = self.member.call("hr.open", {"stream": self.stream})
        await until(lambda: opened in self.member.answers or not socket.open, "the stream is open")
        while socket.open:
            self.pushed += 1
            sample = {"seq": self.pushed, "t": T0 + self.pushed * 250, "bpm": 120}
            socket.send("hr.push", {"stream": self.stream, "samples": [sample]})
            await asyncio.sleep(0.25)

    @property
    def acknowledged(self) -> int:
        """The highest number that was."""
        acks = [each["data"]["seq"] for each in self.member.events if each["type"] == "hr.ack"]
        return max(acks, default=0)


class Talker:
    """A socket that says one thing after the other: until it is told of the end, or to the end itself."""

    def __init__(self, member: Member, *, stops: bool) -> None:
        self.member = member
        self.stops = stops
        self.said: dict[int, str] = {}

    async def run(self) -> None:
        """The next thing when the last one was answered."""
        socket = self.member.socket
        assert socket is not None
        while socket.open and not (self.stops and self.member.draining):
            text = f"{self.member.person.id} {uuid4()}"
            number = self.member.call(
                "chat.send", {"room": self.member.room, "text": text, "client_id": str(uuid4())}
            )
            self.said[number] = text
            while socket.open and number not in self.member.answers:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)

    @property
    def unanswered(self) -> int:
        """How many have no answer."""
        return len(self.said.keys() - self.member.answers.keys())


@pytest.mark.timeout(240)
async def test_a_thousand_sockets_are_let_go_in_time(
    worker: LoneWorker, people: People, mongo: MongoClient[dict[str, Any]], mongo_database: str
) -> None:
    """While they push and talk: each is told when to come back, and closed with 1012; acks were true."""
    groups = await conversations(people, GROUPS, PEOPLE)
    members = [Member(person, room) for room, group in groups for _ in range(DEVICES) for person in group]
    assert len(members) == 1_000
    await side_by_side(member.come(worker.port) for member in members)
    await until(lambda: all(member.joined for member in members), "everybody is in")
    straps = [Strap(member) for member in members[:STRAPS]]
    talkers = [Talker(member, stops=place % 2 == 0) for place, member in enumerate(members[-TALKERS:])]
    living = [asyncio.create_task(each.run()) for each in (*straps, *talkers)]
    await until(lambda: all(each.acknowledged for each in straps), "all straps are heard")
    await until(lambda: all(each.member.answers for each in talkers), "all talkers are heard")

    begun = time.monotonic()
    worker.drain()
    await asyncio.wait_for(worker.master.wait(), WITHIN_S)
    took = time.monotonic() - begun
    codes = [await member.socket.lost for member in members if member.socket]
    await asyncio.gather(*living)

    waits = sorted(member.draining["retry_after_ms"] for member in members if member.draining)
    print(f"drained within {took:.1f} s; come back after {waits[0]} to {waits[-1]} ms")
    assert codes == [1012] * len(members)
    assert len(waits) == len(members)
    assert len(set(waits)) > len(waits) / 2
    assert 500 <= waits[0] < DRAIN_S * 100
    assert DRAIN_S * 900 < waits[-1] <= DRAIN_S * 1_000
    database = mongo[mongo_database]
    for strap in straps:
        rows, faults = read(database, strap.stream)
        assert faults == []
        assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
        assert strap.acknowledged <= len(rows) <= strap.pushed
    for talker in talkers:
        # Who stopped has heard of everything; who did not may not have heard of the last one.
        assert talker.unanswered <= (0 if talker.stops else 1)
        for number, text in talker.said.items():
            answer = talker.member.answers.get(number)
            if answer is not None:
                assert answer["type"] == "result", (text, answer)
                assert database.room_events.count_documents({"_id": answer["data"]["id"]}) == 1
    assert worker.defects() == []
