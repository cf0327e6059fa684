"""All that the protocol consists of, gathered from the feature modules."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import msgspec
import pytest

from tests.declared import check_event
from ws.events import EventType
from ws.features import FEATURES, registry
from ws.registry import Registry
from ws.room_kinds import RoomKind


class Told(msgspec.Struct):
    """Something happened."""

    count: int


async def _anybody(_realtime: Any, _user: str, _subject: str) -> bool:
    return True


def a_module(name: str, **contents: object) -> ModuleType:
    """A feature module."""
    module = ModuleType(name)
    vars(module).update(contents)
    return module


def test_events_and_rooms_of_all_modules_are_gathered() -> None:
    """By name."""
    event, kind = EventType("thing.told", Told, ("thing",)), RoomKind("thing", look=_anybody)
    made = Registry([a_module("m", EVENTS=(event,)), a_module("n", ROOMS=(kind,))])
    assert made.events == {"thing.told": event}
    assert made.rooms == {"thing": kind}


def test_an_event_that_is_declared_twice_stops_the_start() -> None:
    """Two shapes of one name would leave one of them wrong."""
    one, other = EventType("thing.told", Told), EventType("thing.told", Told, ("thing",))
    with pytest.raises(ValueError, match=r"thing\.told is declared twice, again in n"):
        Registry([a_module("m", EVENTS=(one,)), a_module("n", EVENTS=(other,))])


def test_a_room_that_is_declared_twice_stops_the_start() -> None:
    """The laxer of two doors would be the one that counts."""
    one, other = RoomKind("thing", look=_anybody), RoomKind("thing", look=_anybody, logged=True)
    with pytest.raises(ValueError, match="the room thing is declared twice"):
        Registry([a_module("m", ROOMS=(one,)), a_module("n", ROOMS=(other,))])


def test_who_may_go_in_is_who_may_look_unless_said_otherwise() -> None:
    """One check where one is enough."""

    async def enter(_realtime: Any, _user: str, _subject: str) -> bool:
        return False

    assert RoomKind("thing", look=_anybody).door is _anybody
    assert RoomKind("thing", look=_anybody, enter=enter).door is enter


def test_every_event_says_what_it_is_and_is_said_in_rooms_that_there_are() -> None:
    """The documents are made from that; a durable event needs a room with a log."""
    made = registry()
    for name, event in made.events.items():
        assert event.about.endswith("."), name
        assert not event.about.startswith(event.data.__name__ + "("), f"{name} has no docstring of its own"
        for room in event.rooms:
            assert room == "*" or room in made.rooms, f"{name} in {room}"
        if event.durable:
            assert event.rooms, name
            assert all(made.rooms[room].logged for room in event.rooms), name


def test_each_feature_brings_something() -> None:
    """A file in the list that declares nothing would be a mistake."""
    for module in FEATURES:
        alone = Registry([module])
        assert alone.commands or alone.events or alone.rooms, module.__name__


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "thing.unheard", "data": {}},
        {"type": "hr.stale", "data": {"user": 7}},
        {"type": "hr.stale", "data": {"user": "a", "more": 1}},
        {"type": "hr.stale", "room": "user:1", "data": {"user": "a"}},
        {"type": "hr.stale", "room": "heart:1", "seq": 1, "epoch": "e", "data": {"user": "a"}},
    ],
)
def test_what_is_not_as_declared_is_found_by_the_tests(frame: dict[str, Any]) -> None:
    """The check that every event in every test goes through."""
    with pytest.raises(AssertionError):
        check_event(frame)
