"""Which zones were in force, on which day, for which sport."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fittracker.errors import Invalid
from fittracker.profile import new_person
from fittracker.zones import MOST_ROWS, complete, zones_on

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OWN = [90, 110, 130, 150, 170, 190]


def person(*rows: dict[str, Any], **profile: Any) -> dict[str, Any]:
    """Somebody with these rows."""
    made = new_person("a" * 24, "anna@example.org", "Anna", "user", NOW, profile)
    return made | {"zones": complete(rows, made)}


def first_edge(anna: dict[str, Any], sport: str | None, day: str) -> int:
    """Where zone 1 begins."""
    zones = zones_on(anna, sport, day)
    assert zones is not None
    return zones.edges[0]


def test_without_a_row_they_are_shares_of_the_highest_rate() -> None:
    """By age, which is that of the day; a resting rate moves no edge but makes the reserve known."""
    anna = person(birth_date="1986-11-23", resting_hr=60)
    zones = zones_on(anna, "run", "2026-11-23")
    assert zones is not None
    assert (zones.method, zones.edges, zones.resting) == ("maximum", (90, 108, 126, 144, 162, 180), 60)
    assert first_edge(anna, None, "2006-11-23") == 97


def test_of_somebody_unknown_there_are_none() -> None:
    """And nothing is made up."""
    assert zones_on(person(), "run", "2026-11-23") is None


def test_the_newest_row_that_has_begun_counts() -> None:
    """On its first day already; before the first one, what follows from the profile."""
    anna = person(
        {"since": "2026-06-01", "method": "own", "edges": [edge + 10 for edge in OWN]},
        {"since": "2026-01-01", "method": "own", "edges": OWN},
        max_hr=160,
    )
    assert first_edge(anna, None, "2025-12-31") == 80
    assert first_edge(anna, None, "2026-01-01") == 90
    assert first_edge(anna, None, "2026-05-31") == 90
    assert first_edge(anna, None, "2026-06-01") == 100


def test_a_row_of_the_sport_goes_before_one_of_all_sports() -> None:
    """However much older it is; other sports do not see it."""
    anna = person(
        {"sport": "bike", "since": "2020-01-01", "method": "own", "edges": [edge - 10 for edge in OWN]},
        {"since": "2026-01-01", "method": "own", "edges": OWN},
    )
    assert first_edge(anna, "bike", "2026-06-01") == 80
    assert first_edge(anna, "run", "2026-06-01") == 90
    assert first_edge(anna, None, "2026-06-01") == 90


def test_a_row_does_not_move_when_the_profile_does() -> None:
    """What it took from the profile is written into it."""
    anna = person({"since": "2026-01-01", "method": "reserve"}, birth_date="1986-01-01", resting_hr=60)
    before = zones_on(anna, None, "2026-02-01")
    anna |= {"resting_hr": None, "birth_date": None, "max_hr": 200}
    assert zones_on(anna, None, "2026-02-01") == before
    assert before is not None
    assert before.edges == (120, 132, 144, 156, 168, 180)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"method": "maximum"}, "items.0.max_hr"),
        ({"method": "reserve", "max_hr": 190}, "items.0.resting_hr"),
        ({"method": "reserve", "max_hr": 100, "resting_hr": 110}, "items.0.max_hr"),
        ({"method": "own"}, "items.0.edges"),
        ({"method": "own", "edges": OWN[::-1]}, "items.0.edges"),
        ({"method": "own", "edges": OWN[:5]}, "items.0.edges"),
        ({"method": "maximum", "max_hr": 190, "edges": OWN}, "items.0.edges"),
    ],
)
def test_rows_that_make_no_zones_are_refused_by_name(row: dict[str, Any], field: str) -> None:
    """The field and the row."""
    with pytest.raises(Invalid) as caught:
        person({"since": "2026-01-01", **row})
    assert list(caught.value.fields) == [field]


def test_two_rows_of_a_sport_do_not_begin_on_one_day() -> None:
    """Two sports may; and there is an end of rows."""
    row = {"since": "2026-01-01", "method": "own", "edges": OWN}
    assert len(person(row, {**row, "sport": "run"})["zones"]) == 2
    with pytest.raises(Invalid):
        person(row, row)
    many = [{**row, "since": f"{2000 + n}-01-01"} for n in range(MOST_ROWS + 1)]
    with pytest.raises(Invalid):
        person(*many)
