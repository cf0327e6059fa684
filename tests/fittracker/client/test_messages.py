from __future__ import annotations

import msgspec
import pytest

from fittracker.client.messages import Codec, Event, HrUpdate, recovered

UPDATE = {"user": "u1", "t": 5, "bpm": 150, "zone": 3, "hrr_pct": 66.7}


@pytest.mark.parametrize("msgpack", [False, True])
def test_both_encodings_give_the_same_typed_event(msgpack: bool) -> None:
    """Whatever the subprotocol, `match` sees an HrUpdate."""
    codec = Codec(msgpack=msgpack)
    encoded = codec.encode({"type": "hr.update", "room": "heart:u1", "at": "x", "data": UPDATE})
    event = codec.event(codec.decode(encoded))
    assert event == Event("hr.update", HrUpdate("u1", 5, 150, 3, 66.7), room="heart:u1", at="x")


@pytest.mark.parametrize("msgpack", [False, True])
def test_a_durable_event_has_its_place_and_an_id_of_its_own(msgpack: bool) -> None:
    """The id of an answer is a number, that of an event a text; it is the same whenever the event comes."""
    codec = Codec(msgpack=msgpack)
    plain = {
        "type": "chat.message",
        "room": "chat:1",
        "seq": 4,
        "epoch": "e",
        "id": "m1",
        "data": {"text": "a"},
    }
    event = codec.event(codec.decode(codec.encode(plain)))
    assert (event.id, event.seq, event.epoch) == ("m1", 4, "e")
    assert recovered(plain) == event
    assert codec.event(codec.decode(codec.encode({"id": 7, "type": "result"}))).id is None


def test_an_event_of_a_newer_server_is_a_dict() -> None:
    """So that a program can use what this version has no class for."""
    codec = Codec()
    event = codec.event(codec.decode(b'{"type":"moon.phase","data":{"full":true}}'))
    assert event.data == {"full": True}
    assert event.get("full") is True


def test_a_changed_shape_is_handed_over_as_it_came() -> None:
    """A payload without what the class needs is a dict, not an error."""
    codec = Codec()
    event = codec.event(codec.decode(b'{"type":"hr.update","data":{"user":"u1","pulse":7}}'))
    assert event.data == {"user": "u1", "pulse": 7}


def test_an_event_without_data_is_empty() -> None:
    """`data` may be missing altogether."""
    codec = Codec()
    assert codec.event(codec.decode(b'{"type":"quiet"}')).data == {}


def test_what_is_no_frame_is_said_so() -> None:
    """The wire turns this into an ending."""
    with pytest.raises(msgspec.DecodeError):
        Codec().decode(b"[1,")


def test_events_out_of_a_join_are_typed_too() -> None:
    """They come as plain data inside the answer to room.join."""
    event = recovered({"type": "hr.update", "room": "r", "seq": 4, "epoch": "e", "data": UPDATE})
    assert event.seq == 4
    assert event.data == HrUpdate("u1", 5, 150, 3, 66.7)
