"""A room keeps count of persons, sockets and athletes, and makes nothing that it does not need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ws.frames import Encoding, Outgoing
from ws.room import WORTH_A_WRITE, Room
from ws.told import LARGE


def test_a_person_arrives_with_the_first_socket_and_departs_with_the_last() -> None:
    """Presence is told once a person, not once a socket."""
    room = Room("session:s")
    assert [room.arrive("ada"), room.arrive("ada"), room.arrive("ben")] == [True, False, True]
    assert [room.depart("ada"), room.depart("ada"), room.depart("ben")] == [False, True, True]


def test_who_never_arrived_does_not_depart() -> None:
    """Leaving twice tells nobody twice."""
    room = Room("session:s")
    assert not room.depart("ada")
    room.arrive("ada")
    assert room.depart("ada")
    assert not room.depart("ada")
    assert not room.depart("ben")


def test_an_athlete_who_falls_silent_is_named_once_and_again_after_the_next_word() -> None:
    """Watchers are told that a heart rate is old, not every second how old."""
    room = Room("heart:ada")
    assert room.grown_silent(100.0) == []
    room.hear("ada", 10.0)
    room.hear("ben", 12.0)
    assert room.grown_silent(10.0) == []
    assert room.grown_silent(11.0) == ["ada"]
    assert room.grown_silent(11.0) == []
    room.hear("ada", 20.0)
    assert sorted(room.grown_silent(21.0)) == ["ada", "ben"]


def test_an_athlete_whose_stream_ended_does_not_fall_silent() -> None:
    """The end was told; there is nothing to miss."""
    room = Room("heart:ada")
    room.forget("ada")
    room.hear("ada", 10.0)
    room.forget("ada")
    assert room.grown_silent(100.0) == []


# -- what is said ------------------------------------------------------------------------------------

TICK, LONGEST = 0.05, 0.4


class Timer:
    """What a loop gives for a call that is to come."""

    def __init__(self, when: float, call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.when, self.call, self.arguments = when, call, arguments
        self.cancelled = False

    def cancel(self) -> None:
        """Not any more."""
        self.cancelled = True


class Loop:
    """A loop whose time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def call_later(self, delay: float, call: Callable[..., None], *arguments: Any) -> Timer:
        """As of asyncio's loops."""
        self.timers.append(Timer(self.now + delay, call, arguments))
        return self.timers[-1]

    def pass_to(self, now: float) -> None:
        """Let time pass, and call what is due on the way, in order."""
        while due := [each for each in self.timers if not each.cancelled and each.when <= now + 1e-9]:
            first = min(due, key=lambda each: each.when)
            self.timers.remove(first)
            self.now = first.when
            first.call(*first.arguments)
        self.now = now


class Reader:
    """A member: notes what it is offered, and may be slow."""

    def __init__(self, loop: Loop, encoding: Encoding = Encoding.JSON, *, slow: bool = False) -> None:
        self.encoding = encoding
        self.got: list[tuple[float, bytes]] = []
        self.held: dict[str, Outgoing] = {}
        self._loop, self._slow = loop, slow

    def offer(self, frames: bytes) -> bool:
        """As of a connection."""
        if not self._slow:
            self.got.append((round(self._loop.now, 3), frames))
        return not self._slow

    def hold(self, key: str, event: Outgoing) -> None:
        """As of a connection."""
        self.held[key] = event

    @property
    def times(self) -> list[float]:
        """When it was written to."""
        return [when for when, _ in self.got]


def crowded(loop: Loop, members: int) -> tuple[Room, list[Reader]]:
    """A room with so many readers."""
    room = Room("session:s")
    readers = [Reader(loop) for _ in range(members)]
    room.members.update(dict.fromkeys(readers))
    return room, readers


def stream(room: Room, loop: Loop, athletes: int, seconds: float) -> None:
    """So many athletes, spread evenly, each with an update a second."""
    for place in range(int(athletes * seconds)):
        loop.pass_to(place / athletes)
        room.gather(f"a{place % athletes}", Outgoing(b'{"n":%d}' % place), loop, TICK, LONGEST)


def test_a_tick_gathers_what_comes_and_everybody_gets_the_same_bytes() -> None:
    """Joined once: not even the object is another one."""
    loop = Loop()
    room, (one, two) = crowded(loop, 2)
    room.gather("ada", Outgoing(b'{"n":1}'), loop, TICK, LONGEST)
    loop.pass_to(0.02)
    room.gather("ben", Outgoing(b'{"n":2}'), loop, TICK, LONGEST)
    loop.pass_to(1.0)
    assert one.got == [(0.05, b'\x81\x07{"n":1}\x81\x07{"n":2}')]
    assert two.got[0][1] is one.got[0][1]
    assert loop.timers == []


def test_members_of_both_encodings_each_get_their_own() -> None:
    """Whoever speaks msgpack is in the same room."""
    loop = Loop()
    room, (one,) = crowded(loop, 1)
    other = Reader(loop, Encoding.MSGPACK)
    room.members[other] = None
    room.gather("ada", Outgoing(b'{"n":1}'), loop, TICK, LONGEST)
    loop.pass_to(1.0)
    assert (one.got[0][1], other.got[0][1]) == (b'\x81\x07{"n":1}', b"\x82\x04\x81\xa1n\x01")


def test_a_slow_reader_is_left_the_newest_of_each_athlete() -> None:
    """The others do not notice."""
    loop = Loop()
    room, (one,) = crowded(loop, 1)
    slow = Reader(loop, slow=True)
    room.members[slow] = None
    for number, athlete in enumerate(("ada", "ben", "ada")):
        room.gather(athlete, Outgoing(b'{"n":%d}' % number), loop, TICK, LONGEST)
    loop.pass_to(1.0)
    assert {key: event.payload for key, event in slow.held.items()} == {"ada": b'{"n":2}', "ben": b'{"n":1}'}
    assert len(one.got) == 1


def test_a_small_room_is_written_to_every_tick() -> None:
    """A trainer with ten athletes on the screen sees each of them at once."""
    loop = Loop()
    room, (one, *_) = crowded(loop, LARGE)
    stream(room, loop, athletes=10, seconds=1)
    assert one.times == [round(place / 10 + TICK, 3) for place in range(9)]


def test_a_large_room_with_little_to_say_waits_the_longest() -> None:
    """Twenty athletes before five hundred watchers: eight updates share each write."""
    loop = Loop()
    room, (one, *_) = crowded(loop, LARGE + 1)
    stream(room, loop, athletes=20, seconds=2)
    assert one.times == [0.4, 0.8, 1.2, 1.6]


def test_a_large_room_writes_as_soon_as_it_is_worth_it() -> None:
    """With more athletes it waits less, and never gathers more than it has to."""
    loop = Loop()
    room, (one, *_) = crowded(loop, LARGE + 1)
    stream(room, loop, athletes=200, seconds=1)
    assert one.times[:3] == [0.06, 0.125, 0.19]
    assert {frames.count(b"{") for _, frames in one.got} == {WORTH_A_WRITE}


def test_a_large_room_with_much_to_say_is_written_to_every_tick() -> None:
    """A tick is never cut short."""
    loop = Loop()
    room, (one, *_) = crowded(loop, LARGE + 1)
    stream(room, loop, athletes=1_000, seconds=0.2)
    assert one.times == [0.05, 0.1, 0.15]


def test_a_room_that_closes_forgets_what_it_gathered() -> None:
    """Nobody is left to read it."""
    loop = Loop()
    room, (one,) = crowded(loop, 1)
    room.gather("ada", Outgoing(b"{}"), loop, TICK, LONGEST)
    room.close()
    loop.pass_to(1.0)
    assert one.got == []
