"""Who is connected to a worker and in which rooms; the ways to other workers are noted, not gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from fittracker.errors import RateLimited, TooLarge
from tests.ws.lines import End, identity
from ws.frames import Outgoing
from ws.hub import EVENT, TELEMETRY, Hub, own_room

TICK_S = 0.01


@dataclass
class Bus:
    """The way to the other workers."""

    subscribed: list[str] = field(default_factory=list)
    unsubscribed: list[str] = field(default_factory=list)
    published: list[tuple[str, bytes, str, bytes]] = field(default_factory=list)
    deaf: set[str] = field(default_factory=set)

    def subscribe(self, room: str) -> asyncio.Future[None] | None:
        """As of the broker, when Redis has confirmed it already."""
        self.subscribed.append(room)
        return None

    def unsubscribe(self, room: str) -> None:
        """As of the broker."""
        self.unsubscribed.append(room)

    def listened(self, room: str) -> bool:
        """As of the broker: `deaf` are the rooms that nobody listens to elsewhere."""
        return room not in self.deaf

    def publish(self, room: str, kind: bytes, key: str, payload: bytes) -> None:
        """As of the broker."""
        self.published.append((room, kind, key, payload))


@dataclass
class Book:
    """Where the other workers read who is here."""

    entries: list[tuple[str, str, str]] = field(default_factory=list)

    def arrived(self, room: str, user: str, name: str, role: str) -> None:
        """As of presence."""
        self.entries.append(("arrived", room, user))

    def left(self, room: str, user: str) -> None:
        """As of presence."""
        self.entries.append(("left", room, user))

    def vanished(self, room: str, user: str) -> None:
        """As of presence."""
        self.entries.append(("vanished", room, user))


@dataclass
class Stage:
    """A hub and what it says to the outside."""

    hub: Hub
    bus: Bus
    book: Book

    def end(self, user: str | None = None, address: str = "10.0.0.1", sid: str = "s") -> End:
        """A socket of somebody, known to the hub."""
        end = End(address=address)
        self.hub.add(end.connection)
        if user is not None:
            end.connection.identity = identity(user, sid)
            self.hub.identify(end.connection)
        return end


@pytest.fixture
async def stage() -> Stage:
    """One with narrow limits."""
    bus, book = Bus(), Book()
    hub = Hub(
        asyncio.get_running_loop(),
        bus,
        book,
        tick_s=TICK_S,
        longest_tick_s=TICK_S,
        rooms_per_connection=3,
        sockets_per_user=2,
        sockets_per_address=3,
    )
    return Stage(hub, bus, book)


# -- connections -------------------------------------------------------------------------------------


async def test_a_person_is_found_by_all_their_sockets(stage: Stage) -> None:
    """And by no other's."""
    one, two, other = stage.end("ada"), stage.end("ada"), stage.end("bob")
    assert set(stage.hub.of_user("ada")) == {one.connection, two.connection}
    assert stage.hub.of_user("bob") == (other.connection,)
    assert stage.hub.of_user("nobody") == ()


async def test_the_sockets_of_one_sign_in_are_found_among_a_persons(stage: Stage) -> None:
    """One may be signed out, the others stay."""
    phone, tablet = stage.end("ada", sid="phone"), stage.end("ada", sid="tablet")
    stage.end()
    assert list(stage.hub.of_session("phone")) == [phone.connection]
    assert list(stage.hub.of_session("tablet")) == [tablet.connection]
    assert list(stage.hub.of_session("other")) == []


async def test_limits_count_sockets_that_are_open(stage: Stage) -> None:
    """Of a person and of an address; those that are gone count no more."""
    ends = [stage.end("ada"), stage.end("ada")]
    with pytest.raises(RateLimited) as refused:
        stage.hub.admit_user("ada")
    assert refused.value.retry_after_ms
    stage.hub.admit_user("bob")
    stage.hub.admit("10.0.0.1")
    ends.append(stage.end())
    with pytest.raises(RateLimited):
        stage.hub.admit("10.0.0.1")
    stage.hub.admit("10.0.0.2")
    for end in ends:
        stage.hub.remove(end.connection)
        stage.hub.remove(end.connection)  # twice is once
    stage.hub.admit("10.0.0.1")
    stage.hub.admit_user("ada")


async def test_nothing_is_left_of_sockets_that_are_gone(stage: Stage) -> None:
    """No room, no channel, no count: a worker lives for months."""
    for number in range(20):
        end = stage.end(f"u{number}", address=f"10.0.0.{number}")
        stage.hub.join(end.connection, f"session:{number % 3}")
        stage.hub.remove(end.connection)
    hub = stage.hub
    assert (hub.connections, hub.rooms, dict(hub._addresses)) == ({}, {}, {})
    assert sorted(stage.bus.subscribed) == sorted(stage.bus.unsubscribed)


async def test_who_has_not_signed_in_has_no_room_of_their_own(stage: Stage) -> None:
    """And cannot be identified."""
    end = stage.end()
    with pytest.raises(ValueError, match="no identity"):
        stage.hub.identify(end.connection)
    assert end.connection.rooms == []


# -- rooms -------------------------------------------------------------------------------------------


async def test_a_channel_is_listened_to_while_a_room_has_members_here(stage: Stage) -> None:
    """From the first to the last."""
    one, two = stage.end("ada"), stage.end("bob")
    stage.hub.join(one.connection, "session:s")
    stage.hub.join(two.connection, "session:s")
    stage.hub.leave(one.connection, "session:s")
    assert "session:s" not in stage.bus.unsubscribed
    stage.hub.leave(two.connection, "session:s")
    stage.hub.leave(two.connection, "session:s")
    assert stage.bus.unsubscribed == ["session:s"]
    assert "session:s" not in stage.hub.rooms


async def test_presence_is_told_of_people_and_not_of_sockets(stage: Stage) -> None:
    """In each room, one's own included, by which it is known who is online."""
    phone, tablet = stage.end("ada"), stage.end("ada")
    for end in (phone, tablet):
        stage.hub.join(end.connection, "session:s")
        stage.hub.join(end.connection, "session:s")
    stage.hub.leave(phone.connection, "session:s")
    stage.hub.remove(phone.connection)
    assert stage.book.entries == [("arrived", "user:ada", "ada"), ("arrived", "session:s", "ada")]
    del stage.book.entries[:]
    stage.hub.remove(tablet.connection)
    assert stage.book.entries == [("vanished", "user:ada", "ada"), ("vanished", "session:s", "ada")]


async def test_who_leaves_a_room_has_left_and_not_vanished(stage: Stage) -> None:
    """Nobody waits for them to come back."""
    end = stage.end("ada")
    stage.hub.join(end.connection, "session:s")
    stage.hub.leave(end.connection, "session:s")
    assert stage.book.entries[-1] == ("left", "session:s", "ada")


async def test_somebody_elses_own_room_is_a_room_like_any_other(stage: Stage) -> None:
    """Whether one may be in it is not the hub's business."""
    end = stage.end("ada")
    stage.hub.join(end.connection, own_room("bob"))
    assert stage.book.entries[-1] == ("arrived", "user:bob", "ada")
    stage.hub.remove(end.connection)
    assert ("vanished", "user:bob", "ada") in stage.book.entries


async def test_a_connection_is_in_so_many_rooms_and_no_more(stage: Stage) -> None:
    """Leaving one makes room for another."""
    end = stage.end("ada")
    for name in ("a:1", "a:2"):
        stage.hub.join(end.connection, name)
    with pytest.raises(TooLarge):
        stage.hub.join(end.connection, "a:3")
    assert "a:3" not in stage.hub.rooms
    stage.hub.leave(end.connection, "a:1")
    stage.hub.join(end.connection, "a:3")
    assert end.connection.rooms == ["user:ada", "a:2", "a:3"]


# -- fan-out -----------------------------------------------------------------------------------------


def said(end: End) -> bytes:
    """All that was written to a socket, what it has pending included."""
    end.connection.flush()
    return b"".join(end.line.written)


async def test_an_event_reaches_the_members_here_and_is_handed_on_once(stage: Stage) -> None:
    """Whether or not anybody is here."""
    one, two, other = stage.end("ada"), stage.end("bob"), stage.end("cai")
    for end in (one, two):
        stage.hub.join(end.connection, "session:s")
    stage.hub.publish("session:s", Outgoing(b'{"type":"x"}'))
    stage.hub.publish("session:elsewhere", Outgoing(b'{"type":"y"}'))
    assert said(one) == said(two) == b'\x81\x0c{"type":"x"}'
    assert said(other) == b""
    assert stage.bus.published == [
        ("session:s", EVENT, "", b'{"type":"x"}'),
        ("session:elsewhere", EVENT, "", b'{"type":"y"}'),
    ]


async def test_what_came_from_another_worker_is_not_handed_on_again(stage: Stage) -> None:
    """It would go round and round."""
    end = stage.end("ada")
    stage.hub.join(end.connection, "session:s")
    stage.hub.deliver("session:s", "", Outgoing(b"{}"))
    stage.hub.deliver_telemetry("session:s", "bob", b"{}")
    await asyncio.sleep(3 * TICK_S)
    assert said(end) == b"\x81\x02{}\x81\x02{}"
    assert stage.bus.published == []


async def test_telemetry_leaves_with_the_tick_and_goes_where_somebody_listens(stage: Stage) -> None:
    """Where nobody does, neither here nor elsewhere, it is not even made."""
    end = stage.end("ada")
    stage.hub.join(end.connection, "heart:ada")
    stage.bus.deaf = {"heart:ada", "heart:bob"}
    assert [stage.hub.listened(f"heart:{who}") for who in ("ada", "bob", "cai")] == [True, False, True]
    stage.hub.telemetry("heart:ada", "ada", b"{}")
    stage.hub.telemetry("heart:cai", "cai", b"{}")
    assert said(end) == b""
    await asyncio.sleep(3 * TICK_S)
    assert said(end) == b"\x81\x02{}"
    assert stage.bus.published == [("heart:cai", TELEMETRY, "cai", b"{}")]


def stale(end: End) -> Iterator[bytes]:
    """Of whom it was told that nothing came."""
    for part in said(end).split(b'"hr.stale"')[1:]:
        yield part.split(b'"user":"')[1].split(b'"')[0]


async def test_an_athlete_of_whom_nothing_comes_is_stale_once(stage: Stage) -> None:
    """Told where the watchers are; one whose stream ended is not stale but done."""
    end = stage.end("ada")
    stage.hub.join(end.connection, "session:s")
    for athlete in ("bob", "cai"):
        stage.hub.deliver_telemetry("session:s", athlete, b"{}")
    stage.hub.deliver("session:s", "cai", Outgoing(b'{"type":"hr.summary"}'))
    now = asyncio.get_running_loop().time()
    stage.hub.tell_stale(now + 4, 5)
    assert list(stale(end)) == []
    stage.hub.tell_stale(now + 6, 5)
    stage.hub.tell_stale(now + 7, 5)
    assert list(stale(end)) == [b"bob"]
    stage.hub.deliver_telemetry("session:s", "bob", b"{}")
    stage.hub.tell_stale(now + 20, 5)
    assert list(stale(end)) == [b"bob", b"bob"]
