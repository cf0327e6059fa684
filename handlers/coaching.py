"""Coaching sessions: made by trainers, seen by who belongs to them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from fittracker.coaching.sessions import MOST_CAPACITY
from fittracker.errors import NotFound
from fittracker.paging import LARGEST
from handlers.endpoint import Call
from handlers.fields import Id, Moment, Text, Whole, WholeText
from handlers.routes import SIGNED_IN, TRAINER, route


class NewSession(Schema):
    """A session: live at once, or planned where it starts later."""

    title = Text(1, 120, required=True)
    capacity = Whole(1, MOST_CAPACITY, required=True)
    starts_at = Moment(load_default=None, allow_none=True)
    athletes = fields.List(Id(), load_default=list, validate=validate.Length(max=MOST_CAPACITY))


class CoachingSession(Schema):
    """A session; its room is `session:<id>`."""

    id = Id(attribute="_id", required=True)
    title = fields.String(required=True)
    trainer = Id(required=True)
    state = fields.String(required=True)
    starts_at = Moment(required=True)
    capacity = fields.Integer(required=True)
    athletes = fields.List(Id(), required=True)
    created_at = Moment(required=True)


class Page(Schema):
    """How many, and from where."""

    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 60, load_default=None)


class SessionPage(Schema):
    """A page of sessions, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(CoachingSession), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


@route("POST", "/sessions", TRAINER, status=201, body=NewSession, answer=CoachingSession, idempotent=True)
async def create(call: Call) -> dict[str, Any]:
    """Open a session with athletes who have granted a look at their heart rate."""
    return await call.contexts.coaching.create(call.user, **call.body)


@route("GET", "/sessions", SIGNED_IN, query=Page, answer=SessionPage, compress=True)
async def sessions(call: Call) -> dict[str, Any]:
    """The sessions one gives or takes part in."""
    items, cursor = await call.contexts.coaching.page(call.user, call.query["limit"], call.query["cursor"])
    return {"items": items, "next_cursor": cursor}


@route("GET", "/sessions/{id}", SIGNED_IN, answer=CoachingSession, raises=(NotFound,))
async def session(call: Call) -> dict[str, Any]:
    """One session that one belongs to."""
    return await call.contexts.coaching.get(call.user, call.path("id"))
