"""What follows from a profile."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from fittracker.errors import Invalid
from fittracker.profile import (
    age_on,
    alert_limits,
    check_profile,
    maximum_on,
    new_person,
    resting_on,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TODAY = "2026-11-23"


def person(**profile: Any) -> dict[str, Any]:
    """Somebody of whom only this is known."""
    return new_person("a" * 24, "anna@example.org", "Anna", "user", NOW, profile)


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        ("1986-11-23", "2026-11-22", 39),
        ("1986-11-23", "2026-11-23", 40),
        ("2004-02-29", "2026-02-28", 21),
        ("2004-02-29", "2026-03-01", 22),
        ("2004-02-29", "2028-02-29", 24),
        (None, "2026-01-01", None),
    ],
)
def test_age_changes_on_the_birthday(born: str | None, day: str, age: int | None) -> None:
    """Who was born on 29 February waits until 1 March."""
    assert age_on(born, day) == age


def test_the_highest_heart_rate_is_measured_or_by_tanaka() -> None:
    """A measured one wins; without an age there is none."""
    assert maximum_on(person(birth_date="1986-11-23"), TODAY) == 180.0
    assert maximum_on(person(birth_date="1986-11-23", max_hr=191), TODAY) == 191.0
    assert maximum_on(person(), TODAY) is None


def test_a_resting_rate_above_an_estimate_is_not_used() -> None:
    """At 110 the formula says 131; a pulse of 140 is kept in the profile, but makes no reserve."""
    old = person(birth_date="1916-01-01", resting_hr=140)
    assert resting_on(old, TODAY) is None
    assert resting_on(person(resting_hr=140), TODAY) == 140.0
    assert resting_on(person(resting_hr=50, max_hr=190), TODAY) == 50.0


def test_alert_limits_follow_from_the_heart_unless_they_are_ones_own() -> None:
    """High from the highest rate, low from the resting one."""
    limits = alert_limits(person(birth_date="1986-11-23", resting_hr=42), TODAY)
    assert (limits.high, limits.low) == (180, 37)
    own = person(birth_date="1986-11-23") | {"preferences": {"alerts": {"high": 150, "irregular": False}}}
    limits = alert_limits(own, TODAY)
    assert (limits.high, limits.low, limits.irregular) == (150, 40, False)
    assert alert_limits(person(), TODAY).high is None


def test_profiles_that_no_person_has_are_refused() -> None:
    """Children, the very old, the unborn, and hearts that rest faster than they race."""
    for profile in (
        {"birth_date": "2020-01-01"},
        {"birth_date": "2030-01-01"},
        {"birth_date": "1900-01-01"},
        {"resting_hr": 80, "max_hr": 80},
    ):
        with pytest.raises(Invalid):
            check_profile(profile, date(2026, 11, 23))
    check_profile({"birth_date": "2013-11-23"}, date(2026, 11, 23))
    check_profile({}, date(2026, 11, 23))
