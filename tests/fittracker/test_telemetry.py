"""Heart rate on its way into a real MongoDB: acknowledged means stored, once, in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from fittracker.alerts import AlertLimits
from fittracker.clock import Clock
from fittracker.control import Control
from fittracker.errors import Gone, Invalid, NotFound, Unavailable
from fittracker.heart_series import HeartSeries
from fittracker.ids import new_id
from fittracker.mongo import Database, open_database
from fittracker.physiology import Physiology
from fittracker.redis import open_redis
from fittracker.stream import Sample, Stream
from fittracker.telemetry import AHEAD_MS, Telemetry
from fittracker.workouts import Workouts
from tests.conftest import DATABASE

T0 = 1_700_000_000_000
NOBODY = Physiology(zones=None, limits=AlertLimits())


class Device:
    """The owner of a stream, as a socket would be."""

    def __init__(self) -> None:
        self.acks: list[int] = []
        self.losses = 0

    def acknowledge(self, stream: Stream) -> None:
        """Note the ack."""
        self.acks.append(stream.stored)

    def taken(self, stream: Stream) -> None:
        """Note the loss."""
        self.losses += 1


class Bench:
    """Two workers on one database, and a person."""

    def __init__(self, database: Database, control: Control) -> None:
        self.database = database
        self.control = control
        self.user = new_id()
        self.stream = str(uuid4())
        self.first = self._worker(control, "a" * 12)
        self.second = self._worker(control, "b" * 12)
        self.series = HeartSeries(database)
        self.workouts = Workouts(database, Clock(), self.series, idle_s=600)

    def _worker(self, control: Control, name: str, buffer_samples: int = 1_000) -> Telemetry:
        return Telemetry(
            self.database,
            control,
            Clock(),
            worker=name,
            flush_s=60,
            flush_samples=10_000,
            buffer_samples=buffer_samples,
        )

    async def open(self, worker: Telemetry, device: Device, **changes: Any) -> Stream:
        """Open the person's stream there."""
        arguments = {"session": None, "sport": "running", "device": None, "connection": "c1"} | changes
        user = arguments.pop("user", self.user)
        return await worker.open(self.stream, user, NOBODY, owner=device, **arguments)

    async def stored(self) -> list[int]:
        """The heart rates in the database; each test lets them be the sample's number."""
        return (await self.series.of_stream(self.stream)).bpm


def push(worker: Telemetry, stream: Stream, *numbers: int) -> None:
    """Samples whose heart rate is their number."""
    for seq in numbers:
        worker.accept(stream, [Sample(seq, T0 + seq * 1000, seq, None, None)])


@pytest.fixture
async def bench(mongo: MongoClient[dict[str, Any]], mongo_url: str, redis_url: str) -> AsyncIterator[Bench]:
    """A fresh person on the module's database."""
    async with open_database(mongo_url, DATABASE) as database, open_redis(redis_url) as redis:
        yield Bench(database, Control(redis))


async def test_a_sample_is_acknowledged_when_it_is_stored_and_not_before(bench: Bench) -> None:
    """Accepting is not yet a promise; the flush makes it one."""
    device = Device()
    stream = await bench.open(bench.first, device)
    push(bench.first, stream, 1, 2, 3)
    assert (device.acks, await bench.stored()) == ([], [])
    assert await bench.first.flush()
    assert (device.acks, await bench.stored()) == ([3], [1, 2, 3])


async def test_a_repeated_sample_is_acknowledged_again_and_stored_once(bench: Bench) -> None:
    """The ack may have been lost with the connection."""
    device = Device()
    stream = await bench.open(bench.first, device)
    push(bench.first, stream, 1, 2)
    await bench.first.flush()
    assert bench.first.accept(stream, [Sample(2, T0, 2, None, None)]) is None
    bench.first.repeat_ack(stream)
    await bench.first.flush()
    assert (device.acks, await bench.stored()) == ([2, 2], [1, 2])


async def test_a_device_that_comes_back_is_told_how_far_it_is_stored(bench: Bench) -> None:
    """Also by a worker that never saw it before."""
    stream = await bench.open(bench.first, Device())
    push(bench.first, stream, 1, 2, 3)
    await bench.first.flush()
    again = await bench.open(bench.second, Device())
    assert again.stored == 3


async def test_the_newest_connection_owns_a_stream_and_the_older_one_is_told(bench: Bench) -> None:
    """On the same worker at once; on another one through the control channel."""
    old, new = Device(), Device()
    stream = await bench.open(bench.first, old)
    assert await bench.open(bench.first, new) is stream
    assert (old.losses, new.losses) == (1, 0)
    bench.first.let_go(stream.id)
    assert new.losses == 1


async def test_two_workers_that_both_hold_samples_store_each_of_them_once(bench: Bench) -> None:
    """The old worker's buffer and the device's repetition overlap: the chain of batches decides."""
    old, new = Device(), Device()
    before = await bench.open(bench.first, old)
    push(bench.first, before, *range(1, 11))
    await bench.first.flush()
    push(bench.first, before, *range(11, 16))  # accepted, not yet stored
    after = await bench.open(bench.second, new)
    assert after.stored == 10
    push(bench.second, after, *range(11, 21))  # the device repeats what was not acknowledged
    bench.first.let_go(before.id)
    assert await bench.first.flush()  # 11..15 by the old worker
    assert await bench.second.flush()  # meets the duplicate, trims
    while not after.settled:
        await bench.second.flush()
    assert await bench.stored() == list(range(1, 21))
    assert (old.acks, new.acks[-1]) == ([10], 20)


async def test_the_slower_of_two_workers_gives_up_what_the_other_stored(bench: Bench) -> None:
    """The new owner was quicker: what the old one still holds is all there already."""
    before = await bench.open(bench.first, Device())
    push(bench.first, before, *range(1, 6))
    after = await bench.open(bench.second, Device())
    push(bench.second, after, *range(1, 9))
    bench.first.let_go(before.id)
    await bench.second.flush()
    await bench.first.flush()
    assert before.settled
    assert await bench.stored() == list(range(1, 9))


async def test_somebody_elses_stream_looks_as_if_it_did_not_exist(bench: Bench) -> None:
    """The id of a stream is no key to it."""
    await bench.open(bench.first, Device())
    with pytest.raises(NotFound):
        await bench.open(bench.second, Device(), user=new_id())
    with pytest.raises(NotFound):
        await bench.open(bench.first, Device(), user=new_id())


async def test_a_closed_stream_becomes_one_workout_however_often_it_is_closed(bench: Bench) -> None:
    """And cannot be opened again."""
    stream = await bench.open(bench.first, Device())
    push(bench.first, stream, 100, 120, 140)
    await bench.first.store(stream)
    once = await bench.workouts.finish(stream.id, bench.user)
    twice = await bench.workouts.finish(stream.id, bench.user)
    assert once is not None
    assert twice is not None
    assert once["_id"] == twice["_id"]
    assert (once["summary"]["samples"], once["summary"]["avg_bpm"]) == (3, 120.0)
    assert await bench.database.workouts.count_documents({"user": bench.user}) == 1
    with pytest.raises(Gone):
        await bench.open(bench.second, Device())


async def test_a_stream_without_samples_makes_no_workout(bench: Bench) -> None:
    """A strap that was put on and taken off."""
    stream = await bench.open(bench.first, Device())
    assert await bench.workouts.finish(stream.id, bench.user) is None
    assert await bench.workouts.finish(stream.id, bench.user) is None
    assert await bench.database.workouts.count_documents({"user": bench.user}) == 0


async def test_a_stream_whose_worker_died_becomes_a_workout_after_the_silence(bench: Bench) -> None:
    """Nobody says that it is alive any more, so whoever sweeps next ends it."""
    stream = await bench.open(bench.first, Device())
    push(bench.first, stream, 90, 91)
    await bench.first.flush()
    assert await bench.workouts.finish_silent() == []
    long_ago = {"$currentDate": {}, "$set": {"seen_at": Clock().utc().replace(year=2020)}}
    await bench.database.heart_streams.update_one({"_id": stream.id}, {"$set": long_ago["$set"]})
    assert await bench.workouts.finish_silent() == []  # closed now; a living closer gets a minute
    closed = {"$set": {"closed_at": Clock().utc().replace(year=2020)}}
    await bench.database.heart_streams.update_one({"_id": stream.id}, closed)
    (made,) = await bench.workouts.finish_silent()
    assert (made["user"], made["summary"]["samples"]) == (bench.user, 2)


async def test_saying_that_a_stream_is_seen_keeps_the_sweeper_away(bench: Bench) -> None:
    """A device may be silent for a while and still be connected."""
    stream = await bench.open(bench.first, Device())
    old = {"$set": {"seen_at": Clock().utc().replace(year=2020)}}
    await bench.database.heart_streams.update_one({"_id": stream.id}, old)
    await bench.first.say_seen()
    await bench.workouts.finish_silent()
    found = await bench.database.heart_streams.find_one({"_id": stream.id})
    assert found is not None
    assert found["closed_at"] is None


async def test_a_full_buffer_refuses_more_instead_of_promising_on_memory(bench: Bench) -> None:
    """The device keeps what was not accepted, and is told when to try again."""
    stream = await bench.open(bench.first, Device())
    push(bench.first, stream, *range(1, 1_001))
    with pytest.raises(Unavailable) as refused:
        bench.first.check_room()
    assert refused.value.retry_after_ms
    await bench.first.flush()
    bench.first.check_room()


async def test_times_that_only_a_wrong_clock_says_are_refused(bench: Bench) -> None:
    """1970, and the year after next."""
    good = Sample(1, T0, 60)
    bench.first.check([good])
    for t in (0, 12_345, Clock().now_ms() + AHEAD_MS + 60_000):
        with pytest.raises(Invalid):
            bench.first.check([good, Sample(2, t, 60)])
