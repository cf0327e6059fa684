"""One worker's server as a whole: what others tell it, how it closes sockets, how it lets everybody go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from yarl import URL

from config.settings import Settings
from fittracker.app import drain
from fittracker.caller import SYSTEM
from fittracker.control import Control, GrantEnded, StreamTaken
from fittracker.redis import CONTROL_CHANNEL
from tests.fault_proxy import FaultProxy
from tests.house import House, open_house
from tests.peer import Peer, connect
from tests.people import People, Person
from tests.ws.heart_rate import T0, samples, strap
from ws.frames import Close
from ws.realtime import new_worker_id


async def until(true: Callable[[], bool]) -> None:
    """What is told by way of Valkey takes some turns of the loop."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def updates(peer: Peer) -> list[int]:
    """The times of the heart rates that have come, in seconds of the test's recording."""
    came = await peer.settle()
    return [(each["data"]["t"] - T0) // 1000 for each in came if each["type"] == "hr.update"]


# -- what other workers tell ---------------------------------------------------------------------------


class Lesson:
    """A trainer with two athletes in a live session; the first streams into it."""

    def __init__(self, house: House, trainer: Person, ada: Person, bob: Person, session: str) -> None:
        self.house, self.trainer, self.ada, self.bob = house, trainer, ada, bob
        self.session = session
        self.room = f"session:{session}"

    def rooms(self, person: Person) -> set[str]:
        """The rooms that this person's sockets are in."""
        return {name for each in self.house.realtime.hub.of_user(person.id) for name in each.rooms}


@pytest.fixture
async def lesson(house: House, people: People) -> Lesson:
    """A new one."""
    trainer, (ada, bob) = await people.trainer(), await people.crowd(2)
    return Lesson(house, trainer, ada, bob, await people.session(trainer, [ada, bob]))


async def take_back(people: People, athlete: Person) -> None:
    """The athlete ends every grant."""
    for grant in await people.contexts.grants.of_user(athlete.id):
        await people.contexts.grants.end(athlete.id, grant["_id"], caller=SYSTEM)


async def test_C5_who_takes_a_grant_back_is_seen_no_more(
    house: House, people: People, lesson: Lesson
) -> None:
    """Neither by the trainer, watching or in the room of the session, nor by the others of the session."""
    async with (
        connect(house.url, lesson.trainer.token) as trainer,
        connect(house.url, lesson.bob.token) as bob,
        connect(house.url, lesson.ada.token) as ada,
    ):
        worn = await strap(ada, session=lesson.session)
        for peer in (trainer, bob):
            await peer.call("room.join", room=lesson.room)
            await peer.call("hr.watch", user=lesson.ada.id)
        await ada.call("room.join", room=lesson.room)
        await ada.call("hr.watch", user=lesson.ada.id)
        await worn.push(*samples(1))
        for peer in (trainer, bob):
            for room in (lesson.room, f"heart:{lesson.ada.id}"):
                assert (await peer.event("hr.update", room=room))["data"]["t"] == T0 + 1_000
        await take_back(people, lesson.ada)
        await until(lambda: lesson.room not in lesson.rooms(lesson.ada))
        await until(lambda: f"heart:{lesson.ada.id}" not in lesson.rooms(lesson.trainer))
        await until(lambda: f"heart:{lesson.ada.id}" not in lesson.rooms(lesson.bob))
        await worn.push(*samples(2))
        await worn.ack(2)
        await ada.expect("hr.update", t=T0 + 2_000)
        assert await updates(trainer) == await updates(bob) == []
        assert (await trainer.refused("hr.watch", user=lesson.ada.id))["code"] == "not_found"


async def test_who_leaves_a_session_sees_the_others_of_it_no_more(
    house: House, people: People, lesson: Lesson
) -> None:
    """What was seen because of the session ends with it, in both directions."""
    async with connect(house.url, lesson.bob.token) as bob, connect(house.url, lesson.ada.token) as ada:
        await strap(bob, session=lesson.session)
        await ada.call("hr.watch", user=lesson.bob.id)
        await take_back(people, lesson.ada)
        await until(lambda: f"heart:{lesson.bob.id}" not in lesson.rooms(lesson.ada))


async def test_a_watch_that_a_session_still_allows_goes_on_without_the_grant(
    house: House, people: People, lesson: Lesson
) -> None:
    """Another trainer's session with the same athlete is a reason of its own."""
    other = await people.trainer()
    await people.session(other, [lesson.ada])
    async with connect(house.url, other.token) as watcher, connect(house.url, lesson.ada.token) as ada:
        worn = await strap(ada)
        await watcher.call("hr.watch", user=lesson.ada.id)
        await people.contexts.control.tell(GrantEnded(lesson.ada.id, other.id))
        await people.contexts.redis.ping()
        await worn.push(*samples(1))
        await watcher.expect("hr.update", t=T0 + 1_000)


async def test_a_recording_that_was_begun_in_a_session_goes_on_without_it(
    house: House, people: People, lesson: Lesson
) -> None:
    """The device comes back and names the session, as always: it may record, and is not shown there."""
    async with connect(house.url, lesson.trainer.token) as trainer:
        await trainer.call("room.join", room=lesson.room)
        async with connect(house.url, lesson.ada.token) as ada:
            worn = await strap(ada, session=lesson.session)
            await worn.push(*samples(1))
            await worn.ack(1)
        await trainer.expect("hr.update", t=T0 + 1_000)
        await take_back(people, lesson.ada)
        for session in ({"session": lesson.session}, {}):
            async with connect(house.url, lesson.ada.token) as ada:
                again = await strap(ada, stream=worn.stream, **session)
                await again.push(*samples(again.acked + 1))
                await again.ack(again.acked + 1)
                assert (await ada.refused("hr.open", stream=str(uuid4()), session=lesson.session))[
                    "code"
                ] == ("not_found")
        assert await updates(trainer) == []


async def test_what_no_worker_of_this_version_says_is_passed_over(house: House, people: People) -> None:
    """During a rolling deploy a newer one may say it; what comes next is heeded."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        for nonsense in (b"", b"{}", b'{"type":"moon_landed","where":"here"}', b"\xff"):
            await people.contexts.redis.publish(CONTROL_CHANNEL, nonsense)
        await people.contexts.sessions.end(ada.id, ada.sid)
        assert await peer.ending() == 4010


async def test_only_another_worker_takes_a_stream_from_this_one(house: House, people: People) -> None:
    """What this worker said itself comes back to it, too."""
    ada = await people.athlete()
    control = Control(people.contexts.redis)
    async with connect(house.url, ada.token) as peer:
        worn = await strap(peer)
        await control.tell(StreamTaken(worn.stream, house.realtime.worker, "c"))
        await worn.push(*samples(1))
        await worn.ack(1)
        await control.tell(StreamTaken(worn.stream, new_worker_id(), "c"))
        await peer.expect("hr.taken", stream=worn.stream)


# -- closing -------------------------------------------------------------------------------------------


async def clogged(house: House, proxy: FaultProxy, peer: Peer, user: str) -> None:
    """Let some kilobytes wait in the worker that the peer has not read."""
    connection = house.connection(user)
    connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_192)
    proxy.stall(answers_only=True)
    async with asyncio.timeout(10):
        while connection.backlog() < 20_000:
            connection.tell("server.notice", {"text": "x" * 4_000})
            await asyncio.sleep(0)
    assert connection.backlog() < 60_000


async def test_a_close_code_arrives_behind_what_was_not_read_yet(house: House, people: People) -> None:
    """The peer reads a moment later: it gets everything, and then the reason."""
    ada = await people.athlete()
    port = URL(house.url).port or 0
    async with (
        FaultProxy(("127.0.0.1", port), receive_buffer=8_192) as proxy,
        connect(proxy.url, ada.token) as peer,
    ):
        await clogged(house, proxy, peer, ada.id)
        house.connection(ada.id).close(Close.SIGNED_OUT, "signed out")
        await asyncio.sleep(0.1)
        proxy.flow()
        assert await peer.ending() == 4010
        assert all(each["type"] == "server.notice" for each in peer.backlog)


async def test_a_peer_that_does_not_read_its_close_code_is_cut_off(house: House, people: People) -> None:
    """After two seconds; nothing of it is left."""
    ada = await people.athlete()
    port = URL(house.url).port or 0
    async with (
        FaultProxy(("127.0.0.1", port), receive_buffer=8_192) as proxy,
        connect(proxy.url, ada.token) as peer,
    ):
        await clogged(house, proxy, peer, ada.id)
        connection = house.connection(ada.id)
        transport = connection.transport
        connection.close(Close.SIGNED_OUT, "signed out")
        await until(lambda: transport.get_write_buffer_size() == 0)
        proxy.flow()
        assert await peer.ending() == 1006


# -- letting everybody go ------------------------------------------------------------------------------


@pytest.fixture
async def leaving(settings: Settings) -> AsyncIterator[House]:
    """A server of its own, which stores only when it is told to; it ends in the test."""
    async with open_house(settings.with_changes(drain_s=0.3, hr_flush_s=3_600.0)) as house:
        yield house


async def test_a_drain_announces_itself_acknowledges_what_it_has_and_closes_with_1012(leaving: House) -> None:
    """In this order, for everybody; a sample that was accepted before is stored and said to be."""
    ada, bob = await leaving.people.crowd(2)
    async with connect(leaving.url, ada.token) as first, connect(leaving.url, bob.token) as second:
        worn = await strap(first)
        await worn.push(*samples(1, 5))
        await first.call("ping")
        await drain(leaving.app)
        told = await first.expect("server.draining")
        assert 500 <= told["retry_after_ms"] <= 1_000
        assert told["reason"] == "restart"
        assert await first.ending() == await second.ending() == 1012
        assert [each["data"]["seq"] for each in first.backlog if each["type"] == "hr.ack"] == [5]
    batches = leaving.people.contexts.database.heart_batches
    assert await batches.count_documents({"_id.s": worn.stream, "to": 5}) == 1
    assert leaving.realtime.hub.connections == {}


async def test_a_drain_serves_those_whose_turn_has_not_come(leaving: House) -> None:
    """Commands are answered and heart rate is taken until the very close."""
    crowd = await leaving.people.crowd(1)
    async with connect(leaving.url, crowd[0].token) as peer:
        worn = await strap(peer)
        leaving.realtime.draining = True
        await worn.push(*samples(1))
        await peer.call("ping")
        await leaving.realtime.drain()
        assert await peer.ending() == 1012
        assert [each["type"] for each in peer.backlog] == ["server.draining", "hr.ack"]


async def test_a_drain_waits_for_the_commands_under_way(
    leaving: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has said something hears what became of it before the close; what comes later is not begun."""
    trainer = await leaving.people.trainer()
    begun, go_on, members = asyncio.Event(), asyncio.Event(), leaving.realtime.presence.members

    async def slow(room: str) -> Any:
        begun.set()
        await go_on.wait()
        return await members(room)

    monkeypatch.setattr(leaving.realtime.presence, "members", slow)
    room = f"session:{await leaving.people.session(trainer, [])}"
    async with connect(leaving.url, trainer.token) as peer:
        await peer.send("room.join", {"room": room}, id=1)
        await begun.wait()
        draining = asyncio.create_task(drain(leaving.app))
        await peer.expect("server.draining")
        await until(lambda: leaving.connection(trainer.id).leaving)
        await peer.send("ping", id=2)
        go_on.set()
        assert (await peer.answer(1))["room"] == room
        assert await peer.ending() == 1012
        assert [each for each in peer.backlog if each.get("id") == 2] == []
        await draining


async def test_a_drain_does_not_wait_for_ever(leaving: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that hangs is given up: its outcome is unknown, as after any broken connection."""
    monkeypatch.setattr("ws.realtime.LAST_FLUSH_S", 0.05)
    trainer = await leaving.people.trainer()
    begun = asyncio.Event()

    async def hangs(_room: str) -> Any:
        begun.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(leaving.realtime.presence, "members", hangs)
    room = f"session:{await leaving.people.session(trainer, [])}"
    async with connect(leaving.url, trainer.token) as peer:
        await peer.send("room.join", {"room": room}, id=1)
        await begun.wait()
        async with asyncio.timeout(8):
            await drain(leaving.app)
        assert await peer.ending() == 1012


# -- small services ------------------------------------------------------------------------------------


async def test_the_time_of_an_event_is_rendered_to_the_millisecond(house: House) -> None:
    """As every time of the protocol: RFC 3339, UTC."""
    before = house.people.contexts.clock.utc()
    moment = datetime.fromisoformat(house.realtime.at().decode())
    assert before <= moment <= house.people.contexts.clock.utc()
    assert house.realtime.at().endswith(b"Z")


async def test_connections_have_ids_that_no_other_worker_gives(house: House) -> None:
    """The worker's own id is part of them."""
    first, second = house.realtime.next_id(), house.realtime.next_id()
    assert first != second
    assert {each.rpartition("-")[0] for each in (first, second)} == {house.realtime.worker}
    assert len(new_worker_id()) == 12
    assert new_worker_id() != new_worker_id()


async def test_the_failure_of_background_work_is_logged_and_costs_nothing(house: House) -> None:
    """Nobody awaits it, so nobody else would notice."""

    async def fail() -> None:
        raise ZeroDivisionError

    with capture_logs() as logs:
        house.realtime.spawn(fail(), "doomed")
        await until(lambda: bool(logs))
    assert [(each["event"], each["work"]) for each in logs] == [("background_work_failed", "doomed")]
