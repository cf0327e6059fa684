"""Other people: what one may see of them, finding them, and telling that somebody behaves badly."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from fittracker.errors import NotFound
from fittracker.paging import LARGEST
from fittracker.people_search import LONGEST_CURSOR, LONGEST_QUERY
from fittracker.reports import LONGEST_TEXT, REASONS
from handlers.endpoint import Call
from handlers.fields import Choice, Id, Moment, Paragraphs, Text, WholeText
from handlers.routes import SIGNED_IN, route


class FoundPerson(Schema):
    """Somebody, as everybody may see them."""

    id = Id(attribute="_id", required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    member_since = Moment(attribute="created_at", required=True)


class PublicPerson(FoundPerson):
    """The same, and what this person shows to the one who asks: `weight_kg` is there only then."""

    weight_kg = fields.Float(allow_none=True)


class PeoplePage(Schema):
    """A page of people, by name; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(FoundPerson), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class PeopleQuery(Schema):
    """Beginnings of words of a name, as plain text: no character means anything else."""

    query = Text(1, LONGEST_QUERY, required=True)
    limit = WholeText(1, LARGEST, load_default=20)
    cursor = Text(1, LONGEST_CURSOR, load_default=None)


class NewReport(Schema):
    """What is wrong with somebody; `text` may have several lines."""

    reason = Choice(*REASONS, required=True)
    text = Paragraphs(1, LONGEST_TEXT, load_default=None, allow_none=True)


@route("GET", "/users", SIGNED_IN, query=PeopleQuery, answer=PeoplePage, compress=True)
async def search(call: Call) -> dict[str, Any]:
    """Find people by the beginnings of the words of their names."""
    query = call.query
    items, cursor = await call.contexts.people_search.find(
        call.user, query["query"], query["limit"], query["cursor"]
    )
    return {"items": items, "next_cursor": cursor}


@route("GET", "/users/{id}", SIGNED_IN, answer=PublicPerson, raises=(NotFound,))
async def person(call: Call) -> dict[str, Any]:
    """What a person shows: to everybody, or to a trainer whom they let see more."""
    return await call.contexts.people.profile(call.user, call.path("id"))


@route("POST", "/users/{id}/report", SIGNED_IN, status=202, body=NewReport, raises=(NotFound,))
async def report(call: Call) -> None:
    """Tell whoever runs this place about a person; the same complaint again changes nothing."""
    body = call.body
    await call.contexts.reports.make(call.path("id"), body["reason"], body["text"], call.caller)
