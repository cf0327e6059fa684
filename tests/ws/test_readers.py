"""Rooms with a log, on sockets: everybody hears everything once and in order, also after having been away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from fittracker.chat.message import ChatMessage
from fittracker.errors import Unavailable
from fittracker.roomlog.log import Confirmed
from fittracker.roomlog.record import Place, record
from fittracker.roomlog.window import Said, window_key
from tests.house import House
from tests.peer import JSON, MSGPACK, Peer, connect
from tests.people import People, Person
from ws import rooms
from ws.link import pack


@pytest.fixture
async def trainer(people: People) -> Person:
    """Whose session it is."""
    return await people.trainer()


@pytest.fixture
async def room(people: People, trainer: Person) -> str:
    """A session's room, and its log."""
    return f"session:{await people.session(trainer, [])}"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """For breaking things."""
    async with Redis.from_url(redis_url) as client:
        yield client


async def say(house: House, room: str, text: str) -> Confirmed:
    """Somebody says something in the room, on whatever worker."""
    log = house.people.contexts.room_log
    return await log.say(room, "test.cue", {"text": text}, by="a" * 24, client_id=str(uuid4()))


async def hears(peer: Peer, *texts: str) -> None:
    """The peer gets exactly these, in this order."""
    assert [(await peer.expect("test.cue"))["text"] for _ in texts] == list(texts)


async def listen(house: House, redis: Redis, room: str, command: str, listeners: int) -> None:
    """Do something to the server's listening connection behind its back."""
    listener = house.realtime.broker._listener
    assert listener is not None
    listener.send(pack((command.encode(), f"room:{room}".encode())))
    while (await redis.pubsub_numsub(f"room:{room}"))[0][1] != listeners:
        await asyncio.sleep(0.001)


def texts(joined: dict[str, Any]) -> list[str]:
    """What came with an answer."""
    return [each["data"]["text"] for each in joined["events"]]


async def test_who_is_in_the_room_hears_what_is_said_with_its_place(
    house: House, trainer: Person, room: str
) -> None:
    """From the number after the one that the answer names."""
    await say(house, room, "before")
    async with connect(house.url, trainer.token) as peer:
        joined = await peer.call("room.join", room=room)
        assert (joined["seq"], joined["recovered"], joined["events"]) == (1, False, [])
        await say(house, room, "after")
        event = await peer.event("test.cue")
    assert (event["room"], event["seq"], event["epoch"]) == (room, 2, joined["epoch"])
    assert event["data"] == {"text": "after"}


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
async def test_who_comes_back_gets_what_was_missed(
    house: House, trainer: Person, room: str, protocol: str
) -> None:
    """In both encodings, exactly as it would have come, then what follows."""
    options = {"protocols": (protocol,)}
    async with connect(house.url, trainer.token, **options) as peer:
        joined = await peer.call("room.join", room=room)
        await say(house, room, "one")
        live = await peer.event("test.cue")
    for text in ("two", "three"):
        await say(house, room, text)
    async with connect(house.url, trainer.token, **options) as peer:
        since = {"epoch": joined["epoch"], "seq": joined["seq"]}
        again = await peer.call("room.join", room=room, since=since)
        assert (again["recovered"], texts(again)) == (True, ["one", "two", "three"])
        assert again["events"][0] == live
        await say(house, room, "four")
        await hears(peer, "four")


async def test_what_is_recovered_counts_as_much_as_it_costs(
    house: House, trainer: Person, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one socket could ask for hours of a room sixty times in ten seconds."""
    first = await say(house, room, "0")
    for number in range(1, 5):
        await say(house, room, str(number))
    since = {"epoch": first.place.epoch, "seq": first.place.seq}
    monkeypatch.setattr(rooms, "SAMPLES_AN_EVENT", house.realtime.settings.ws_samples // 10)
    async with connect(house.url, trainer.token) as peer:
        for _ in range(2):
            assert texts(await peer.call("room.join", room=room, since=since)) == ["1", "2", "3", "4"]
        refused = await peer.refused("room.join", room=room, since=since)
        assert (refused["code"], refused["retry"]) == ("rate_limited", True)
        assert 0 < refused["retry_after_ms"] <= 10_001
        await say(house, room, "5")
        await hears(peer, "5")  # one was in the room before


async def test_nothing_is_lost_or_doubled_while_somebody_comes_in(
    house: House, trainer: Person, room: str
) -> None:
    """Forty sockets come back one after the other while somebody does not stop talking."""
    first = await say(house, room, "0")
    total = 60

    async def talk() -> None:
        for number in range(1, total + 1):
            await say(house, room, str(number))

    async def come() -> list[str]:
        async with connect(house.url, trainer.token) as peer:
            since = {"epoch": first.place.epoch, "seq": first.place.seq}
            joined = await peer.call("room.join", room=room, since=since)
            assert joined["recovered"]
            heard = texts(joined)
            while len(heard) < total:
                heard.append((await peer.expect("test.cue"))["text"])
            return heard

    async def come_late(number: int) -> list[str]:
        while (await house.people.contexts.room_log.head(room)).seq < number:
            await asyncio.sleep(0.001)
        return await come()

    heard = await asyncio.gather(*(come_late(number) for number in range(40)), talk())
    expected = [str(number) for number in range(1, total + 1)]
    assert all(each == expected for each in heard[:-1])


async def test_what_did_not_arrive_is_fetched(house: House, trainer: Person, room: str, redis: Redis) -> None:
    """A message of Redis gets lost: the next one shows it, and both come in order."""
    async with connect(house.url, trainer.token) as peer:
        await peer.call("room.join", room=room)
        await listen(house, redis, room, "UNSUBSCRIBE", 0)
        await say(house, room, "one")
        await say(house, room, "two")
        await listen(house, redis, room, "SUBSCRIBE", 1)
        await say(house, room, "three")
        await hears(peer, "one", "two", "three")


async def test_what_was_said_while_the_connection_was_cut_is_fetched(
    house: House, trainer: Person, room: str
) -> None:
    """Nothing follows it that would show that it is missing: the worker looks by itself."""
    async with connect(house.url, trainer.token) as peer:
        await peer.call("room.join", room=room)
        listener = house.realtime.broker._listener
        assert listener is not None
        listener.abort()
        await say(house, room, "nobody listened")
        await hears(peer, "nobody listened")


async def test_a_redis_that_forgot_is_told_as_a_gap(
    house: House, trainer: Person, room: str, redis: Redis
) -> None:
    """Who is there hears that the history has to be read again, and goes on from there."""
    async with connect(house.url, trainer.token) as peer:
        joined = await peer.call("room.join", room=room)
        before = await say(house, room, "before")
        await hears(peer, "before")
        await redis.flushall()
        await say(house, room, "after")
        gap = await peer.event("room.gap")
        assert (gap["room"], gap["data"]["recovered"]) == (room, False)
        assert gap["data"]["epoch"] != joined["epoch"]
        await hears(peer, "after")
        since = {"epoch": before.place.epoch, "seq": before.place.seq}
        again = await peer.call("room.join", room=room, since=since)
        assert (again["recovered"], again["events"], again["epoch"]) == (False, [], gap["data"]["epoch"])


async def test_what_can_be_had_nowhere_is_a_gap(
    house: House, trainer: Person, room: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a part of it that looks like the whole."""
    monkeypatch.setattr("ws.readers.PAUSE_S", 0.001)
    async with connect(house.url, trainer.token) as peer:
        await peer.call("room.join", room=room)
        first = await say(house, room, "one")
        await hears(peer, "one")
        readers = house.realtime.readers
        lost = json.dumps({"type": "test.cue", "room": room, "data": {"text": "four"}}).encode()
        readers.hear(room, Place(first.place.epoch, 4), lost)
        gap = await peer.expect("room.gap")
        assert (gap["epoch"], gap["seq"]) == (first.place.epoch, 3)
        await hears(peer, "four")


async def test_an_old_place_is_not_recovered(house: House, trainer: Person, room: str, redis: Redis) -> None:
    """Nor one that was never given."""
    first = await say(house, room, "one")
    await redis.delete(window_key(room))
    async with connect(house.url, trainer.token) as peer:
        for since in ({"epoch": "0" * 16, "seq": 1}, {"epoch": first.place.epoch, "seq": 50}):
            joined = await peer.call("room.join", room=room, since=since)
            assert (joined["recovered"], joined["events"]) == (False, [])
        for wrong in ({"epoch": first.place.epoch, "seq": -1}, {"seq": 1}, 7):
            assert (await peer.refused("room.join", room=room, since=wrong))["code"] == "invalid"


async def test_a_room_that_everybody_left_is_forgotten(house: House, trainer: Person, room: str) -> None:
    """The worker keeps nothing of it."""
    async with connect(house.url, trainer.token) as peer:
        await peer.call("room.join", room=room)
        assert room in house.realtime.readers._rooms
        await peer.call("room.leave", room=room)
        assert room not in house.realtime.readers._rooms


# -- what is heard while something is being asked ----------------------------------------------------------


async def test_what_was_fetched_of_an_epoch_that_ended_meanwhile_is_dropped(
    house: House, trainer: Person, room: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passed on, it would look like a new epoch, and the room would go back to the old one."""
    async with connect(house.url, trainer.token) as peer:
        await peer.call("room.join", room=room)
        await say(house, room, "one")
        await hears(peer, "one")
        await listen(house, redis, room, "UNSUBSCRIBE", 0)
        await say(house, room, "two")
        await listen(house, redis, room, "SUBSCRIBE", 1)
        log = house.realtime.contexts.room_log
        between = log.between

        async def slow(*args: Any) -> Any:
            found = await between(*args)
            await redis.flushall()
            await say(house, room, "anew")
            await peer.event("room.gap")
            return found

        monkeypatch.setattr(log, "between", slow)
        await say(house, room, "three")
        await hears(peer, "anew")
        monkeypatch.undo()
        await say(house, room, "on")
        await hears(peer, "on")
        # What was stored late may make the room begin once more; what was fetched must not come.
        assert [each["data"]["text"] for each in await peer.settle() if each["type"] == "test.cue"] == []


async def test_an_epoch_that_begins_while_the_first_one_comes_in_is_not_missed(
    house: House, trainer: Person, room: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer about the place was older than what was heard since: it is asked for again."""
    await say(house, room, "zero")
    log = house.realtime.contexts.room_log
    head = log.head

    async def slow(name: str) -> Place:
        place = await head(name)
        monkeypatch.undo()
        await redis.flushall()
        await say(house, room, "anew")
        async with asyncio.timeout(10):
            while not house.realtime.readers._rooms[room].epochs:
                await asyncio.sleep(0.001)
        return place

    monkeypatch.setattr(log, "head", slow)
    async with connect(house.url, trainer.token) as peer:
        joined = await peer.call("room.join", room=room)
        now = await head(room)
        assert (joined["epoch"], joined["seq"]) == (now.epoch, now.seq)
        await say(house, room, "on")
        await hears(peer, "on")


async def test_who_comes_in_hears_nothing_before_the_answer(
    house: House, trainer: Person, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is found out who is there, somebody speaks: that is part of the answer."""
    first = await say(house, room, "zero")
    count = house.realtime.presence.count

    async def slow(name: str) -> int:
        await say(house, room, "meanwhile")
        return await count(name)

    monkeypatch.setattr(house.realtime.presence, "count", slow)
    async with connect(house.url, trainer.token) as peer:
        since = {"epoch": first.place.epoch, "seq": first.place.seq}
        joined = await peer.call("room.join", room=room, since=since)
        assert (joined["recovered"], texts(joined)) == (True, ["meanwhile"])
        assert "test.cue" not in [each["type"] for each in peer.backlog]


async def test_a_room_is_looked_at_until_it_can_be(
    house: House, trainer: Person, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is away for longer than anybody has patience, and nothing follows what was missed."""
    monkeypatch.setattr("ws.readers.LONGEST_PAUSE_S", 0.01)
    async with connect(house.url, trainer.token) as peer:
        await peer.call("room.join", room=room)
        log = house.realtime.contexts.room_log
        head, failures = log.head, iter(range(20))

        async def away(name: str) -> Place:
            for _ in failures:
                raise RedisConnectionError("away")
            return await head(name)

        monkeypatch.setattr(log, "head", away)
        listener = house.realtime.broker._listener
        assert listener is not None
        listener.abort()
        await say(house, room, "nobody listened")
        await hears(peer, "nobody listened")
        assert next(failures, None) is None


async def test_a_room_that_was_listened_to_late_is_looked_at(
    house: House, trainer: Person, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis confirms the subscription after the answer; what was said before that is fetched."""
    monkeypatch.setattr("ws.realtime.CONFIRM_S", 0.01)
    broker = house.realtime.broker
    subscribe = broker.subscribe
    confirmed = asyncio.get_running_loop().create_future()

    def late(name: str) -> asyncio.Future[None] | None:
        return confirmed if name == room else subscribe(name)

    monkeypatch.setattr(broker, "subscribe", late)
    async with connect(house.url, trainer.token) as peer:
        await peer.call("room.join", room=room)
        await say(house, room, "early")
        confirmed.set_result(None)
        await hears(peer, "early")


async def test_who_could_not_come_in_hears_nothing(
    house: House, trainer: Person, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is an error: then one is not in the room either, unless one was before."""

    async def refuse(*_: Any) -> Any:
        raise Unavailable("Not now.")

    async with connect(house.url, trainer.token) as peer:
        log = house.realtime.contexts.room_log
        monkeypatch.setattr(log, "head", refuse)
        assert (await peer.refused("room.join", room=room))["code"] == "unavailable"
        assert room not in house.realtime.hub.rooms
        monkeypatch.undo()
        await say(house, room, "unheard")
        assert [each["type"] for each in await peer.settle()] == []
        joined = await peer.call("room.join", room=room)
        monkeypatch.setattr(log, "recover", refuse)
        since = {"epoch": joined["epoch"], "seq": joined["seq"]}
        assert (await peer.refused("room.join", room=room, since=since))["code"] == "unavailable"
        await say(house, room, "heard")
        await hears(peer, "heard")


async def test_what_is_on_its_way_into_mongodb_is_in_the_history(
    house: House, trainer: Person, room: str
) -> None:
    """Who comes in is told a place behind it, and would hear of it from nobody else."""
    log = house.realtime.contexts.room_log
    await log.head(room)
    one = record(
        room, "chat.message", ChatMessage(trainer.id, "Anna", "hi"), by=trainer.id, client_id="1", at_ms=1_000
    )
    await log._window.append([Said(room, one)])
    async with connect(house.url, trainer.token) as peer:
        joined = await peer.call("room.join", room=room)
        assert joined["seq"] == 1
        (message,) = (await peer.call("chat.history", room=room))["messages"]
        assert (message["seq"], message["text"]) == (1, "hi")
