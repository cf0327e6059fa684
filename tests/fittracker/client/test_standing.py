from __future__ import annotations

from fittracker.client.messages import Event
from fittracker.client.standing import Standing


def durable(seq: int, epoch: str = "e") -> Event:
    return Event("chat.message", {}, room="chat:1", seq=seq, epoch=epoch)


def joined() -> Standing:
    standing = Standing()
    standing.note("room.join", {"room": "chat:1"}, {"epoch": "e", "seq": 4})
    return standing


def test_rooms_are_entered_again_from_where_they_were_left() -> None:
    """The place moves with every durable event."""
    standing = joined()
    assert standing.saw(durable(5))
    assert list(standing.commands()) == [("room.join", {"room": "chat:1", "since": {"epoch": "e", "seq": 5}})]


def test_a_room_without_durable_events_has_no_place() -> None:
    """Telemetry has no history to go on from."""
    standing = Standing()
    standing.note("room.join", {"room": "session:1"}, {"epoch": None, "seq": 0})
    assert list(standing.commands()) == [("room.join", {"room": "session:1"})]


def test_an_event_that_came_before_is_known() -> None:
    """Around a reconnect it may come live and in the recovered window."""
    standing = joined()
    assert not standing.saw(durable(4))
    assert standing.saw(durable(5))
    assert not standing.saw(durable(5))


def test_a_new_epoch_begins_anew() -> None:
    """The server lost its window; its numbers are its own."""
    standing = joined()
    assert standing.saw(durable(2, epoch="f"))


def test_what_was_left_is_not_entered_again() -> None:
    """Rooms and athletes alike."""
    standing = joined()
    standing.note("hr.watch", {"user": "u"}, {})
    standing.note("room.leave", {"room": "chat:1"}, {})
    assert list(standing.commands()) == [("hr.watch", {"user": "u"})]
    standing.note("hr.unwatch", {"user": "u"}, {})
    assert list(standing.commands()) == []
