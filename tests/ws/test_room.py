"""A room keeps count of persons, sockets and athletes, and makes nothing that it does not need."""

from __future__ import annotations

from ws.room import Room


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
