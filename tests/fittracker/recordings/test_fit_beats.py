"""The times of beats in FIT files."""

from __future__ import annotations

from fittracker.recordings import RR, HeartRate
from fittracker.recordings.fit_beats import RRClock, StrapMemory


def test_intervals_add_up_from_the_record_before_them() -> None:
    """And are given out when the next record comes."""
    clock = RRClock()
    assert list(clock.record(10_000)) == []
    clock.interval(600)
    clock.interval(500)
    assert list(clock.record(12_000)) == [RR(10_600, 600), RR(11_100, 500)]


def test_no_interval_goes_past_the_next_record() -> None:
    """A strap that reports late would otherwise shift everything after it."""
    clock = RRClock()
    list(clock.record(10_000))
    for _ in range(3):
        clock.interval(500)
    assert [interval.time_ms for interval in clock.record(11_000)] == [10_500, 10_999, 10_999]


def test_intervals_before_the_first_record_lead_up_to_it() -> None:
    """The last of them just before it."""
    clock = RRClock()
    clock.interval(600)
    clock.interval(500)
    assert list(clock.record(10_000)) == [RR(9_500, 600), RR(9_999, 500)]


def test_intervals_after_the_last_record_run_on() -> None:
    """Nothing limits them."""
    clock = RRClock()
    list(clock.record(10_000))
    clock.interval(700)
    clock.interval(700)
    assert [interval.time_ms for interval in clock.end()] == [10_700, 11_400]


def test_intervals_without_any_record_have_no_time() -> None:
    """They are kept: their differences need no clock."""
    clock = RRClock()
    clock.interval(700)
    assert list(clock.record(None)) == []
    assert list(clock.end()) == [RR(None, 700)]


def test_a_strap_that_never_tied_its_clock_has_no_times() -> None:
    """Its heart rates are counted and cannot be placed."""
    strap = StrapMemory()
    found = list(strap.message({"filtered_bpm": (80, 81), "event_timestamp_12": (0, 4, 128)}))
    assert found == [HeartRate(None, 80), HeartRate(None, 81)]


def test_invalid_heart_rates_of_a_strap_are_left_out_with_their_time() -> None:
    """The clock moves on through them."""
    strap = StrapMemory()
    list(strap.message({"timestamp": 1_000_000_000, "event_timestamp": 0, "filtered_bpm": 70}))
    found = list(strap.message({"filtered_bpm": (None, 72), "event_timestamp_12": (0, 4, 128)}))
    assert found == [HeartRate((1_000_000_000 + 631_065_600) * 1000 + 2000, 72)]


def test_the_clock_of_a_strap_rolls_over_after_32_bits() -> None:
    """48 days of wearing: the next beat is a second later, not 48 days earlier."""
    strap = StrapMemory()
    first = {"timestamp": 1_000_000_000, "event_timestamp": 0xFFFF_FFFF - 511, "filtered_bpm": 70}
    start = next(strap.message(first)).time_ms
    found = next(strap.message({"filtered_bpm": 71, "event_timestamp": 512}))
    assert start is not None
    assert found.time_ms == start + 1000
