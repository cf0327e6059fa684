"""Workouts and the heart rate in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from aiohttp import web
from marshmallow import Schema, fields

from fittracker.errors import NotFound, TooLarge
from fittracker.paging import LARGEST
from handlers.coaching import Coached
from handlers.endpoint import Call
from handlers.fields import Choice, Id, Moment, Text, WholeText
from handlers.routes import SIGNED_IN, route

RESOLUTIONS = ("raw", "1s", "10s", "60s")


class Instant(Moment):
    """A moment in a query: RFC 3339, or unix milliseconds as the samples carry them. Kept as the latter."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> Any:
        if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value, re.ASCII):
            return int(value)
        moment = super()._deserialize(value, attr, data, **kw)
        return round(moment.timestamp() * 1000)


class Page(Schema):
    """How many, and from where."""

    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 60, load_default=None)


class Resolution(Schema):
    """Every sample, or the mean of each 1, 10 or 60 s."""

    resolution = Choice(*RESOLUTIONS, load_default="raw")


class Span(Resolution):
    """From when to when, half-open."""

    class Meta:
        """`from` is a word of Python, so the field has to be declared by its name."""

        include: ClassVar = {"from": Instant(required=True, attribute="from_ms")}

    to = Instant(required=True, attribute="to_ms")
    cursor = WholeText(0, 10**15, load_default=None)


class Summary(Schema):
    """The figures of a workout; `methods` says how each was computed, and from what."""

    samples = fields.Integer(required=True)
    duration_s = fields.Float(required=True)
    avg_bpm = fields.Float(allow_none=True, required=True)
    max_bpm = fields.Integer(allow_none=True, required=True)
    min_bpm = fields.Integer(allow_none=True, required=True)
    zones_s = fields.List(fields.Float(), allow_none=True, required=True)
    trimp = fields.Float(allow_none=True, required=True)
    rmssd_ms = fields.Float(allow_none=True, required=True)
    kcal = fields.Float(allow_none=True, required=True)
    methods = fields.Dict(keys=fields.String(), required=True)


class Device(Schema):
    """What recorded it."""

    name = fields.String(required=True)
    kind = fields.String(allow_none=True)


class Best(Schema):
    """The best average heart rate over so many seconds."""

    seconds = fields.Integer(required=True)
    bpm = fields.Float(required=True)


class Workout(Schema):
    """A workout."""

    id = Id(attribute="_id", required=True)
    sport = fields.String(allow_none=True, required=True)
    source = fields.String(required=True)
    device = fields.Nested(Device, allow_none=True, required=True)
    session = Id(allow_none=True, required=True)
    coaching = fields.Nested(Coached, allow_none=True)
    started_at = Moment(required=True)
    ended_at = Moment(required=True)
    duration_s = fields.Float(required=True)
    summary = fields.Nested(Summary, required=True)
    curve = fields.List(fields.Nested(Best), required=True)
    zones = fields.List(fields.List(fields.Integer()), allow_none=True, required=True)
    created_at = Moment(required=True)


class WorkoutPage(Schema):
    """A page of workouts, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Workout), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class Reading(Schema):
    """A sample, or a bucket of them: `t` unix ms, `bpm` 0 for no contact, `rr` in ms."""

    t = fields.Integer(required=True)
    bpm = fields.Integer(required=True)
    rr = fields.List(fields.Float())


class Series(Schema):
    """Heart rate over time."""

    resolution = fields.String(required=True)
    items = fields.List(fields.Nested(Reading), required=True)


class SeriesPage(Series):
    """A page of it; `next_cursor` is null on the last one."""

    next_cursor = fields.String(allow_none=True, required=True)


@route("GET", "/workouts", SIGNED_IN, query=Page, answer=WorkoutPage, compress=True)
async def workouts(call: Call) -> dict[str, Any]:
    """One's own workouts, newest first."""
    items, cursor = await call.contexts.workouts.page(call.user, call.query["limit"], call.query["cursor"])
    return {"items": items, "next_cursor": cursor}


@route("GET", "/workouts/{id}", SIGNED_IN, answer=Workout, raises=(NotFound,))
async def workout(call: Call) -> dict[str, Any]:
    """One of one's own workouts."""
    return await call.contexts.workouts.get(call.user, call.path("id"))


@route(
    "GET",
    "/workouts/{id}/heart-rate",
    SIGNED_IN,
    query=Resolution,
    answer=Series,
    compress=True,
    raises=(NotFound, TooLarge),
)
async def heart_rate(call: Call) -> web.Response:
    """The heart rate of a workout, whole."""
    resolution = call.query["resolution"]
    items = await call.contexts.workouts.heart_rate(call.user, call.path("id"), resolution)
    return _series({"resolution": resolution, "items": items})


@route(
    "GET", "/users/me/heart-rate", SIGNED_IN, query=Span, answer=SeriesPage, compress=True, raises=(TooLarge,)
)
async def my_heart_rate(call: Call) -> web.Response:
    """One's own heart rate over any span of time, by pages."""
    return await _span(call, call.user)


@route(
    "GET",
    "/users/{id}/heart-rate",
    SIGNED_IN,
    query=Span,
    answer=SeriesPage,
    compress=True,
    raises=(NotFound, TooLarge),
)
async def heart_rate_of(call: Call) -> web.Response:
    """The heart rate of an athlete who has made it public, or granted a look at it."""
    athlete = call.path("id")
    await call.contexts.people.check_recorded(call.user, athlete)
    return await _span(call, athlete)


async def _span(call: Call, user: str) -> web.Response:
    query = call.query
    items, cursor = await call.contexts.series.of_user(
        user, query["from_ms"], query["to_ms"], query["resolution"], query["cursor"]
    )
    following = None if cursor is None else str(cursor)
    return _series({"resolution": query["resolution"], "items": items, "next_cursor": following})


def _series(answer: dict[str, Any]) -> web.Response:
    """Encoded as it is: a schema would take 10 us a sample, and a ride has twenty thousand."""
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
