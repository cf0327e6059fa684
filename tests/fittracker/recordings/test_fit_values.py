"""Plain values out of what a FIT file may hold."""

from __future__ import annotations

import math

import pytest

from fittracker.recordings.fit_values import FIRST_DATE_S, degrees, number, pulse, text, unix_ms


@pytest.mark.parametrize("value", [None, (1, 2), math.nan, math.inf, "12", b"12"])
def test_what_is_not_a_finite_number_is_no_value(value: object) -> None:
    """Tuples are what is left of a field of the wrong size."""
    assert number(value) is None
    assert unix_ms(value) is None
    assert degrees(value, 90) is None


def test_heart_rates_that_no_heart_has_are_no_values() -> None:
    """A field of an app may hold any number; 0 is a sensor without contact and stays."""
    assert [pulse(value) for value in (0, 300, 301, -1, None)] == [0, 300, None, None, None]


def test_angles_beyond_the_poles_are_no_position() -> None:
    """Half a circle is as far east as it goes, a quarter as far north."""
    assert degrees(2**30, 90) == 90
    assert degrees(2**30 + 2**10, 90) is None
    assert degrees(-(2**31), 180) == -180


def test_seconds_below_the_first_date_are_counted_from_switching_on() -> None:
    """The protocol's own border."""
    assert unix_ms(FIRST_DATE_S) == (FIRST_DATE_S + 631_065_600) * 1000
    assert unix_ms(FIRST_DATE_S - 1) == (FIRST_DATE_S - 1) * 1000


def test_what_the_profile_has_no_name_for_goes_by_its_number() -> None:
    """New makers are not in an old profile."""
    assert [text(value) for value in ("garmin", 999, None, (1, 2))] == ["garmin", "999", None, None]
