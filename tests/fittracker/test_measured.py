"""What can be measured about somebody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fittracker.errors import Invalid
from fittracker.measured import KINDS, NAMES, check_moment, check_value, kind_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def anna(**profile: Any) -> dict[str, Any]:
    """Somebody."""
    return {"birth_date": "1990-05-05", "time_zone": "Europe/Berlin", **profile}


@pytest.mark.parametrize("name", NAMES)
def test_a_value_lies_in_the_range_of_its_kind(name: str) -> None:
    """Its ends are good, what lies beyond them is told what would be."""
    kind = kind_of(name)
    for good in (kind.least, kind.most):
        check_value(kind, good)
    for bad in (kind.least - 1, kind.most + 1, -1e300, 1e300):
        with pytest.raises(Invalid) as caught:
            check_value(kind, bad)
        assert kind.range in caught.value.fields["value"]


def test_hearts_beat_whole_times() -> None:
    """61.5 kg is a weight, 61.5 bpm is a mean of something."""
    for kind in KINDS:
        half = kind.least + 10.5
        if kind.whole:
            with pytest.raises(Invalid, match="Nobody"):
                check_value(kind, half)
        else:
            check_value(kind, half)


def test_there_is_no_other_kind() -> None:
    """Not even one with a dollar."""
    with pytest.raises(Invalid) as caught:
        kind_of("$ne")
    assert set(caught.value.fields) == {"kind"}


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (NOW + timedelta(hours=25), "lies in the future"),
        (datetime(1990, 5, 4, 21, 59, tzinfo=UTC), "lies before the birth"),
        (datetime(1, 1, 1, tzinfo=UTC), "lies before the birth"),
    ],
)
def test_nobody_is_measured_when_they_cannot_be(at: datetime, why: str) -> None:
    """Tomorrow's clock is forgiven, next week's is not; a birthday begins at home."""
    with pytest.raises(Invalid) as caught:
        check_moment(anna(), at, NOW)
    assert caught.value.fields == {"at": why}


def test_what_is_possible_is_taken() -> None:
    """The minute of birth in Berlin, an hour ahead, and for who does not say when they were born 1900."""
    check_moment(anna(), datetime(1990, 5, 4, 22, tzinfo=UTC), NOW)
    check_moment(anna(), NOW + timedelta(hours=23), NOW)
    check_moment(anna(birth_date=None), datetime(1900, 1, 1, tzinfo=UTC), NOW)
    with pytest.raises(Invalid):
        check_moment(anna(birth_date=None), datetime(1899, 12, 31, tzinfo=UTC), NOW)
