"""Heart rate on its way into MongoDB when something goes wrong: stored once, and nobody is stuck."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import MongoClient
from structlog.testing import capture_logs

from fittracker import heart_series
from fittracker.clock import Clock
from fittracker.control import Control
from fittracker.embedded import Services
from fittracker.ids import new_id
from fittracker.mongo import Database, open_database
from fittracker.redis import open_redis
from fittracker.stream import Sample, Stream
from fittracker.telemetry import Telemetry
from tests.conftest import DATABASE
from tests.fittracker.test_telemetry import T0, Bench, Device, push


@pytest.fixture
async def bench(mongo: MongoClient[dict[str, Any]], mongo_url: str, redis_url: str) -> AsyncIterator[Bench]:
    """A fresh person on the module's database."""
    async with open_database(mongo_url, DATABASE) as database, open_redis(redis_url) as redis:
        yield Bench(database, Control(redis))


def a_worker(database: Database, control: Control, **changes: Any) -> Telemetry:
    """One with limits of its own."""
    limits = {"flush_s": 0.05, "flush_samples": 1_000_000, "buffer_samples": 1_000_000, **changes}
    return Telemetry(database, control, Clock(), worker="c" * 12, **limits)


async def in_flight(stream: Stream) -> None:
    """Wait until a batch of it is on its way."""
    async with asyncio.timeout(10):
        while stream.flying is None:
            await asyncio.sleep(0)


async def until_settled(worker: Telemetry, stream: Stream) -> None:
    """Flush until all of it is stored."""
    async with asyncio.timeout(30):
        while not stream.settled:
            await worker.flush()


async def test_a_device_that_never_pauses_is_acknowledged_all_the_same(bench: Bench) -> None:
    """What landed is told, though more has come while it was in the air."""
    device = Device()
    stream = await bench.open(bench.first, device)
    for round_ in range(5):
        push(bench.first, stream, 2 * round_ + 1)
        flushing = asyncio.create_task(bench.first.flush())
        await in_flight(stream)
        push(bench.first, stream, 2 * round_ + 2)
        assert await flushing
        assert device.acks[-1] == 2 * round_ + 1
        assert await bench.first.flush()
        assert device.acks[-1] == 2 * round_ + 2
    assert await bench.stored() == list(range(1, 11))


async def test_a_flush_that_is_cancelled_leaves_nothing_behind(bench: Bench) -> None:
    """Neither what was in the air nor what came meanwhile: the last flush of a worker finds both."""
    device = Device()
    stream = await bench.open(bench.first, device)
    push(bench.first, stream, 1, 2, 3)
    flushing = asyncio.create_task(bench.first.flush())
    await in_flight(stream)
    push(bench.first, stream, 4)
    flushing.cancel()
    with contextlib.suppress(asyncio.CancelledError):  # which the driver may take for a broken connection
        await flushing
    async with asyncio.timeout(10):
        while device.acks[-1:] != [4]:
            assert await bench.first.flush()
    assert await bench.stored() == [1, 2, 3, 4]


async def test_ending_a_worker_stores_what_it_accepted(bench: Bench) -> None:
    """At whatever moment: also in the middle of a flush."""
    for number in range(10):
        bench.stream = new_id()
        worker = a_worker(bench.database, bench.control, flush_s=0.001)
        async with worker.running():
            stream = await bench.open(worker, Device())
            push(worker, stream, 1, 2)
            await asyncio.sleep(number / 1000)
            push(worker, stream, 3)
        assert await bench.stored() == [1, 2, 3]


async def test_more_than_fits_into_one_document_goes_into_several(bench: Bench) -> None:
    """After an outage much has gathered: MongoDB takes 16 MB at once, and refuses what is more for ever."""
    device = Device()
    worker = a_worker(bench.database, bench.control)
    stream = await bench.open(worker, device)
    beats = [812.5 + place for place in range(64)]
    for seq in range(1, 22_001):
        worker.accept(stream, [Sample(seq, T0 + seq * 1000, seq % 200, beats, True)])
    await until_settled(worker, stream)
    assert device.acks[-1] == 22_000
    batches = await bench.database.heart_batches.find(
        {"user": bench.user}, {"to": 1, "t": 1}, sort=[("_id", 1)]
    ).to_list()
    assert len(batches) > 1
    assert [each["_id"]["n"] for each in batches] == [1, *(each["to"] + 1 for each in batches[:-1])]
    assert [t for each in batches for t in each["t"]] == [T0 + seq * 1000 for seq in range(1, 22_001)]


async def test_many_devices_with_much_to_say_fit_as_well(bench: Bench) -> None:
    """A command has the same limit as a document: what flies together is counted in bytes, not in devices."""
    worker = a_worker(bench.database, bench.control)
    beats = [812.5 + place for place in range(64)]
    streams = []
    for _ in range(12):
        bench.stream = new_id()
        stream = await bench.open(worker, Device())
        streams.append(stream)
        for seq in range(1, 2_001):
            worker.accept(stream, [Sample(seq, T0 + seq, 70, beats, None)])
    assert await worker.flush()
    async with asyncio.timeout(30):
        while not all(stream.settled for stream in streams):
            assert await worker.flush()


async def test_numbers_that_were_skipped_survive_a_batch_that_is_cut_in_two(bench: Bench) -> None:
    """The device counts 2, 4, 6, and so on; half of it flies first."""
    worker = a_worker(bench.database, bench.control)
    stream = await bench.open(worker, Device())
    beats = [812.5] * 64
    numbers = range(2, 44_001, 2)
    for seq in numbers:
        worker.accept(stream, [Sample(seq, T0 + seq, 70, beats, None)])
    await until_settled(worker, stream)
    found = bench.database.heart_batches.find({"user": bench.user}, {"seq": 1}, sort=[("_id", 1)])
    assert [seq for each in await found.to_list() for seq in each["seq"]] == list(numbers)


@pytest.mark.parametrize(("seq", "t"), [(2**70, T0), (1, 2**70)], ids=["no number of BSON", "no day"])
async def test_one_stream_that_cannot_be_stored_holds_up_no_other(bench: Bench, seq: int, t: int) -> None:
    """A defect that put something into it which no database takes; the flush of the worker goes on."""
    worker = a_worker(bench.database, bench.control)
    poisoned = await bench.open(worker, Device())
    worker.accept(poisoned, [Sample(seq, t, 60, None, None)])
    healthy = Device()
    bench.stream = new_id()
    stream = await bench.open(worker, healthy)
    with capture_logs() as logs:
        async with worker.running():
            for number in (1, 2):
                push(worker, stream, number)
                async with asyncio.timeout(10):
                    while healthy.acks[-1:] != [number]:
                        await asyncio.sleep(0.01)
    assert await bench.stored() == [1, 2]
    assert {each["event"] for each in logs} & {"heart_batch_broken", "heart_flush_broken"}


async def test_what_a_dead_mongodb_did_not_confirm_is_stored_once_when_it_is_back(
    bench: Bench, services: Services
) -> None:
    """Killed in the middle of a write: whether it was stored nobody knows, until it is asked."""
    device = Device()
    stream = await bench.open(bench.first, device)
    push(bench.first, stream, 1, 2, 3)
    assert await bench.first.flush()
    push(bench.first, stream, 4, 5)
    flushing = asyncio.create_task(bench.first.flush())
    await in_flight(stream)
    await asyncio.to_thread(services.kill, "mongod")
    await flushing
    push(bench.first, stream, 6)
    await asyncio.to_thread(services.restart_mongo)
    await until_settled(bench.first, stream)
    assert device.acks[-1] == 6
    assert await bench.stored() == [1, 2, 3, 4, 5, 6]


@contextlib.asynccontextmanager
async def a_paused_redis() -> AsyncIterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        yield f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"


async def test_streams_are_opened_while_redis_is_away_or_does_not_answer(bench: Bench) -> None:
    """It only hastens what MongoDB knows anyway: that somebody else has the stream now."""
    async with a_paused_redis() as paused:
        for url in ("redis://127.0.0.1:1/0", paused):
            async with open_redis(url) as redis:
                worker = a_worker(bench.database, Control(redis))
                bench.stream = new_id()
                device = Device()
                async with asyncio.timeout(4):
                    stream = await bench.open(worker, device)
                push(worker, stream, 1, 2)
                assert await worker.flush()
                assert (device.acks, await bench.stored()) == ([2], [1, 2])


async def test_a_stream_that_goes_on_stays_in_its_session(bench: Bench) -> None:
    """Also on another worker, and when the device does not name it again."""
    session = new_id()
    await bench.open(bench.first, Device(), session=session)
    again = await bench.open(bench.second, Device())
    assert again.session == session
    push(bench.second, again, 1)
    await bench.second.flush()
    batch = await bench.database.heart_batches.find_one({"user": bench.user})
    assert batch is not None
    assert batch["session"] == session


async def test_closing_tells_whoever_took_the_stream_meanwhile(bench: Bench) -> None:
    """They would push into nothing, and wait for acknowledgements for ever."""
    closer, newer = Device(), Device()
    stream = await bench.open(bench.first, closer)
    await bench.open(bench.first, newer)
    bench.first.forget(stream, closer)
    assert (closer.losses, newer.losses) == (1, 1)
    own = Device()
    bench.stream = new_id()
    bench.first.forget(await bench.open(bench.first, own), own)
    assert own.losses == 0


async def test_a_worker_that_was_not_told_finds_out_that_its_stream_lives_elsewhere(bench: Bench) -> None:
    """So that the silence on this worker does not end what is going on on another."""
    before = await bench.open(bench.first, Device())
    push(bench.first, before, 1, 2)
    await bench.first.flush()
    assert await bench.first.current(before)
    after = await bench.open(bench.second, Device())
    assert await bench.first.current(before)
    push(bench.second, after, 3)
    await bench.second.flush()
    assert not await bench.first.current(before)
    assert await bench.second.current(after)


async def test_a_recording_too_long_to_sum_up_keeps_no_other_from_becoming_a_workout(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody never takes the strap off; everybody after them in the list has trained all the same."""
    for count in (6, 3, 4):
        bench.stream = new_id()
        stream = await bench.open(bench.first, Device())
        push(bench.first, stream, *range(1, count + 1))
        await bench.first.flush()
    long_ago = {"$set": {"closed_at": Clock().utc().replace(year=2020)}}
    await bench.database.heart_streams.update_many({"user": bench.user}, long_ago)
    monkeypatch.setattr(heart_series, "MOST_SAMPLES", 5)
    made = await bench.workouts.finish_silent()
    assert sorted(each["summary"]["samples"] for each in made if each["user"] == bench.user) == [3, 4]
