"""Answers hold what their schema names, in its form, and nothing beside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from marshmallow import Schema, fields

from handlers.auth import SessionList, SignedIn
from handlers.coaching import SessionPage
from handlers.dump import dumper
from handlers.fields import Moment
from handlers.grants import GrantList
from handlers.rest import MODULES
from handlers.routes import Routes
from handlers.users import Me, Preferences, ZoneRows

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ID = "a" * 24
PERSON = {
    "_id": ID,
    "email": "anna@example.org",
    "name": "Anna",
    "role": "user",
    "birth_date": "1990-02-03",
    "sex": None,
    "weight_kg": 61.5,
    "created_at": NOW,
    "password": "a hash",
}
DOCUMENTS: list[tuple[type[Schema], dict[str, Any]]] = [
    (Me, PERSON),
    (SignedIn, {"access_token": "a", "refresh_token": "r", "expires_in": 900, "user": PERSON, "x": 1}),
    (
        SessionPage,
        {
            "items": [
                {"_id": ID, "title": "x", "starts_at": NOW, "athletes": [ID], "capacity": 3, "secret": 1}
            ],
            "next_cursor": None,
        },
    ),
    (GrantList, {"items": [{"_id": ID, "until": None, "data": ["workouts"], "created_at": NOW}]}),
    (SessionList, {"items": []}),
    (ZoneRows, {"items": [{"sport": None, "since": "2026-01-01", "edges": [1, 2, 3, 4, 5, 6]}]}),
    (Preferences, {"alerts": {"high": 170, "low": None}, "units": "metric"}),
    (Preferences, {}),
]


@pytest.mark.parametrize(("schema", "document"), DOCUMENTS, ids=lambda each: getattr(each, "__name__", ""))
def test_it_writes_what_marshmallow_would(schema: type[Schema], document: dict[str, Any]) -> None:
    """Field by field, and not what the schema does not name."""
    assert dumper(schema())(document) == schema().dump(document)


def test_c4_what_no_schema_names_stays_in_the_house() -> None:
    """A hash that a context lets slip is in no answer."""
    assert "a hash" not in str(dumper(Me())(PERSON))


def test_every_answer_can_be_written() -> None:
    """The schemas of all routes are known to it."""
    for route in Routes(MODULES):
        if route.answer is not None:
            dumper(route.answer())


def test_a_field_it_does_not_know_stops_the_start() -> None:
    """Rather than a request, some day."""

    class Odd(Schema):
        when = fields.TimeDelta()

    with pytest.raises(TypeError, match="TimeDelta"):
        dumper(Odd())


def test_moments_in_a_list_are_written_as_moments() -> None:
    """Also where one is missing."""

    class Times(Schema):
        at = fields.List(Moment(allow_none=True))

    assert dumper(Times())({"at": [NOW, None]}) == {"at": ["2026-11-23T10:00:00.000Z", None]}
