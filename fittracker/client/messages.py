"""What goes over the wire, as a client sees it: typed results, typed events, in both encodings.

Fields this version does not know are ignored, so that an older client works with a newer server.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType

# -- results -----------------------------------------------------------------------------------------


class Hello(msgspec.Struct):
    """Who the server takes us for; `expires_at` in unix seconds, `ping_s` between two pings."""

    connection: str
    user: str
    role: str
    ping_s: float
    expires_at: float
    version: int = 1


class Member(msgspec.Struct):
    """Somebody in a room."""

    user: str
    name: str
    role: str
    online: bool = True


class HrOpened(msgspec.Struct):
    """`acked`: the highest number the server has stored, 0 for none; `zones` are pairs of bpm."""

    stream: str
    handle: int
    acked: int
    zones: list[list[float]] = []
    alerts: dict[str, Any] = {}


class Summary(msgspec.Struct):
    """What a workout came to; None where it cannot be known. `methods` says how each figure was computed."""

    samples: int
    duration_s: float
    avg_bpm: float | None = None
    max_bpm: int | None = None
    min_bpm: int | None = None
    zones_s: list[float] | None = None
    trimp: float | None = None
    rmssd_ms: float | None = None
    kcal: float | None = None
    methods: dict[str, Any] = {}


class HrClosed(msgspec.Struct):
    """The workout a stream became; `workout` is None where no sample was ever stored."""

    workout: str | None
    summary: Summary


class FormClosed(msgspec.Struct):
    """What an analysis of form came to; `tempo` means of eccentric, pause, concentric in seconds."""

    reps: int
    faults: dict[str, int] = {}
    tempo: list[float | None] = []
    short: int = 0
    score: float | None = None
    depth_deg: float | None = None
    held_s: float = 0.0
    good_s: float = 0.0
    frames: int = 0
    late: int = 0
    unseen: int = 0


# -- events ------------------------------------------------------------------------------------------


class HrUpdate(msgspec.Struct):
    """`hr.update`: an athlete's live state. Zone 0 is below the first; bpm 0 is no contact."""

    user: str
    t: int
    bpm: int
    zone: int
    hrr_pct: float | None = None
    rmssd_ms: float | None = None
    contact: bool | None = None


class HrAlert(msgspec.Struct):
    """`hr.alert`: kind high, low, jump, irregular or lost; `since` is unix ms."""

    user: str
    kind: str
    bpm: int
    limit: float
    since: int


class HrStale(msgspec.Struct):
    """`hr.stale`: nothing came from this athlete for some seconds."""

    user: str


class HrSummary(msgspec.Struct):
    """`hr.summary`: an athlete's stream ended."""

    user: str
    workout: str
    summary: Summary


class HrAck(msgspec.Struct):
    """`hr.ack`: everything up to this number is stored."""

    stream: str
    seq: int


class HrTaken(msgspec.Struct):
    """`hr.taken`: another connection owns the stream now."""

    stream: str


class FormRep(msgspec.Struct):
    """`form.rep`: a complete repetition; `count` includes those before it, `deductions` explain the score."""

    user: str
    exercise: str
    count: int
    depth_deg: float
    tempo_s: list[float | None]
    score: int
    analysis: str = ""
    deductions: dict[str, int] = {}
    t: float = 0.0
    view: str = ""
    asymmetry_deg: float | None = None


class FormFault(msgspec.Struct):
    """`form.fault`: a fault has begun; degrees."""

    user: str
    exercise: str
    code: str
    joint: str
    value_deg: float
    limit_deg: float
    severity: str
    analysis: str = ""
    t: float = 0.0
    view: str = ""


class FormHold(msgspec.Struct):
    """`form.hold`: a plank is being held, and so long of it in good form."""

    user: str
    exercise: str
    held_s: float
    good_s: float
    analysis: str = ""
    t: float = 0.0


class Presence(msgspec.Struct):
    """`presence.joined` and `presence.left`: somebody entered a room, or left it."""

    user: str
    name: str = ""
    role: str = ""


class PresenceChanged(msgspec.Struct):
    """`presence.changed`: how many are in a large room, or whether somebody one asked about is online."""

    user: str | None = None
    online: bool | None = None
    count: int | None = None


class Draining(msgspec.Struct):
    """`server.draining`: the server restarts; come back after that many milliseconds."""

    retry_after_ms: int
    reason: str = ""


class AuthExpiring(msgspec.Struct):
    """`auth.expiring`: the token ends in so many seconds."""

    in_s: int


class ConnectionChange(msgspec.Struct):
    """`client.disconnected`, `client.connected`: told by the client itself, not by the server."""

    code: int | None = None
    reason: str = ""


class RoomGap(msgspec.Struct):
    """`client.gap`: after a reconnect the server could not give back everything that was said in a room."""

    room: str


class RoomLost(msgspec.Struct):
    """`client.left`: after a reconnect we may no longer be in this room, or watch this athlete."""

    room: str
    code: str


PAYLOADS: Final[Mapping[str, type[msgspec.Struct]]] = MappingProxyType(
    {
        "hello": Hello,
        "hr.update": HrUpdate,
        "hr.alert": HrAlert,
        "hr.stale": HrStale,
        "hr.summary": HrSummary,
        "hr.ack": HrAck,
        "hr.taken": HrTaken,
        "form.rep": FormRep,
        "form.fault": FormFault,
        "form.hold": FormHold,
        "presence.joined": Presence,
        "presence.left": Presence,
        "presence.changed": PresenceChanged,
        "server.draining": Draining,
        "auth.expiring": AuthExpiring,
    }
)


class Event(msgspec.Struct):
    """What the server said of its own accord.

    `data` is one of the classes above for the types they name, and a plain dict for all others. `id`, `seq`
    and `epoch` are there on durable events only; `at` is RFC 3339.
    """

    type: str
    data: Any = {}
    room: str | None = None
    seq: int | None = None
    epoch: str | None = None
    at: str | None = None
    id: str | None = None

    def get(self, name: str, default: Any = None) -> Any:
        """A field of the payload, whatever its form."""
        if isinstance(self.data, dict):
            return self.data.get(name, default)
        return getattr(self.data, name, default)


# -- frames ------------------------------------------------------------------------------------------


class ErrorBody(msgspec.Struct):
    """An error, the same on the socket and in problem+json."""

    code: str = "internal"
    title: str = ""
    detail: str = ""
    fields: dict[str, str] = {}
    retry: bool = False
    retry_after_ms: int | None = None


class Envelope(msgspec.Struct):
    """Any frame from the server; `data` is still encoded."""

    type: str
    id: int | str | None = None
    """Of a result the number of its command, of a durable event its own id."""
    data: msgspec.Raw = msgspec.Raw()
    error: ErrorBody | None = None
    room: str | None = None
    seq: int | None = None
    epoch: str | None = None
    at: str | None = None


class RoomJoined(msgspec.Struct):
    """`epoch` and `seq` of the newest durable event; `recovered`: `events` are all that were missed.

    `count` is None while nobody can tell who is there.
    """

    room: str
    epoch: str | None = None
    seq: int = 0
    recovered: bool = False
    events: list[dict[str, Any]] = []
    members: list[Member] = []
    count: int | None = 0


class Codec:
    """One of the two subprotocols: its name, and how its frames are made and read."""

    def __init__(self, *, msgpack: bool = False) -> None:
        self.frame = WSMsgType.BINARY if msgpack else WSMsgType.TEXT
        self.subprotocol = "fittracker.v1.msgpack" if msgpack else "fittracker.v1.json"
        self._protocol: Any = msgspec.msgpack if msgpack else msgspec.json
        self._envelopes = self._protocol.Decoder(Envelope)

    def encode(self, value: Any) -> bytes:
        """A frame's payload."""
        encoded: bytes = self._protocol.encode(value)
        return encoded

    def decode(self, payload: str | bytes) -> Envelope:
        """A frame; msgspec.DecodeError where it is none."""
        envelope: Envelope = self._envelopes.decode(payload)
        return envelope

    def data(self, envelope: Envelope) -> dict[str, Any]:
        """The data of a frame; nothing at all reads as an empty object."""
        if not envelope.data:
            return {}
        data: dict[str, Any] = self._protocol.decode(envelope.data, type=dict[str, Any])
        return data

    def event(self, envelope: Envelope) -> Event:
        """An event with its payload typed."""
        data = payload(envelope.type, self.data(envelope))
        number = envelope.id if isinstance(envelope.id, str) else None
        return Event(envelope.type, data, envelope.room, envelope.seq, envelope.epoch, envelope.at, number)


def payload(kind: str, data: dict[str, Any]) -> Any:
    """The payload of an event as its class; the dict itself for a kind, or a shape, that we do not know."""
    known = PAYLOADS.get(kind)
    if known is None:
        return data
    try:
        return msgspec.convert(data, known)
    except msgspec.ValidationError:
        return data  # a newer server's shape: handed over as it came


def recovered(plain: dict[str, Any]) -> Event:
    """An event out of the answer to `room.join`."""
    event = msgspec.convert(plain, Event)
    event.data = payload(event.type, event.data)
    return event
