"""The wire format, byte for byte."""

from __future__ import annotations

import msgspec
import pytest

from fittracker.errors import Invalid, RateLimited
from ws.frames import (
    BINARY,
    TEXT,
    Encoding,
    ErrorFrame,
    Outgoing,
    Result,
    addressee,
    error_body,
    event,
    frame,
    invalid,
)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_the_length_of_a_frame_takes_one_two_or_eight_bytes(size: int, head: bytes) -> None:
    """RFC 6455, 5.2, at its edges."""
    assert frame(TEXT, b"x" * size) == head + b"x" * size


def test_one_message_is_encoded_once_and_says_the_same_in_both_encodings() -> None:
    """The msgpack form is made from the JSON form, when somebody needs it."""
    outgoing = event("hr.stale", {"user": "u1"}, room="heart:u1")
    text, binary = outgoing.frame(Encoding.JSON), outgoing.frame(Encoding.MSGPACK)
    assert (text[0], binary[0]) == (TEXT, BINARY)
    expected = {"type": "hr.stale", "room": "heart:u1", "data": {"user": "u1"}}
    assert msgspec.json.decode(text[2:]) == msgspec.msgpack.decode(binary[2:]) == expected
    assert outgoing.frame(Encoding.JSON) is text


def test_a_result_and_an_error_carry_the_id_of_their_command() -> None:
    """And say what they are."""
    result = msgspec.json.decode(Encoding.JSON.encode(Result(7, {"t": 1})))
    assert result == {"id": 7, "type": "result", "data": {"t": 1}}
    failure = RateLimited("Slower.", retry_after_ms=500)
    error = msgspec.json.decode(Encoding.JSON.encode(ErrorFrame(None, error_body(failure))))
    assert (error["id"], error["type"]) == (None, "error")
    assert error["error"]["code"] == "rate_limited"
    assert (error["error"]["retry"], error["error"]["retry_after_ms"]) == (True, 500)


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """A command's data."""

    bpm: int


class Shell(msgspec.Struct):
    """A frame around it."""

    data: Shape


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (b'{"data":{"bpm":"x"}}', "bpm"),
        (b'{"data":{"bpm":1,"role":"admin"}}', "role"),
        (b'{"data":{}}', "bpm"),
        (b'{"data":7}', "data"),
    ],
)
def test_a_wrong_field_is_named(payload: bytes, field: str) -> None:
    """msgspec says where; the client is told in its own terms."""
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(payload, type=Shell)
    failure = invalid(refused.value)
    assert isinstance(failure, Invalid)
    assert list(failure.fields) == [field]
    assert "$" not in failure.detail


def test_an_error_finds_its_command_even_when_that_could_not_be_understood() -> None:
    """The id is read on its own; an absurd one is none."""
    assert addressee(Encoding.JSON, b'{"id":3,"type":"no.such","data":{}}') == 3
    assert addressee(Encoding.JSON, b'{"id":"three"}') is None
    assert addressee(Encoding.JSON, b'{"id":-1}') is None
    assert addressee(Encoding.MSGPACK, msgspec.msgpack.encode({"id": 9})) == 9


def test_a_payload_is_passed_through_untouched() -> None:
    """What another worker encoded is not encoded again."""
    payload = b'{"type":"x"}'
    assert Outgoing(payload).frame(Encoding.JSON) == frame(TEXT, payload)
