"""Rests and intervals on the server's time: kept with the session, so whoever comes late can be told of them.

A timer ends by itself when its time has come; nobody has to be there for it. While the session is paused it
stands still: going on moves it by as long as the pause took. Times are unix ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from fittracker.mongo import Document

TimerKind = Literal["rest", "interval"]
TIMED: Final = ("rest", "interval")


class Timer(msgspec.Struct):
    """A rest or an interval. `left_ms` is how much of it is left while the session is paused, else null."""

    id: str
    kind: TimerKind
    text: str | None
    to: str | None
    starts_at: int
    ends_at: int
    left_ms: int | None = None


def running(session: Mapping[str, Any], now_ms: int) -> list[Timer]:
    """The timers of a session that have not come to their end, those for everybody and those for one."""
    paused_at = session.get("paused_at")
    reference = now_ms if paused_at is None else int(paused_at.timestamp() * 1000)
    found = []
    for each in session.get("timers", ()):
        # The driver's Int64 is an int to all but the JSON encoder.
        starts_at, ends_at = int(each["starts_at"]), int(each["ends_at"])
        if ends_at > reference:
            left = None if paused_at is None else ends_at - max(reference, starts_at)
            found.append(Timer(each["id"], each["kind"], each["text"], each["to"], starts_at, ends_at, left))
    return found


def concerning(timers: list[Timer], user: str | None) -> list[Timer]:
    """Those for everybody, and those for this person."""
    return [each for each in timers if each.to is None or each.to == user]


def setting(timer: Timer) -> Document:
    """The stage of an update that begins a timer, in place of an older one for the same people.

    A newer one for them stays, so that a cue which is sent again changes nothing.
    """
    row = {name: getattr(timer, name) for name in ("id", "kind", "text", "to", "starts_at", "ends_at")}
    same = {"$eq": ["$$each.to", timer.to]}
    newer = {"$and": [same, {"$gt": ["$$each.starts_at", timer.starts_at]}]}
    kept = {"$and": [{"$not": [same]}, {"$gt": ["$$each.ends_at", timer.starts_at]}]}
    set_anew = {"$concatArrays": [_those(kept), [{"$literal": row}]]}
    return {"$set": {"timers": {"$cond": [{"$ne": [_those(newer), []]}, "$timers", set_anew]}}}


def stopping(to: str | None, at_ms: int) -> Document:
    """The stage of an update that ends what was begun until then, for one person or for everybody."""
    later = {"$gt": ["$$each.starts_at", at_ms]}
    kept = later if to is None else {"$or": [later, {"$ne": ["$$each.to", to]}]}
    return {"$set": {"timers": _those(kept)}}


def moved(paused_at_ms: Document, by_ms: Document) -> Document:
    """The timers as an expression, those that ran at the pause moved by so many ms."""
    still = {"$gt": ["$$each.ends_at", paused_at_ms]}
    later = {
        "$mergeObjects": [
            "$$each",
            {name: {"$add": [f"$$each.{name}", by_ms]} for name in ("starts_at", "ends_at")},
        ]
    }
    return {"$map": {"input": _TIMERS, "as": "each", "in": {"$cond": [still, later, "$$each"]}}}


_TIMERS: Final[Document] = {"$ifNull": ["$timers", []]}


def _those(condition: Document) -> Document:
    return {"$filter": {"input": _TIMERS, "as": "each", "cond": condition}}
