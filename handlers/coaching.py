"""Coaching sessions: made by trainers, seen by who belongs to them."""

from __future__ import annotations

from typing import Any

import msgspec
from marshmallow import Schema, fields, validate

from fittracker.clock import of_ms
from fittracker.coaching.sessions import MOST_CAPACITY
from fittracker.errors import Conflict, Forbidden, Invalid, NotFound
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
    started_at = Moment(allow_none=True, load_default=None)
    ended_at = Moment(allow_none=True, load_default=None)
    capacity = fields.Integer(required=True)
    athletes = fields.List(Id(), required=True)
    created_at = Moment(required=True)


class SessionHeart(Schema):
    """An athlete's heart in the session: seconds, bpm, seconds in zones 1 to 5."""

    samples = fields.Integer(required=True)
    duration_s = fields.Float(required=True)
    avg_bpm = fields.Float(allow_none=True, required=True)
    max_bpm = fields.Integer(allow_none=True, required=True)
    min_bpm = fields.Integer(allow_none=True, required=True)
    zones_s = fields.List(fields.Float(), allow_none=True, required=True)
    trimp = fields.Float(allow_none=True, required=True)
    kcal = fields.Float(allow_none=True, required=True)


class SessionExercise(Schema):
    """Repetitions of one exercise, their mean score (0 to 100), and faults by code."""

    reps = fields.Integer(required=True)
    score = fields.Float(allow_none=True, required=True)
    faults = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class Coached(Schema):
    """What was done in a session: heart rate, repetitions and faults, cues by kind, feedback by severity."""

    session = Id(required=True)
    heart = fields.Nested(SessionHeart, allow_none=True, required=True)
    reps = fields.Integer(required=True)
    faults = fields.Integer(required=True)
    exercises = fields.Dict(keys=fields.String(), values=fields.Nested(SessionExercise), required=True)
    cues = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    feedback = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class AthleteResult(Coached):
    """The same of one athlete; `complete` is false while a stream of theirs still runs."""

    class Meta:
        """The whole of it names the session."""

        exclude = ("session",)

    user = Id(required=True)
    name = fields.String(required=True)
    workouts = fields.List(Id(), required=True)
    complete = fields.Boolean(required=True)


class SessionResult(Schema):
    """What a session came to; `duration_s` leaves pauses out, `count` is how many athletes took part."""

    session = Id(required=True)
    title = fields.String(required=True)
    trainer = Id(required=True)
    started_at = Moment(allow_none=True, required=True)
    ended_at = Moment(allow_none=True, required=True)
    duration_s = fields.Float(required=True)
    reason = fields.String(allow_none=True, required=True)
    count = fields.Integer(required=True)
    complete = fields.Boolean(required=True)
    athletes = fields.List(fields.Nested(AthleteResult), required=True)


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
    """Open a session and invite athletes to it; being invited shows nothing of them."""
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


@route(
    "GET",
    "/sessions/{id}/summary",
    SIGNED_IN,
    answer=SessionResult,
    raises=(NotFound, Conflict),
    compress=True,
)
async def summary(call: Call) -> dict[str, Any]:
    """What a session came to, once it has ended: its trainer sees all athletes, an athlete themselves."""
    found = await call.contexts.lessons.results.summary(call.user, call.path("id"))
    moments = {
        "started_at": None if found.started_at is None else of_ms(found.started_at),
        "ended_at": None if found.ended_at is None else of_ms(found.ended_at),
    }
    return {**msgspec.to_builtins(found), **moments}


@route(
    "PUT",
    "/sessions/{id}/athletes/{user}",
    SIGNED_IN,
    answer=CoachingSession,
    raises=(NotFound, Forbidden, Conflict, Invalid),
)
async def invite(call: Call) -> dict[str, Any]:
    """Give an athlete a place, by the trainer; again is the same. 409 where none is free or it is over."""
    return await call.contexts.lessons.places.invite(call.user, call.path("id"), call.path("user"))


@route(
    "DELETE",
    "/sessions/{id}/athletes/{user}",
    SIGNED_IN,
    status=204,
    raises=(NotFound, Forbidden, Conflict),
)
async def remove(call: Call) -> None:
    """Take an athlete out, by the trainer or by themselves: they leave its room at once, everywhere."""
    await call.contexts.lessons.places.remove(call.user, call.path("id"), call.path("user"))
