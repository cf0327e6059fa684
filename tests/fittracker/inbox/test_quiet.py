"""Quiet hours by the wall clock, over midnight and over changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittracker.inbox.quiet import PUSHES, quiet_until
from fittracker.preferences import ALWAYS, NOTIFICATIONS

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "UTC", "Asia/Kathmandu")


def person(begin: str, end: str, zone: str = "Europe/Berlin") -> dict[str, Any]:
    """Somebody with these quiet hours."""
    return {"time_zone": zone, "preferences": {"quiet_hours": {"from": begin, "to": end}}}


@pytest.mark.parametrize(
    ("begin", "end", "now", "until"),
    [
        ("22:00", "07:00", "2026-11-27T20:59:59Z", None),
        ("22:00", "07:00", "2026-11-27T21:00:00Z", "2026-11-28T06:00:00Z"),
        ("22:00", "07:00", "2026-11-28T05:59:59Z", "2026-11-28T06:00:00Z"),
        ("22:00", "07:00", "2026-11-28T06:00:00Z", None),
        ("12:00", "13:30", "2026-11-28T11:15:00Z", "2026-11-28T12:30:00Z"),
        ("12:00", "13:30", "2026-11-28T21:15:00Z", None),
        # The night in which summer begins is an hour shorter, that in which it ends an hour longer.
        ("22:00", "07:00", "2027-03-27T22:00:00Z", "2027-03-28T05:00:00Z"),
        ("22:00", "07:00", "2026-10-24T21:00:00Z", "2026-10-25T06:00:00Z"),
        # An end that does not exist on that day: the clock jumps over it, from 2 to 3.
        ("22:00", "02:30", "2027-03-28T00:30:00Z", "2027-03-28T01:00:00Z"),
        ("22:00", "02:30", "2027-03-28T01:00:00Z", None),
        # One that comes twice: it is over at the first, and quiet again from 2 (which is 1) until the second.
        ("22:00", "02:30", "2026-10-25T00:15:00Z", "2026-10-25T00:30:00Z"),
        ("22:00", "02:30", "2026-10-25T01:15:00Z", "2026-10-25T01:30:00Z"),
    ],
)
def test_quiet_hours_end_when_the_clock_on_the_wall_says_so(
    begin: str, end: str, now: str, until: str | None
) -> None:
    """In Berlin."""
    found = quiet_until(person(begin, end), datetime.fromisoformat(now))
    assert found == (datetime.fromisoformat(until) if until else None)


def test_who_has_said_nothing_has_none() -> None:
    """Nor who took them back."""
    for preferences in ({}, {"quiet_hours": None}):
        assert quiet_until({"time_zone": "UTC", "preferences": preferences}, datetime.now(UTC)) is None


@settings(max_examples=300, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    begin=st.integers(0, 1439),
    length=st.integers(1, 1439),
    minute=st.integers(0, 60 * 24 * 730),
)
def test_they_always_end_and_are_quiet_until_then(zone: str, begin: int, length: int, minute: int) -> None:
    """Wherever and whenever: a moment before the end is quiet, the end is not, within a day and an hour."""
    hours = [f"{each // 60:02d}:{each % 60:02d}" for each in (begin, (begin + length) % 1440)]
    somebody = person(*hours, zone)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    until = quiet_until(somebody, now)
    local = now.astimezone(ZoneInfo(zone)).time()
    first, last = hours
    inside = first <= f"{local:%H:%M}" < last if first < last else not last <= f"{local:%H:%M}" < first
    assert (until is not None) == inside
    if until is not None:
        assert now < until <= now + timedelta(hours=25)
        assert quiet_until(somebody, until) is None
        assert quiet_until(somebody, until - timedelta(seconds=1)) == until


def test_every_kind_has_a_rule_and_security_is_never_held_back() -> None:
    """A new kind has to be thought about."""
    assert {*PUSHES} == {*NOTIFICATIONS}
    assert {kind for kind, rule in PUSHES.items() if rule == "sent"} == ALWAYS
