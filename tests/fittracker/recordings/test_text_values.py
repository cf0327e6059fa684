"""Values out of the text of XML."""

from __future__ import annotations

import pytest

from fittracker.recordings import DEFAULT_LIMITS
from fittracker.recordings.draft import Draft
from fittracker.recordings.text_values import read_number, read_pulse, read_time


@pytest.fixture
def draft() -> Draft:
    return Draft(DEFAULT_LIMITS)


def test_numbers_are_read_within_what_a_field_can_hold(draft: Draft) -> None:
    """The borders belong to it."""
    assert read_number(draft, "lat", "-90") == -90
    assert read_number(draft, "altitude_m", "1.2e1") == 12
    assert draft.unreadable_values == 0


@pytest.mark.parametrize("text", ["90.1", "nan", "inf", "-inf", "north", "1,5"])
def test_what_is_no_number_of_the_field_is_counted(draft: Draft, text: str) -> None:
    """And is no value."""
    assert read_number(draft, "lat", text) is None
    assert draft.unreadable_values == 1


def test_an_empty_element_is_not_measured(draft: Draft) -> None:
    """Nothing is wrong with it."""
    assert read_number(draft, "lat", "") is None
    assert read_pulse(draft, "") is None
    assert read_time(draft, "") is None
    assert draft.unreadable_values == 0


def test_heart_rates_are_whole(draft: Draft) -> None:
    """Zero is a value: the strap had no contact."""
    assert [read_pulse(draft, text) for text in ("141.6", "0", "300")] == [142, 0, 300]


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-15T12:00:00.250Z",
        "2023-11-15T12:00:00.25Z",
        "2023-11-15T12:00:00.2500000Z",
        "2023-11-15T13:00:00.250+01:00",
        "2023-11-15T12:00:00.250",
    ],
)
def test_times_are_read_in_every_form_that_devices_write(draft: Draft, text: str) -> None:
    """With any number of digits, and in UTC where no zone is given."""
    assert read_time(draft, text) == 1_700_049_600_250


@pytest.mark.parametrize("text", ["yesterday", "2023-13-01T00:00:00Z", "0000-01-01T00:00:00Z", "1700049600"])
def test_what_is_no_time_is_counted(draft: Draft, text: str) -> None:
    """And is no value; the last one is a count of seconds."""
    assert read_time(draft, text) is None
    assert draft.unreadable_values == 1
