"""Joining and leaving rooms, who may, and who is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis

import ws.broker
from fittracker.coaching.sessions import MOST_CAPACITY
from tests.house import House
from tests.peer import MSGPACK, Peer, connect
from tests.people import People, Person
from tests.ws.heart_rate import T0, samples, strap
from tests.ws.test_broker import kill
from ws.link import Link, LinkLost
from ws.rooms import MOST_MEMBERS


def names(answer: dict[str, Any]) -> list[tuple[str, bool]]:
    """Who, and whether they are online."""
    return [(each["user"], each["online"]) for each in answer["members"]]


async def settled(peer: Peer, room: str, expected: set[str]) -> None:
    """Wait until exactly these are online; what others do takes a moment to be known."""
    async with asyncio.timeout(10):
        while {
            who for who, online in names(await peer.call("room.members", room=room)) if online
        } != expected:
            await asyncio.sleep(0.01)


# -- who may -------------------------------------------------------------------------------------------


async def test_the_room_of_a_session_is_open_to_its_trainer_and_its_athletes(
    house: House, people: People
) -> None:
    """To nobody else; for them it does not exist."""
    trainer, (ada, eve) = await people.trainer(), await people.crowd(2)
    room = f"session:{await people.session(trainer, [ada])}"
    for person in (trainer, ada):
        async with connect(house.url, person.token) as peer:
            joined = await peer.call("room.join", room=room)
            assert joined["epoch"]
            assert {name: joined[name] for name in ("room", "seq", "recovered", "events")} == {
                "room": room,
                "seq": 0,
                "recovered": False,
                "events": [],
            }
            assert (person.id, True) in names(joined)
    async with connect(house.url, eve.token) as peer:
        for command in ("room.join", "room.members"):
            assert (await peer.refused(command, room=room))["code"] == "not_found"


@pytest.mark.parametrize(
    ("room", "code"),
    [
        ("session:" + "a" * 24, "not_found"),
        ("session:x", "not_found"),
        ("heart:" + "a" * 24, "not_found"),
        ("user:" + "a" * 24, "not_found"),
        ("moon:" + "a" * 24, "invalid"),
        ("session:", "invalid"),
        ("session", "invalid"),
        ("", "invalid"),
        ("x" * 81, "invalid"),
    ],
)
async def test_what_is_no_room_of_mine_cannot_be_joined(
    house: House, people: People, room: str, code: str
) -> None:
    """Whether it is somebody else's or nobody's looks the same."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        for command in ("room.join", "room.members"):
            assert (await peer.refused(command, room=room))["code"] == code
        assert house.connection(ada.id).rooms == [f"user:{ada.id}"]


async def test_the_room_of_an_athlete_is_for_those_who_may_watch(house: House, people: People) -> None:
    """Oneself, and a trainer with a grant; it is the same as hr.watch."""
    trainer, (ada, eve) = await people.trainer(), await people.crowd(2)
    await people.grant(ada, trainer)
    room = f"heart:{ada.id}"
    async with (
        connect(house.url, ada.token) as own,
        connect(house.url, trainer.token) as watcher,
        connect(house.url, eve.token) as stranger,
    ):
        for peer in (own, watcher):
            await peer.call("room.join", room=room)
        assert (await stranger.refused("room.join", room=room))["code"] == "not_found"
        worn = await strap(own)
        await worn.push(*samples(1))
        await watcher.expect("hr.update", room=room, t=T0 + 1_000)


async def test_everybody_is_in_their_own_room_and_stays_there(house: House, people: People) -> None:
    """It is how a person is reached on all their sockets."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        own = f"user:{ada.id}"
        assert house.connection(ada.id).rooms == [own]
        await peer.call("room.join", room=own)
        error = await peer.refused("room.leave", room=own)
        assert (error["code"], error["fields"]) == ("invalid", {"room": "is yours"})
        assert house.connection(ada.id).rooms == [own]


# -- in and out ----------------------------------------------------------------------------------------


async def test_joining_twice_is_being_there_once(house: House, people: People) -> None:
    """Leaving once is enough then; leaving a room one is not in is no error."""
    ada = await people.athlete()
    room = f"heart:{ada.id}"
    async with connect(house.url, ada.token, protocols=(MSGPACK,)) as peer:
        for _ in range(2):
            assert (await peer.call("room.join", room=room))["count"] == 1
        for _ in range(2):
            assert await peer.call("room.leave", room=room) == {}
        assert names(await peer.call("room.members", room=room)) == []
        await peer.call("room.leave", room="session:" + "a" * 24)


async def test_after_leaving_nothing_of_the_room_is_heard(house: House, people: People) -> None:
    """What was gathered for the next tick included."""
    trainer, ada = await people.trainer(), await people.athlete()
    session = await people.session(trainer, [ada])
    async with connect(house.url, trainer.token) as watcher, connect(house.url, ada.token) as wearer:
        room = f"session:{session}"
        await watcher.call("room.join", room=room)
        worn = await strap(wearer, session=session)
        await worn.push(*samples(1))
        await watcher.expect("hr.update")
        await watcher.settle()  # that she joined
        await watcher.call("room.leave", room=room)
        watcher.backlog.clear()  # it came before
        await worn.push(*samples(2))
        await worn.ack(2)
        assert [each["type"] for each in await watcher.settle()] == []


async def test_a_connection_may_be_in_so_many_rooms(house: House, people: People) -> None:
    """Some two hundred; more is refused, and nothing else is lost by it."""
    trainer = await people.trainer()
    limit = house.realtime.settings.ws_rooms
    async with connect(house.url, trainer.token) as peer:
        connection = house.connection(trainer.id)
        for number in range(limit - 1):
            house.realtime.hub.join(connection, f"session:{number}")
        assert (await peer.refused("room.join", room=f"heart:{trainer.id}"))["code"] == "too_large"
        house.realtime.hub.leave(connection, "session:0")
        await peer.call("room.join", room=f"heart:{trainer.id}")


# -- who is there --------------------------------------------------------------------------------------


async def a_lesson(people: People, count: int) -> tuple[Person, list[Person], str]:
    """A trainer, so many athletes, and the room of their session."""
    trainer, athletes = await people.trainer(), await people.crowd(count)
    return trainer, athletes, f"session:{await people.session(trainer, athletes)}"


async def test_members_are_those_who_are_there_and_those_who_are_invited(
    house: House, people: People
) -> None:
    """The latter offline; a second socket of somebody makes them no second member."""
    trainer, (ada, bob), room = await a_lesson(people, 2)
    async with connect(house.url, trainer.token) as peer, connect(house.url, ada.token) as phone:
        assert (await peer.call("room.join", room=room))["count"] == 1
        joined = await phone.call("room.join", room=room)
        assert {who for who, _ in names(joined)} == {trainer.id, ada.id}
        async with connect(house.url, ada.token) as tablet:
            await tablet.call("room.join", room=room)
            answer = await peer.call("room.members", room=room)
            assert dict(names(answer)) == {trainer.id: True, ada.id: True, bob.id: False}
            assert answer["count"] == 3
            assert {each["role"] for each in answer["members"]} == {"trainer", "user"}
        await settled(peer, room, {trainer.id, ada.id})
        await phone.close()
        await settled(peer, room, {trainer.id})


async def test_a_crowd_is_counted_and_not_listed(house: House, people: People) -> None:
    """Two thousand people who join at once must not each be sent the other 1,999."""
    trainer, _, room = await a_lesson(people, 1)
    assert MOST_MEMBERS < MOST_CAPACITY
    async with connect(house.url, trainer.token) as peer:
        present = house.realtime.presence
        for number in range(MOST_MEMBERS):
            present.arrived(room, f"{number:024x}", f"N{number:03}", "user")
        joined = await peer.call("room.join", room=room)
        assert (joined["members"], joined["count"]) == ([], MOST_MEMBERS + 1)
        answer = await peer.call("room.members", room=room)
        assert (len(answer["members"]), answer["count"]) == (MOST_MEMBERS, MOST_MEMBERS + 2)


async def test_while_valkey_is_away_a_room_is_joined_and_its_members_are_not_known(
    house: House, people: People, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket hears what is said there on this worker; asking who is there is `unavailable`."""
    trainer, (ada,), room = await a_lesson(people, 1)
    broker = house.realtime.broker
    async with (
        Redis.from_url(redis_url, decode_responses=True) as redis,
        connect(house.url, trainer.token) as peer,
        connect(house.url, ada.token) as wearer,
    ):
        worn = await strap(wearer, session=room.removeprefix("session:"))
        with monkeypatch.context() as unreachable:
            unreachable.setattr(ws.broker, "open_link", _nobody_there)
            await kill(redis, f"fittracker-pub-{house.realtime.worker}")
            await until(lambda: not broker.healthy)
            joined = await peer.call("room.join", room=room)
            assert (joined["members"], joined["count"]) == ([], None)
            error = await peer.refused("room.members", room=room)
            assert (error["code"], error["retry"]) == ("unavailable", True)
            await worn.push(*samples(1))
            await peer.expect("hr.update", room=room)
        await until(lambda: broker.healthy)
        await peer.call("room.join", room=room)
        await settled(peer, room, {trainer.id})


async def _nobody_there(*_: Any, **__: Any) -> Link:
    raise LinkLost("nobody listens there")


async def until(true: Callable[[], bool]) -> None:
    """Let the loop work until it is so."""
    async with asyncio.timeout(15):
        while not true():
            await asyncio.sleep(0.01)
