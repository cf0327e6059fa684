"""Notifications as sentences, whatever people are called."""

from __future__ import annotations

import pytest

from fittracker.inbox.phrases import EVENTS, KINDS, LONGEST, phrase, who
from fittracker.preferences import NOTIFICATIONS
from tests.fittracker.letter_values import HOSTILE


def test_every_kind_has_words() -> None:
    """For an event that is not in the table."""
    assert {*KINDS} == {*NOTIFICATIONS}
    for kind in NOTIFICATIONS:
        assert phrase("thing.happened", kind, ["Anna"], people=1, data={}) == KINDS[kind]


@pytest.mark.parametrize(
    ("names", "people", "expected"),
    [
        (["Anna"], 1, "Anna"),
        (["Anna", "Bert"], 2, "Anna and Bert"),
        (["Anna", "Bert", "Carla"], 3, "Anna and 2 others"),
        (["Anna"], 2, "Anna and 1 other"),
        ([], 1, "Somebody"),
        ([], 4, "Somebody and 3 others"),
        ([], 0, "Somebody"),
    ],
)
def test_people_are_counted_and_the_newest_is_named(names: list[str], people: int, expected: str) -> None:
    """Those who are gone have no name, and count."""
    assert who(names, people) == expected


@pytest.mark.parametrize("event", EVENTS)
def test_a_name_or_a_title_is_only_ever_a_value(event: str) -> None:
    """It is not read as a template, and the sentence has an end."""
    for trick in HOSTILE.values():
        assert len(phrase(event, "social", [trick] * 2, people=2, data={"title": trick})) <= LONGEST
    plain = phrase(event, "social", ["Anna"], people=1, data={"title": "{who} {0} {who.__class__}"})
    assert "{who} {0} {who.__class__}" in plain
