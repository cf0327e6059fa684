"""The log of a room while MongoDB and Redis are half there: each of these once lost something."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo import WriteConcern
from pymongo.errors import BulkWriteError
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from fittracker.errors import Unavailable
from fittracker.roomlog import scripts
from fittracker.roomlog.log import OVERDUE_MS, Confirmed, RoomLog
from fittracker.roomlog.record import Entry, Place, Record, record
from fittracker.roomlog.window import PENDING_ROOMS, Placed, Said, Window, pending_key, state_key
from tests.fault_proxy import FaultProxy
from tests.fittracker.roomlog.test_log import ANNA, say, stored, texts

Open = Any


@pytest.fixture
async def refusing(redis: Redis) -> AsyncIterator[Redis]:
    """A Redis that takes no writes while `min-replicas-to-write` is 1, as one whose disk is full."""
    yield redis
    await redis.config_set("min-replicas-to-write", 0)


def word(room: str, text: str, client_id: str = "c", at_ms: int = 1_000) -> Record:
    """Something that Anna says."""
    return record(room, "chat.message", {"text": text}, by=ANNA, client_id=client_id, at_ms=at_ms)


async def placed(window: Window, room: str, one: Record) -> Place:
    """It gets its place, by a worker that does no more."""
    (answer,) = await window.append([Said(room, one)])
    assert isinstance(answer, Placed)
    return answer.place


# -- MongoDB ---------------------------------------------------------------------------------------------


async def test_what_a_majority_does_not_have_is_not_stored(log: RoomLog, room: str) -> None:
    """It is written, the other members do not answer: nobody may be told that it is safe."""
    entries = [(room, Entry(Place("e" * 16, 1), word(room, "hi")))]
    sound = log.archive._events
    log.archive._events = sound.with_options(write_concern=WriteConcern(w=2, wtimeout=50))
    with pytest.raises(BulkWriteError):
        await log.archive.store(entries)
    assert await log.archive.seen([entries[0][1].record.id])
    log.archive._events = sound
    assert await log.archive.store(entries) == {}


async def test_a_sender_waits_until_a_majority_has_it(log: RoomLog, room: str) -> None:
    """And then gets the place that it had from the beginning."""
    await log.head(room)
    sound = log.archive._events
    log.archive._events = sound.with_options(write_concern=WriteConcern(w=2, wtimeout=50))
    saying = asyncio.create_task(say(log, room, "hi"))
    while not await log.archive.before(room, "chat.message", None, 1):
        await asyncio.sleep(0.001)
    assert not saying.done()
    log.archive._events = sound
    assert (await saying).place.seq == 1
    assert await stored(log, room) == ["hi"]


async def test_an_event_that_was_told_twice_has_its_first_place(
    log: RoomLog, room: str, redis: Redis, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is slow to store it, Redis forgets, it is sent again, and then the first one lands."""
    await say(log, room, "zero")
    first = word(room, "once")
    place = await placed(window, room, first)
    await redis.flushall()
    renewed = await log.head(room)
    store = log.archive.store

    async def late(entries: Any) -> Any:
        monkeypatch.setattr(log.archive, "store", store)
        await store([(room, Entry(place, first))])
        return await store(entries)

    monkeypatch.setattr(log.archive, "store", late)
    confirmed = await say(log, room, "once", "c")
    assert (confirmed.place, confirmed.at_ms) == (place, 1_000)
    assert await stored(log, room) == ["zero", "once"]
    # Whoever heard the second copy live has to read again: it stands in no history.
    async with asyncio.timeout(10):
        while (await log.head(room)).epoch == renewed.epoch:
            await asyncio.sleep(0.001)
    assert (await log.recover(room, renewed)).entries is None


async def test_a_defect_while_storing_is_survived(
    log: RoomLog, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits is stored by the next attempt."""
    store, failures = log.archive.store, iter((ValueError("a defect"), KeyError("another")))

    async def broken(entries: Any) -> Any:
        for failure in failures:
            raise failure
        return await store(entries)

    monkeypatch.setattr(log.archive, "store", broken)
    assert (await say(log, room, "hi")).place.seq == 1


# -- Redis -----------------------------------------------------------------------------------------------


async def test_a_redis_that_takes_no_writes_is_away(log: RoomLog, room: str, refusing: Redis) -> None:
    """Its disk is full: nothing is said, nothing is a defect, and afterwards all is as before."""
    await say(log, room, "before")
    await refusing.config_set("min-replicas-to-write", 1)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await say(log, room, "refused")
    with pytest.raises(RedisConnectionError):
        await log.head(f"{room}-new")
    await refusing.config_set("min-replicas-to-write", 0)
    assert (await say(log, room, "after")).place.seq == 2
    assert await stored(log, room) == ["before", "after"]


async def test_a_redis_that_is_full_when_it_should_hear_what_is_stored_hears_it_later(
    log: RoomLog, room: str, refusing: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender has its answer all the same; the numbers are owed."""
    await say(log, room, "before")
    store = log.archive.store

    async def then_full(entries: Any) -> Any:
        await refusing.config_set("min-replicas-to-write", 1)
        return await store(entries)

    monkeypatch.setattr(log.archive, "store", then_full)
    assert (await say(log, room, "after")).place.seq == 2
    monkeypatch.setattr(log.archive, "store", store)
    await refusing.config_set("min-replicas-to-write", 0)
    assert await refusing.zcard(pending_key(room)) == 1
    await log.sweep()
    assert await refusing.zcard(pending_key(room)) == 0
    assert (await say(log, room, "and on")).place.seq == 3


async def test_no_server_is_taught_the_life_of_another(redis_url: str) -> None:
    """The connection breaks between the question for its id and the scripts: nothing is loaded."""
    address, _, port = redis_url.rpartition("/")[0].rpartition(":")
    ask, loaded = scripts._ask, []
    async with (
        FaultProxy(("127.0.0.1", int(port))) as proxy,
        Redis.from_url(f"{address}:{proxy.port}/0") as client,
    ):
        runs = scripts.Scripts(client)

        async def cut_after_info(connection: Any, *command: str) -> Any:
            answer = await ask(connection, *command)
            loaded.append(command[0])
            if command[0] == "INFO":
                await proxy.cut()
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scripts, "_ask", cut_after_info)
            with pytest.raises(RedisConnectionError):
                await runs.run([scripts.Run("head", ("nowhere",), ())])
        assert loaded == ["INFO"]
        assert await runs.run([scripts.Run("head", ("nowhere",), ())]) == [[]]


async def test_many_that_are_sent_again_at_once_hold_nobody_up(log: RoomLog, room: str, redis: Redis) -> None:
    """They are looked for together; what somebody else says meanwhile does not wait for them."""
    keys = [str(uuid4()) for _ in range(200)]
    first = await asyncio.gather(*(say(log, room, "x", key) for key in keys))
    asked = 0
    confirmed = log.archive.confirmed

    async def counted(events: Any) -> Any:
        nonlocal asked
        asked += 1
        return await confirmed(events)

    log.archive.confirmed = counted  # type: ignore[method-assign]
    again = await asyncio.gather(*(say(log, room, "x", key) for key in keys))
    assert again == first
    assert asked == 1


# -- workers ---------------------------------------------------------------------------------------------


async def test_the_end_of_a_worker_leaves_nobody_waiting(open_log: Open, room: str, window: Window) -> None:
    """Who has no answer by then is told that the outcome is unknown, also while Redis is being asked."""
    async with open_log() as ending:
        await ending.head(room)
        hang = asyncio.Event()

        async def hangs(many: Any) -> Any:
            hang.set()
            await asyncio.sleep(60)

        ending._window.append = hangs
        saying = asyncio.create_task(say(ending, room, "hi"))
        await hang.wait()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(saying, 1)


async def test_a_flush_waits_for_what_is_on_its_way_to_redis(log: RoomLog, room: str) -> None:
    """Not only for what has its place."""
    await log.head(room)
    saying = asyncio.create_task(say(log, room, "hi"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await log.flush()
    assert (await asyncio.wait_for(saying, 1)).place.seq == 1


async def test_what_a_dead_worker_left_in_an_older_epoch_makes_everybody_read_again(
    log: RoomLog, room: str, redis: Redis, window: Window
) -> None:
    """Valkey came back with its data; the history was read before the sweeper put the rest into it."""
    await say(log, room, "zero")
    left = await placed(window, room, word(room, "left"))
    await redis.hset(state_key(room), "run", "another life")
    renewed = await log.head(room)
    assert await stored(log, room) == ["zero"]
    assert await log.sweep() >= 1
    assert await stored(log, room) == ["zero", "left"]
    assert (await log.head(room)).epoch not in {left.epoch, renewed.epoch}
    assert (await log.recover(room, renewed)).entries is None


async def test_a_sweeper_leaves_alone_what_is_on_its_way(
    log: RoomLog, room: str, redis: Redis, window: Window
) -> None:
    """In a busy room something always waits; only what has waited too long is somebody else's."""
    head = await log.head(room)
    now = log._clock.now_ms()
    await placed(window, room, word(room, "old", "1", now - OVERDUE_MS - 1))
    await placed(window, room, word(room, "young", "2", now))
    assert await log.sweep() == 1
    assert await stored(log, room) == ["old"]
    assert await redis.zscore(PENDING_ROOMS, room) == now
    assert await redis.zrange(pending_key(room), 0, -1) == [b"2"]
    assert (await log.head(room)).epoch == head.epoch
    assert await log.sweep(older_than_ms=-1_000) == 1
    assert await redis.zscore(PENDING_ROOMS, room) is None


async def test_a_room_that_cannot_be_read_keeps_no_other_waiting(
    log: RoomLog, room: str, redis: Redis, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of one is gone; it comes first, and the next one is swept all the same."""
    bad = f"{room}-bad"
    for name, at in ((bad, 500), (room, 600)):
        await log.head(name)
        await placed(window, name, word(name, "left", at_ms=at))
    pending = log._window.pending

    async def broken(name: str) -> Any:
        if name == bad:
            raise ValueError("its key is gone")
        return await pending(name)

    monkeypatch.setattr(log._window, "pending", broken)
    assert await log.sweep() >= 1
    assert await stored(log, room) == ["left"]
    await redis.delete(pending_key(bad))
    await redis.zrem(PENDING_ROOMS, bad)


async def test_what_is_confirmed_again_says_when_it_was_said(log: RoomLog, room: str, redis: Redis) -> None:
    """By the time of the first sending, as the history has it, also after Redis forgot."""
    one = await log.say(room, "chat.message", {"text": "x"}, by=ANNA, client_id="k")
    await redis.flushall()
    await asyncio.sleep(0.005)
    assert await log.say(room, "chat.message", {"text": "x"}, by=ANNA, client_id="k") == one
    assert isinstance(one, Confirmed)
    (entry,) = await log.archive.before(room, "chat.message", None, 1)
    assert (entry.record.at_ms, json.loads(entry.record.data)) == (one.at_ms, {"text": "x"})
    assert texts([entry]) == ["x"]


async def test_many_who_come_first_wait_for_all_scripts(open_log: Open, room: str) -> None:
    """While they are loaded one by one, nobody runs one that is not there yet; they are loaded once."""
    async with open_log() as fresh:
        loads = 0
        load = fresh._window._scripts._load

        async def counted() -> dict[str, str]:
            nonlocal loads
            loads += 1
            return await load()

        fresh._window._scripts._load = counted
        heads = await asyncio.gather(*(fresh._window.heads([f"{room}-{number}"]) for number in range(20)))
        assert [place for each in heads for place in each.values()] == [None] * 20
        assert loads == 1


async def test_a_thousand_rooms_at_once_are_a_few_questions(
    log: RoomLog, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart everybody comes back to a room of their own: Redis is asked for all together."""
    rooms = [f"{room}-{number}" for number in range(1_000)]
    first = await asyncio.gather(*map(log.head, rooms))
    assert {place.seq for place in first} == {0}
    asked = 0
    heads = log._window.heads

    async def counted(some: Any) -> Any:
        nonlocal asked
        asked += 1
        return await heads(some)

    monkeypatch.setattr(log._window, "heads", counted)
    again = await asyncio.gather(*map(log.head, rooms))
    found = await asyncio.gather(
        *(log.recover(name, place) for name, place in zip(rooms, again, strict=True))
    )
    assert again == first
    assert [each.entries for each in found] == [[]] * 1_000
    assert asked <= 4


async def test_what_has_its_place_can_be_waited_for(log: RoomLog, room: str, window: Window) -> None:
    """Who has come in knows how far the room is, reads the history, and must not miss what is on its way."""
    head = await log.head(room)
    place = await placed(window, room, word(room, "on its way"))
    assert await stored(log, room) == []
    await asyncio.gather(*(log.landed(room) for _ in range(100)))
    assert await stored(log, room) == ["on its way"]
    assert await log.head(room) == Place(head.epoch, place.seq)
    await log.landed(room)  # nothing waits


async def test_nobody_waits_for_a_redis_that_is_away(log: RoomLog, room: str, refusing: Redis) -> None:
    """What is stored can be read all the same."""
    await say(log, room, "before")
    await refusing.config_set("min-replicas-to-write", 1)
    await log.landed(room)
    log._window.pending = _away  # type: ignore[method-assign]
    await log.landed(room)


async def _away(_room: str) -> Any:
    raise RedisConnectionError("away")
