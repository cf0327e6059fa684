"""Grants: what an athlete lets a trainer see."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from fittracker.errors import NotFound
from fittracker.grants import KINDS
from handlers.endpoint import Call
from handlers.fields import Choice, Id, Moment
from handlers.routes import SIGNED_IN, route


class NewGrant(Schema):
    """To whom, which kinds of data, perhaps until when."""

    trainer = Id(required=True)
    data = fields.List(Choice(*KINDS), required=True, validate=validate.Length(min=1, max=len(KINDS)))
    until = Moment(load_default=None, allow_none=True)


class Grant(Schema):
    """A grant in force."""

    id = Id(attribute="_id", required=True)
    athlete = Id(required=True)
    athlete_name = fields.String()
    trainer = Id(required=True)
    trainer_name = fields.String()
    data = fields.List(fields.String(), required=True)
    until = Moment(allow_none=True, required=True)
    created_at = Moment(required=True)


class GrantList(Schema):
    """Those one gave and those one was given, newest first."""

    items = fields.List(fields.Nested(Grant), required=True)


@route("GET", "/grants", SIGNED_IN, answer=GrantList)
async def grants(call: Call) -> dict[str, Any]:
    """The grants one gave, and as a trainer those one has."""
    return {"items": await call.contexts.grants.of_user(call.user)}


@route(
    "POST",
    "/grants",
    SIGNED_IN,
    status=201,
    body=NewGrant,
    answer=Grant,
    raises=(NotFound,),
    idempotent=True,
)
async def give(call: Call) -> dict[str, Any]:
    """Let a trainer see chosen kinds of one's data; an earlier grant to the same trainer is replaced."""
    body = call.body
    return await call.contexts.grants.give(
        call.user, body["trainer"], body["data"], body["until"], caller=call.caller
    )


@route("DELETE", "/grants/{id}", SIGNED_IN, status=204, raises=(NotFound,))
async def end(call: Call) -> None:
    """Take a grant back, or as the trainer give it up: what it opened is closed at once."""
    await call.contexts.grants.end(call.user, call.path("id"), caller=call.caller)
