"""The fields of our schemas: what each takes, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields

from handlers.fields import (
    Choice,
    Day,
    Flag,
    Id,
    Moment,
    Number,
    Paragraphs,
    Secret,
    Text,
    TimeZone,
    Whole,
    WholeText,
)

GOOD: list[tuple[fields.Field[Any], Any, Any]] = [
    (Text(), "  Anna  ", "Anna"),
    (Text(), "Zoë O'Neil-Müller 李", "Zoë O'Neil-Müller 李"),
    (Text(), "🏃‍♀️ hills", "🏃‍♀️ hills"),
    (Paragraphs(), " one\r\n\ttwo\n\nthree ", "one\n\ttwo\n\nthree"),
    (Secret(), " spaces stay \t", " spaces stay \t"),
    (Choice("a", "b"), "b", "b"),
    (Whole(1, 5), 5, 5),
    (WholeText(1, 5), "5", 5),
    (Number(0, 5), 5, 5),
    (Number(0, 5), 0.5, 0.5),
    (Flag(), False, False),
    (Id(), "0123456789abcdef01234567", "0123456789abcdef01234567"),
    (Day(), "2024-02-29", "2024-02-29"),
    (Moment(), "2026-11-23T10:00:00Z", datetime(2026, 11, 23, 10, tzinfo=UTC)),
    (Moment(), "2026-11-23t11:00:00.123456+01:00", datetime(2026, 11, 23, 10, 0, 0, 123_000, UTC)),
    (TimeZone(), "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    (TimeZone(), "UTC", "UTC"),
]
BAD: list[tuple[fields.Field[Any], list[Any]]] = [
    (
        Text(1, 5),
        ["", "   ", "x" * 6, "a\nb", "a\rb", "a\x00b", "\x1b[0m", "a\u2028b", "a\u202eb", 1, None, ["a"]],
    ),
    (
        Paragraphs(1, 5),
        ["", " \n ", "x" * 6, "a\rb", "a\x00b", "\x1b[0m", "a\u2028b", "a\u202eb", 1, None, ["a"]],
    ),
    (Secret(10), ["", "x" * 11, 5, {"$ne": None}]),
    (Choice("a", "b"), ["c", "A", "", 1, ["a"], {"$in": ["a"]}]),
    (Whole(1, 5), [0, 6, 1.0, 2.5, "3", True, None, 2**63, -(10**30)]),
    (WholeText(1, 5), ["0", "6", "1.0", "", "x", "٣", "9" * 40, 3]),
    (Number(0, 5), [-0.1, 5.1, "3", True, float("nan"), float("inf"), 10**400]),
    (Flag(), [0, 1, "true", "yes", "", None]),
    (Id(), ["", "x", "0123456789ABCDEF01234567", "0" * 23, "0" * 25, "0" * 24 + "\n", 1, {"$gt": ""}]),
    (
        Day(),
        ["2026-02-29", "2026-13-01", "26-01-01", "2026-1-1", "2026-01-01T00:00:00Z", "٢٠٢٦-٠١-٠١", 20260101],
    ),
    (
        Moment(),
        [
            "2026-11-23",
            "2026-11-23T10:00:00",
            "2026-11-23 10:00:00Z",
            "2026-11-23T25:00:00Z",
            "2026-11-23T10:00:00+25:00",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-12:00",
            1_700_000_000,
            "now",
        ],
    ),
    (TimeZone(), ["", "Mars/Olympus", "Europe", "../etc/passwd", "/etc/localtime", "utc\n", "A/B/C/D", 5]),
]


def read(field: fields.Field[Any], value: Any) -> Any:
    """As a body would be read."""
    schema = Schema.from_dict({"it": field})()
    return schema.load({"it": value})["it"]


@pytest.mark.parametrize(("field", "value", "kept"), GOOD, ids=lambda each: repr(each)[:40])
def test_good_values_are_taken(field: fields.Field[Any], value: Any, kept: Any) -> None:
    """As they are, or as they are kept."""
    taken = read(field, value)
    assert taken == kept
    assert type(taken) is type(kept)


@pytest.mark.parametrize(("field", "values"), BAD, ids=[type(field).__name__ for field, _ in BAD])
def test_bad_values_are_refused(field: fields.Field[Any], values: list[Any]) -> None:
    """By a ValidationError about the field, never by anything else."""
    for value in values:
        with pytest.raises(ValidationError) as caught:
            read(field, value)
        assert set(caught.value.messages) == {"it"}, value  # type: ignore[arg-type]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
)
def test_whatever_comes_is_taken_or_refused(value: Any) -> None:
    """Nothing makes a field fail in any other way."""
    for field, _ in BAD:
        try:
            read(field, value)
        except ValidationError:
            continue


def test_a_moment_is_shown_in_utc() -> None:
    """With its milliseconds and a Z."""
    schema = Schema.from_dict({"at": Moment()})()
    assert schema.dump({"at": datetime(2026, 11, 23, 10, tzinfo=UTC)}) == {"at": "2026-11-23T10:00:00.000Z"}
