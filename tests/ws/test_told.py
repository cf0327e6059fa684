"""What a room is told reaches all of its members, in order and once, in as few writes as may be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.ws.lines import End
from ws.connection import Connection
from ws.frames import Encoding, Outgoing
from ws.room import FEW, Room
from ws.told import LARGE, PAUSE_S
from ws.writer import Writer


class Call:
    """What a loop gives for a call that is to come."""

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when, self.call, self.cancelled = when, call, False

    def cancel(self) -> None:
        """Not any more."""
        self.cancelled = True


class Loop:
    """A loop whose time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.calls: list[Call] = []

    def time(self) -> float:
        """As of asyncio's loops."""
        return self.now

    def call_soon(self, call: Callable[[], None]) -> Call:
        """As of asyncio's loops."""
        return self.call_later(0.0, call)

    def call_later(self, delay: float, call: Callable[[], None]) -> Call:
        """As of asyncio's loops."""
        self.calls.append(Call(self.now + delay, call))
        return self.calls[-1]

    def pass_for(self, seconds: float) -> None:
        """Let time pass, and call what is due on the way."""
        until = self.now + seconds
        while due := [each for each in self.calls if not each.cancelled and each.when <= until + 1e-9]:
            first = min(due, key=lambda each: each.when)
            self.calls.remove(first)
            self.now = max(self.now, first.when)
            first.call()
        self.now = until


class Hall:
    """A room of so many members, on a loop of its own."""

    def __init__(self, members: int) -> None:
        self.loop = Loop()
        self.room = Room("chat:c")
        self.ends = [End() for _ in range(members)]
        for end in self.ends:
            self.room.members[end.connection] = None

    def say(self, text: str, absent: set[Connection] | None = None) -> None:
        """An event to everybody; of the log where `absent` says who is coming in."""
        loop: Any = self.loop
        self.room.send(Outgoing(text.encode()), loop, absent)


def heard(end: End) -> str:
    """What a member got, in order: each event is one letter here."""
    for connection in end.marks.marked:
        connection.flush()
    return b"".join(end.line.written).replace(b"\x81\x01", b"").decode()


def test_the_first_event_leaves_at_the_end_of_the_turn_with_all_of_that_turn() -> None:
    """In one write, the same bytes to everybody."""
    hall = Hall(FEW + 1)
    for letter in "abc":
        hall.say(letter)
    assert hall.ends[0].line.written == []
    hall.loop.pass_for(0.0)
    writes = [end.line.written for end in hall.ends]
    assert writes == [[b"\x81\x01a\x81\x01b\x81\x01c"]] * (FEW + 1)
    assert all(each[0] is writes[0][0] for each in writes)


def test_a_large_room_under_load_gathers_and_a_calm_one_does_not() -> None:
    """100 events a second share their writes; an event after a pause waits for nothing."""
    hall = Hall(LARGE + 1)
    for letter in "abcdef":
        hall.say(letter)
        hall.loop.pass_for(PAUSE_S / 2 + 1e-6)
    hall.loop.pass_for(10 * PAUSE_S)
    hall.say("z")
    hall.loop.pass_for(0.0)
    assert heard(hall.ends[0]) == "abcdefz"
    assert len(hall.ends[0].line.written) == 5


def test_a_room_that_is_not_large_never_waits() -> None:
    """Some dozens of people talk; each message leaves at once."""
    hall = Hall(LARGE)
    for letter in "abcd":
        hall.say(letter)
        hall.loop.pass_for(0.001)
    assert hall.ends[-1].line.written == [b"\x81\x01%b" % letter.encode() for letter in "abcd"]


def test_what_is_queued_for_a_member_alone_stays_before_the_event() -> None:
    """The answer to joining comes first, then what is said in the room."""
    hall = Hall(FEW + 1)
    hall.ends[0].connection.send(b"\x81\x011")
    hall.say("a")
    hall.loop.pass_for(0.0)
    hall.ends[0].connection.send(b"\x81\x012")
    assert (heard(hall.ends[0]), heard(hall.ends[1])) == ("1a2", "a")


@pytest.mark.parametrize("members", [2, FEW + 1, LARGE + 1])
def test_who_is_coming_in_is_told_of_the_log_in_another_way(members: int) -> None:
    """What is of the log they have in their answer; what is not, such as typing, they hear like others."""
    hall = Hall(members)
    coming = hall.ends[0].connection
    joining = {coming}
    hall.say("a", joining)
    hall.say("s")
    hall.room.tell()
    joining.discard(coming)  # they have come in: `a` was in their answer
    hall.say("b", joining)
    hall.loop.pass_for(1.0)
    assert (heard(hall.ends[0]), heard(hall.ends[-1])) == ("sb", "asb")


def test_both_encodings_are_told_the_same() -> None:
    """Each in its own frames, made once."""
    hall = Hall(FEW + 1)
    hall.ends[0].connection.encoding = Encoding.MSGPACK
    hall.say("1")
    hall.loop.pass_for(0.0)
    assert [hall.ends[place].line.written for place in (0, 1)] == [[b"\x82\x01\x01"], [b"\x81\x011"]]


def test_a_room_that_shrinks_tells_in_order_what_still_waits() -> None:
    """The direct way of small rooms does not overtake what was gathered in the large one."""
    hall = Hall(LARGE + 1)
    hall.say("a")
    hall.loop.pass_for(0.0)
    hall.say("b")
    for end in hall.ends[1:]:
        del hall.room.members[end.connection]
    hall.say("c")
    hall.loop.pass_for(1.0)
    assert heard(hall.ends[0]) == "abc"


def test_a_closed_room_tells_nobody_anything() -> None:
    """The last member has gone; no call stays behind on the loop."""
    hall = Hall(FEW + 1)
    hall.say("a")
    hall.room.close()
    hall.loop.pass_for(1.0)
    assert hall.ends[0].line.written == []


def test_a_reader_that_lets_too_much_pile_up_is_closed_and_the_others_hear_on() -> None:
    """Events are never dropped for anybody: who does not read them loses the connection."""
    hall = Hall(FEW + 1)
    hall.ends[0].line.reads, hall.ends[0].line.unread = False, 2_000_000
    hall.say("a")
    hall.loop.pass_for(0.0)
    assert (hall.ends[0].codes, heard(hall.ends[1])) == ([4008], "a")


async def test_order_is_kept_among_what_the_writer_flushes_and_what_a_room_writes() -> None:
    """On a real loop: answers and events in the order in which they were given."""
    loop = asyncio.get_running_loop()
    writer = Writer(loop)
    room = Room("chat:c")
    ends = [End(writer=writer) for _ in range(FEW + 1)]
    for end in ends:
        room.members[end.connection] = None
    for number in range(5):
        ends[0].connection.send(b"\x81\x01%d" % number)
        room.send(Outgoing(b"abcde"[number : number + 1]), loop)
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    writer.close()
    assert b"".join(ends[0].line.written).replace(b"\x81\x01", b"") == b"0a1b2c3d4e"
