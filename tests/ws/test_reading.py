"""Reading a room's log: in order, each event once, and no hole passed over silently."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fittracker.roomlog.record import Place
from tests.ws.lines import End
from ws.reading import Reading


class Room:
    """A reading, and what its members were sent."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.reading = Reading(lambda payload: self.said.append(payload.decode()), self.said.append)

    def hear(self, *numbers: int, epoch: str = "a") -> None:
        """Events come in this order."""
        for number in numbers:
            self.reading.hear(Place(epoch, number), f"{epoch}{number}".encode())


@pytest.fixture
def room() -> Room:
    """A room that is at number 10."""
    made = Room()
    made.reading.begin(Place("a", 10))
    return made


def test_events_in_order_are_passed_on(room: Room) -> None:
    """As they come."""
    room.hear(11, 12, 13)
    assert room.said == ["a11", "a12", "a13"]
    assert room.reading.place == Place("a", 13)
    assert room.reading.missing is None


def test_what_came_before_is_not_passed_on_again(room: Room) -> None:
    """Redis may say it twice, and what was fetched comes by itself as well."""
    room.hear(9, 10, 11, 11, 10, 12)
    assert room.said == ["a11", "a12"]


def test_what_comes_too_early_waits_for_what_is_missing(room: Room) -> None:
    """The hole is named, and filled by whatever comes first."""
    room.hear(13, 15)
    assert (room.said, room.reading.missing) == ([], (11, 12))
    room.hear(12)
    assert room.reading.missing == (11, 11)
    room.hear(11)
    assert room.said == ["a11", "a12", "a13"]
    assert room.reading.missing == (14, 14)


def test_any_order_comes_out_in_order() -> None:
    """A hundred shuffles."""
    for seed in range(100):
        room = Room()
        room.reading.begin(Place("a", 0))
        numbers = [*range(1, 30), *range(1, 30)]
        random.Random(seed).shuffle(numbers)
        room.hear(*numbers)
        assert room.said == [f"a{n}" for n in range(1, 30)]


def test_what_comes_before_the_place_is_known_is_held(room: Room) -> None:
    """Then what lies behind the place is passed on, and what lies before it is not."""
    fresh = Room()
    fresh.hear(4, 6, 5, epoch="a")
    fresh.hear(5, epoch="older")
    fresh.reading.begin(Place("a", 4))
    fresh.hear(5, 6)
    assert fresh.said == ["a5", "a6"]


def test_a_new_epoch_is_told_and_read_from_there(room: Room) -> None:
    """What was held of the old one is given up."""
    room.hear(12)
    room.reading.renew(Place("b", 20))
    room.hear(21, epoch="b")
    room.hear(11, epoch="b")
    assert room.said == [Place("b", 20), "b21"]
    assert room.reading.missing is None


def test_an_event_of_an_epoch_nobody_announced_tells_the_gap_first(room: Room) -> None:
    """The word of it was lost."""
    room.hear(31, 32, epoch="b")
    assert room.said == [Place("b", 30), "b31", "b32"]


def test_a_hole_that_cannot_be_filled_is_told(room: Room) -> None:
    """And what lies behind it follows."""
    room.hear(13, 14)
    room.reading.renew(Place("a", 12))
    assert room.said == [Place("a", 12), "a13", "a14"]


def test_a_room_that_was_seen_to_be_further_has_a_hole_at_its_end(room: Room) -> None:
    """After this worker could not listen for a moment."""
    room.reading.reach(Place("a", 12))
    assert room.reading.missing == (11, 12)
    room.hear(11, 12)
    assert room.reading.missing is None
    room.reading.reach(Place("b", 40))
    assert room.said == ["a11", "a12", Place("b", 40)]


def test_who_is_coming_in_gets_what_was_said_meanwhile(room: Room) -> None:
    """Until they are in; later nothing is kept."""
    anna, bob = End("anna").connection, End("bob").connection
    room.hear(11)
    room.reading.joining.add(anna)
    room.hear(12)
    room.reading.joining.add(bob)
    room.hear(13)
    assert room.reading.since(11) == [b"a12", b"a13"]
    room.reading.arrived(anna)
    assert room.reading.since(12) == [b"a13"]
    room.reading.arrived(bob)
    assert room.reading.since(0) == []


def test_epochs_that_are_heard_of_before_the_place_is_known_are_remembered() -> None:
    """Whoever asks for the place learns whether another one began meanwhile."""
    room = Room()
    room.hear(3, epoch="a")
    room.reading.renew(Place("b", 10))
    assert (room.reading.epochs, room.reading.place) == ({"a", "b"}, None)
    room.reading.begin(Place("b", 10))
    assert (room.reading.epochs, room.said) == (set(), [])
