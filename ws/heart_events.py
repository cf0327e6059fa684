"""What is told about heart rate: to the device that sends it, and to whoever watches the athlete."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from ws.events import EventType


class HrAck(msgspec.Struct):
    """Everything up to `seq` is stored: on a majority of the database's members, in their journals."""

    stream: str
    seq: int


class HrTaken(msgspec.Struct):
    """A newer connection owns this stream now; what this one sends for it is refused."""

    stream: str


class HrUpdate(msgspec.Struct):
    """With new samples: the newest one. `t` unix ms; `zone` 0 to 5; `hrr_pct` the share of the reserve."""

    user: str
    t: int
    bpm: int
    zone: int
    hrr_pct: float | None
    rmssd_ms: float | None = None
    contact: bool | None = None


class HrAlert(msgspec.Struct):
    """The heart does something that somebody should know of; `since` unix ms."""

    user: str
    kind: Literal["high", "low", "jump", "irregular", "lost"]
    bpm: int
    limit: float
    since: int


class HrStale(msgspec.Struct):
    """Nothing has come from this athlete for some seconds."""

    user: str


class HrSummary(msgspec.Struct):
    """The athlete's stream has ended and become this workout."""

    user: str
    workout: str
    summary: dict[str, Any]


SEEN_IN: Final = ("heart", "session")
EVENTS: Final = (
    EventType("hr.ack", HrAck),
    EventType("hr.taken", HrTaken),
    EventType("hr.update", HrUpdate, SEEN_IN),
    EventType("hr.alert", HrAlert, SEEN_IN),
    EventType("hr.stale", HrStale, SEEN_IN),
    EventType("hr.summary", HrSummary, SEEN_IN),
)
