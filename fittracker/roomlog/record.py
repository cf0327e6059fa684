"""One durable event: as it is sealed in Redis and MongoDB, and as it is sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from fittracker.clock import of_ms, rfc3339
from fittracker.mongo import Document
from fittracker.observability import logger
from fittracker.sealing import Seal, Unsealable

log = logger(__name__)

SCHEMA: Final = 1


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What was said (`data`: JSON), of which kind, by whom, and when (unix ms).

    `id` follows from the room, the sender and their `client_id`: sent twice it is the same event.
    """

    id: str
    kind: str
    by: str
    client_id: str
    at_ms: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a room's order: numbers count within an epoch; another epoch means a new beginning."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What is sure: the event's id, its place, and when it was said (unix ms)."""

    id: str
    place: Place
    at_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in its place."""

    place: Place
    record: Record


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an event is and what it is, as can be seen without unsealing it."""

    id: str
    room: str
    seq: int
    kind: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Kept:
    """An event as it is stored now: `overlay` is what was laid over it since, `version` counts amendments."""

    room: str
    entry: Entry
    overlay: bytes | None
    version: int


_json = msgspec.json.Encoder()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


def record(room: str, kind: str, data: Any, *, by: str, client_id: str, at_ms: int) -> Record:
    """A new one."""
    return Record(event_id(room, by, client_id), kind, by, client_id, at_ms, _json.encode(data))


def event_id(room: str, by: str, client_id: str) -> str:
    """The id of what this person said in this room by this `client_id`."""
    return hashlib.sha256(f"{room} {by} {client_id}".encode()).hexdigest()[:24]


def halves(room: str, one: Record) -> tuple[bytes, bytes]:
    """The event as it is sent, up to its number, and from after its epoch on."""
    kind, name = _json.encode(one.kind), _json.encode(room)
    at = rfc3339(of_ms(one.at_ms)).encode()
    head = b'{"type":%b,"room":%b,"seq":' % (kind, name)
    tail = b'"at":"%b","id":"%b","data":%b}' % (at, one.id.encode(), one.data)
    return head, tail


def wire(room: str, entry: Entry) -> bytes:
    """The event as it was sent."""
    head, tail = halves(room, entry.record)
    return b'%b%d,"epoch":"%b",%b' % (head, entry.place.seq, entry.place.epoch.encode(), tail)


class Envelope:
    """Records as they rest: sealed, so that neither a dump of Redis nor a copy of MongoDB can be read."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def close(self, one: Record) -> bytes:
        """As it is kept in the window."""
        return msgspec.msgpack.encode(self._seal.close(_encode(one)))

    def open(self, closed: bytes) -> Record:
        """Out of the window; Unsealable where its key is gone."""
        return _decode(self._seal.open(msgspec.msgpack.decode(closed)))

    def document(self, room: str, entry: Entry) -> Document:
        """As it is stored; what has to be found by is beside the seal."""
        one, place = entry.record, entry.place
        return {
            "_id": one.id,
            "room": room,
            "seq": place.seq,
            "epoch": place.epoch,
            "kind": one.kind,
            "by": one.by,
            "at": of_ms(one.at_ms),
            "sealed": self.sealed(one),
            "schema_version": SCHEMA,
        }

    def entry(self, document: Document) -> Entry:
        """Out of MongoDB."""
        return Entry(Place(document["epoch"], document["seq"]), _decode(self._seal.open(document["sealed"])))

    def sealed(self, one: Record) -> Document:
        """A record as it is stored."""
        return self._seal.close(_encode(one))

    def cover(self, overlay: bytes) -> Document:
        """What is laid over an event, as it is stored."""
        return self._seal.close(overlay)

    def stale(self, closed: bytes) -> bool:
        """Whether what is in the window was sealed with another key than the one that seals now."""
        return bool(msgspec.msgpack.decode(closed)["kid"] != self._seal.first)

    def kept_or_blank(self, document: Document) -> Kept:
        """The same; without data (b"") where its key is gone."""
        try:
            return self.kept(document)
        except Unsealable as error:
            log.warning("event_unreadable", id=document["_id"], reason=str(error))
            at_ms = round(document["at"].timestamp() * 1_000)
            blank = Record(document["_id"], document["kind"], document["by"] or "", "", at_ms, b"")
            place = Place(document["epoch"], document["seq"])
            return Kept(document["room"], Entry(place, blank), None, document.get("version", 0))

    def kept(self, document: Document) -> Kept:
        """Out of MongoDB, with all that became of it."""
        over = document.get("overlay")
        return Kept(
            document["room"],
            self.entry(document),
            None if over is None else self._seal.open(over),
            document.get("version", 0),
        )
