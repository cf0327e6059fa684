"""Quiet hours: from one time of the day to another, by the clock on the person's wall.

They are set as `preferences.quiet_hours {from, to}` (`HH:MM`, over midnight where `from` is the later one).
When the clock is changed in between they are an hour longer or shorter, as the night is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

Rule = Literal["sent", "waits", "dropped"]
PUSHES: Final[Mapping[str, Rule]] = {
    "security": "sent",
    "account": "waits",
    "booking": "waits",
    "receipt": "waits",
    "weekly_summary": "waits",
    "social": "waits",
    # About what goes on at the moment: in the morning it would be about something that is over.
    "coaching": "dropped",
    "challenge": "waits",
    "chat": "waits",
}
"""What becomes of a push in quiet hours. Mails wait; sockets show everything at once."""
_STEP: Final = timedelta(seconds=1)


def quiet_until(person: Mapping[str, Any], now: datetime) -> datetime | None:
    """When this person's quiet hours end (UTC), None while they have none.

    `person`: a document with `preferences` and `time_zone`; `now` is aware.
    """
    hours = person["preferences"].get("quiet_hours")
    if not hours:
        return None
    begin, end = time.fromisoformat(hours["from"]), time.fromisoformat(hours["to"])
    zone = ZoneInfo(person["time_zone"])
    if not _is_quiet(now.astimezone(zone), begin, end):
        return None
    return _end(now, zone, begin, end)


def _is_quiet(local: datetime, begin: time, end: time) -> bool:
    at = local.time()
    return begin <= at < end if begin < end else at >= begin or at < end


def _end(now: datetime, zone: ZoneInfo, begin: time, end: time) -> datetime:
    """The first moment after now at which the wall clock has left the quiet hours."""
    today = now.astimezone(zone).date()
    quiet = now
    # A time of the day may come twice, or not at all: each way of reading it is tried.
    candidates = sorted(
        datetime.combine(today + timedelta(days=day), end, zone).replace(fold=fold).astimezone(UTC)
        for day in (0, 1, 2)
        for fold in (0, 1)
    )
    for each in candidates:
        if each <= now:
            continue
        if not _is_quiet(each.astimezone(zone), begin, end):
            return _first(quiet, each, zone, begin, end)
        quiet = each
    raise ValueError(f"the hours {begin} to {end} do not end in {zone.key}")


def _first(quiet: datetime, loud: datetime, zone: ZoneInfo, begin: time, end: time) -> datetime:
    """The end itself, between a quiet moment and a later one that is not: the clock may jump over it."""
    if _is_quiet((loud - _STEP).astimezone(zone), begin, end):
        return loud
    while loud - quiet > _STEP:
        middle = quiet + (loud - quiet) / 2
        if _is_quiet(middle.astimezone(zone), begin, end):
            quiet = middle
        else:
            loud = middle
    return loud.replace(microsecond=0)
