"""The log of a room: one order for all, nothing twice, nothing lost that was confirmed."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from fittracker.errors import Unavailable
from fittracker.mongo import Database
from fittracker.roomlog.log import Confirmed, RoomLog
from fittracker.roomlog.record import Entry, Place, record, wire
from fittracker.roomlog.window import Placed, Said, Window, state_key, window_key

ANNA = "a" * 24


async def say(log: RoomLog, room: str, text: str, client_id: str | None = None) -> Confirmed:
    """Anna says something."""
    return await log.say(room, "chat.message", {"text": text}, by=ANNA, client_id=client_id or str(uuid4()))


def texts(entries: list[Entry] | None) -> list[str]:
    """What was said."""
    assert entries is not None
    return [json.loads(each.record.data)["text"] for each in entries]


async def stored(log: RoomLog, room: str) -> list[str]:
    """What MongoDB has of a room, in its order."""
    return texts(await log.archive.before(room, "chat.message", None, 1_000))


async def test_what_is_confirmed_is_stored_in_order(log: RoomLog, room: str) -> None:
    """By number from 1, in one epoch, sealed."""
    confirmed = [await say(log, room, text) for text in ("one", "two", "three")]
    assert [each.place.seq for each in confirmed] == [1, 2, 3]
    assert len({each.place.epoch for each in confirmed}) == 1
    assert await stored(log, room) == ["one", "two", "three"]
    assert await log.head(room) == confirmed[-1].place


async def test_neither_redis_nor_mongodb_can_be_read(
    log: RoomLog, room: str, redis: Redis, database: Database
) -> None:
    """What is said is sealed wherever it rests."""
    await say(log, room, "nobody's business")
    rows = await redis.xrange(window_key(room))
    document = await database.room_events.find_one({"room": room})
    assert b"business" not in repr(rows).encode() + repr(document).encode()


async def test_everybody_hears_it_with_its_place(log: RoomLog, room: str, redis: Redis) -> None:
    """The message on the channel is the whole event, as it will be sent again later."""
    async with redis.pubsub() as listener:
        await listener.subscribe(f"room:{room}")
        await listener.get_message(timeout=5)
        confirmed = await say(log, room, "hi")
        bodies = []
        while not any(body[:1] == b"d" for body in bodies):
            message = await listener.get_message(ignore_subscribe_messages=True, timeout=5)
            bodies.append(message["data"])
    body = bodies[-1]
    place = f"{confirmed.place.epoch} {confirmed.place.seq}".encode()
    assert body[:13] == b"d" + b"0" * 12
    assert body[14 : 14 + body[13]] == place
    event = json.loads(body[14 + body[13] :])
    assert event["type"] == "chat.message"
    assert (event["room"], event["seq"], event["epoch"]) == (room, 1, confirmed.place.epoch)
    assert (event["id"], event["data"]) == (confirmed.id, {"text": "hi"})
    (entry,) = await log.between(room, confirmed.place.epoch, 1, 1) or []
    assert json.loads(wire(room, entry)) == event


async def test_two_workers_and_many_speakers_make_one_order(log: RoomLog, other: RoomLog, room: str) -> None:
    """No number twice, none left out; each speaker's own words stay in their order."""

    async def speak(through: RoomLog, who: str) -> list[int]:
        return [(await say(through, room, f"{who} {n}")).place.seq for n in range(20)]

    numbers = await asyncio.gather(*(speak(each, f"{n}") for n, each in enumerate((log, other) * 4)))
    assert sorted(seq for each in numbers for seq in each) == list(range(1, 161))
    assert all(each == sorted(each) for each in numbers)
    assert len(await stored(log, room)) == 160


async def test_the_same_thing_sent_again_happens_once(log: RoomLog, other: RoomLog, room: str) -> None:
    """One after the other, at once, on another worker: the same event, and its first words."""
    key = str(uuid4())
    many = await asyncio.gather(*(say(each, room, "once", key) for each in (log, other) * 10))
    again = await say(other, room, "something else", key)
    assert {*many} == {again}
    assert await stored(log, room) == ["once"]
    assert (await log.head(room)).seq == 1


async def test_who_was_away_gets_what_they_missed(log: RoomLog, room: str) -> None:
    """All of it or nothing: from another epoch, from the future, from too long ago there is nothing."""
    places = [(await say(log, room, f"{n}")).place for n in range(5)]
    head = places[-1]
    for missed in range(5):
        found = await log.recover(room, places[4 - missed])
        assert found.head == head
        assert texts(found.entries) == [f"{n}" for n in range(5 - missed, 5)]
    for wrong in (Place("0" * 16, 3), Place(head.epoch, 99)):
        assert (await log.recover(room, wrong)).entries is None


async def test_many_who_come_back_at_once_are_one_look(
    log: RoomLog, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand sockets ask for what they missed; the window is read a few times, MongoDB never."""
    places = [(await say(log, room, f"{n}")).place for n in range(10)]
    looks: list[str] = []
    for target, name in ((log._window, "between"), (log.archive, "between")):
        original: Any = getattr(target, name)

        def counted(*args: Any, target: Any = target, original: Any = original) -> Any:
            looks.append(type(target).__name__)
            return original(*args)

        monkeypatch.setattr(target, name, counted)
    found = await asyncio.gather(*(log.recover(room, places[n % 10]) for n in range(2_000)))
    assert all(len(each.entries or []) == 9 - n % 10 for n, each in enumerate(found))
    assert looks == ["Window"]


async def test_what_the_window_has_lost_comes_from_mongodb(log: RoomLog, room: str, redis: Redis) -> None:
    """Nobody notices that it took longer."""
    places = [(await say(log, room, f"{n}")).place for n in range(4)]
    await redis.delete(window_key(room))
    assert texts((await log.recover(room, places[0])).entries) == ["1", "2", "3"]
    assert texts(await log.between(room, places[0].epoch, 2, 3)) == ["1", "2"]


# -- when Redis forgets ----------------------------------------------------------------------------------


async def test_a_redis_that_lost_its_memory_begins_a_new_epoch(log: RoomLog, room: str, redis: Redis) -> None:
    """Behind everything that was ever stored; who comes from before has to read again."""
    before = (await say(log, room, "before")).place
    await redis.flushall()
    after = (await say(log, room, "after")).place
    assert after.epoch != before.epoch
    assert after.seq > before.seq
    assert (await log.recover(room, before)).entries is None
    assert await stored(log, room) == ["before", "after"]


async def test_what_was_sent_before_redis_forgot_is_still_the_same(
    log: RoomLog, other: RoomLog, room: str, redis: Redis
) -> None:
    """A client that never got its answer sends again: MongoDB knows."""
    key = str(uuid4())
    first = await say(log, room, "once", key)
    await redis.flushall()
    for worker in (other, log):
        again = await say(worker, room, "once", key)
        assert (again.id, again.place) == (first.id, first.place)
    assert await stored(log, room) == ["once"]


async def test_what_is_stored_too_late_makes_everybody_read_again(
    log: RoomLog, room: str, redis: Redis, window: Window
) -> None:
    """It got its place, Redis forgot, a new epoch began, and only then it reached MongoDB."""
    await say(log, room, "zero")
    late = Said(room, record(room, "chat.message", {"text": "late"}, by=ANNA, client_id="1", at_ms=1))
    (placed,) = await window.append([late])
    assert isinstance(placed, Placed)
    await redis.flushall()
    renewed = await log.head(room)
    await log.archive.store([(room, Entry(placed.place, late.record))])
    log._sweeper.owe(room, placed.place)
    await log.sweep()
    head = await log.head(room)
    assert head.epoch not in {renewed.epoch, placed.place.epoch}
    assert (await log.recover(room, renewed)).entries is None
    assert await stored(log, room) == ["zero", "late"]


async def test_a_number_that_went_to_another_event_is_given_up_for_a_new_one(
    log: RoomLog, room: str, redis: Redis
) -> None:
    """Two servers gave it out, as happens when one takes over from another that still lives."""
    first = await say(log, room, "first")
    other = record(room, "chat.message", {"text": "from elsewhere"}, by=ANNA, client_id="x", at_ms=5)
    await log.archive.store([(room, Entry(Place("f" * 16, first.place.seq + 1), other))])
    second = await say(log, room, "second")
    assert second.place.seq > first.place.seq + 1
    assert second.place.epoch != first.place.epoch
    assert await stored(log, room) == ["first", "from elsewhere", "second"]


async def test_a_new_life_of_the_server_is_a_new_epoch_even_with_its_data(
    log: RoomLog, room: str, redis: Redis
) -> None:
    """It may have lost the last moments: what it says of itself is not believed."""
    before = (await say(log, room, "before")).place
    await redis.hset(state_key(room), "run", "another life")
    after = (await say(log, room, "after")).place
    assert after.epoch != before.epoch
    assert after.seq > before.seq


async def test_scripts_that_were_forgotten_are_made_again(log: RoomLog, room: str, redis: Redis) -> None:
    """By the same server: the epoch goes on."""
    before = (await say(log, room, "before")).place
    await redis.script_flush()
    after = (await say(log, room, "after")).place
    assert after == Place(before.epoch, before.seq + 1)


# -- when a worker dies ----------------------------------------------------------------------------------


async def test_what_a_dead_worker_left_is_stored_by_another(log: RoomLog, room: str, window: Window) -> None:
    """It was seen by everybody, and nobody had stored it."""
    head = await log.head(room)
    left = [
        Said(room, record(room, "chat.message", {"text": f"{n}"}, by=ANNA, client_id=f"{n}", at_ms=1_000 + n))
        for n in range(3)
    ]
    await window.append(left)
    assert await stored(log, room) == []
    assert await log.sweep() >= 3
    assert await stored(log, room) == ["0", "1", "2"]
    assert await log.sweep() == 0
    assert (await log.head(room)).epoch == head.epoch


async def test_a_client_that_asks_after_its_worker_died_gets_its_answer(
    log: RoomLog, room: str, window: Window
) -> None:
    """The event is stored before it is confirmed, whoever does it."""
    await log.head(room)
    one = record(room, "chat.message", {"text": "hi"}, by=ANNA, client_id="c", at_ms=7)
    (placed,) = await window.append([Said(room, one)])
    confirmed = await say(log, room, "hi", "c")
    assert isinstance(placed, Placed)
    assert (confirmed.place, confirmed.at_ms) == (placed.place, 7)
    assert await stored(log, room) == ["hi"]


async def test_the_end_of_a_worker_stores_what_it_had(open_log: Any, room: str, log: RoomLog) -> None:
    """Nothing that has its place is left to the sweepers."""
    async with open_log() as ending:
        await log.head(room)
        saying = [asyncio.create_task(say(ending, room, f"{n}")) for n in range(50)]
        await asyncio.sleep(0)
    results = await asyncio.gather(*saying, return_exceptions=True)
    confirmed = [each for each in results if isinstance(each, Confirmed)]
    assert all(isinstance(each, Confirmed | Unavailable) for each in results)
    assert len(await stored(log, room)) == len(confirmed)


async def test_a_room_whose_events_cannot_be_stored_refuses_more(
    log: RoomLog, room: str, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a MongoDB that is away would make Redis grow without end."""
    monkeypatch.setattr("fittracker.roomlog.window.MOST_PENDING", 2)
    await log.head(room)
    later = 1_900_000_000_000  # so that no sweeper takes it for overdue
    many = [record(room, "chat.message", {}, by=ANNA, client_id=f"{n}", at_ms=later) for n in range(3)]
    answers = await window.append([Said(room, each) for each in many])
    assert [type(each) for each in answers] == [Placed, Placed, Unavailable]
