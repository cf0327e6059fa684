"""The wire format: what goes over `/ws`, in both encodings. Nothing else builds or reads a frame.

A server frame is never masked and never compressed, so the same bytes can be written to every member of a
room. `Outgoing` holds one message in JSON and makes the msgpack form only if somebody needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any, Final

import msgspec

from fittracker.clock import rfc3339
from fittracker.errors import Failure, Invalid

TEXT: Final = 0x81
BINARY: Final = 0x82
PING: Final = b"\x89\x00"
HIGHEST_ID: Final = 2**53 - 1
"""Of a command: what every language can hold in a number."""

_json = msgspec.json.Encoder(enc_hook=lambda value: _plain(value))
_msgpack = msgspec.msgpack.Encoder(enc_hook=lambda value: _plain(value))


class Close(int, Enum):
    """Close codes: 4000-4499 invite the client back, from 4500 on it should stay away."""

    NORMAL = 1000
    GOING_AWAY = 1001
    TOO_BIG = 1009
    RESTART = 1012
    SLOW = 4008
    TOKEN_EXPIRED = 4009
    SIGNED_OUT = 4010
    BAD_FRAMES = 4500
    NOT_AUTHENTICATED = 4501
    BANNED = 4503
    FLOOD = 4529


class Encoding(Enum):
    """A subprotocol: its name, its kind of frame, and how a value becomes bytes."""

    __hash__ = (
        object.__hash__
    )  # each is one object; Enum's own hash is a Python call for each frame and member

    JSON = "fittracker.v1.json"
    MSGPACK = "fittracker.v1.msgpack"

    def frame(self, payload: bytes) -> bytes:
        """The payload as one whole server frame."""
        return frame(TEXT if self is Encoding.JSON else BINARY, payload)

    def encode(self, value: Any) -> bytes:
        """A value as the payload of a frame."""
        return _json.encode(value) if self is Encoding.JSON else _msgpack.encode(value)


SUBPROTOCOLS: Final = tuple(each.value for each in Encoding)


class Event(msgspec.Struct, omit_defaults=True):
    """What the server says of its own accord; `seq` and `epoch` on durable events only."""

    type: str
    room: str | None = None
    seq: int | None = None
    epoch: str | None = None
    at: str | None = None
    data: Any = None


class Result(msgspec.Struct, tag="result", tag_field="type"):
    """The answer to a command that succeeded."""

    id: int
    data: Any


class ErrorBody(msgspec.Struct):
    """What went wrong, in the vocabulary that REST uses too; `retry`: whether the same may work later."""

    code: str
    title: str
    detail: str = ""
    fields: dict[str, str] = {}
    retry: bool = False
    retry_after_ms: int | msgspec.UnsetType = msgspec.UNSET


class ErrorFrame(msgspec.Struct, tag="error", tag_field="type"):
    """The answer to a command that failed; `id` is null where it is not known."""

    id: int | None
    error: ErrorBody


class _Address(msgspec.Struct):
    """The part of a command that says whom an error goes to."""

    id: int | None = None


_addresses: dict[Encoding, Any] = {
    Encoding.JSON: msgspec.json.Decoder(_Address),
    Encoding.MSGPACK: msgspec.msgpack.Decoder(_Address),
}


class Outgoing:
    """One message to many: JSON bytes, and each whole frame made at most once an encoding."""

    __slots__ = ("_frames", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self._frames: dict[Encoding, bytes] = {}

    def frame(self, encoding: Encoding) -> bytes:
        """The whole frame in this encoding."""
        made = self._frames.get(encoding)
        if made is None:
            payload = self.payload
            if encoding is Encoding.MSGPACK:
                payload = _msgpack.encode(msgspec.json.decode(payload))
            made = self._frames[encoding] = encoding.frame(payload)
        return made


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole unmasked frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65_536:
        return bytes((opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((opcode, 127)) + size.to_bytes(8, "big") + payload


def event(
    kind: str, data: Any, *, room: str | None = None, at: datetime | None = None, **durable: Any
) -> Outgoing:
    """An event, encoded once."""
    moment = rfc3339(at) if at is not None else None
    return Outgoing(_json.encode(Event(type=kind, room=room, at=moment, data=data, **durable)))


def error_body(failure: Failure) -> ErrorBody:
    """The failure as it is written on the wire."""
    return ErrorBody(
        code=failure.code,
        title=failure.title,
        detail=failure.detail,
        fields=failure.fields,
        retry=failure.status in {429, 503},
        retry_after_ms=msgspec.UNSET if failure.retry_after_ms is None else failure.retry_after_ms,
    )


def addressee(encoding: Encoding, payload: bytes) -> int | None:
    """The id of a command that could not be understood; msgspec.DecodeError where it is no message at all."""
    try:
        number: int | None = _addresses[encoding].decode(payload).id
    except msgspec.ValidationError:
        return None
    return number if number is not None and 0 < number <= HIGHEST_ID else None


_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_INDEX = re.compile(r"\[(\d+)\]")
_NAMED = re.compile(r"^Object (?:contains unknown|missing required) field `(?P<name>[^`]*)`")


def invalid(error: msgspec.ValidationError) -> Invalid:
    """msgspec's complaint as ours: the sentence, and the field it is about."""
    text = str(error)
    found = _PATH.search(text)
    sentence = text[: found.start()] if found else text
    named = _NAMED.match(sentence)
    path = [_INDEX.sub(r".\1", found["path"]).replace("[...]", "")] if found and found["path"] else []
    field = ".".join([*path, *([named["name"]] if named else [])])
    return Invalid(sentence, fields={field.removeprefix("data.") or "data": sentence})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    raise TypeError(f"{type(value).__name__} cannot go over the wire")


Decode = Callable[[bytes], Any]


def decoders(commands: Any) -> dict[Encoding, Decode]:
    """Readers of the union of all command frames, one an encoding."""
    return {
        Encoding.JSON: msgspec.json.Decoder(commands).decode,
        Encoding.MSGPACK: partial(msgspec.msgpack.decode, type=commands),
    }
