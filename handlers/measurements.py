"""Measurements of the body, with their dates: one's own, and an athlete's who lets a trainer see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import Schema, fields

from fittracker.errors import Conflict, Invalid, NotFound
from fittracker.measured import KINDS, NAMES, kind_of
from fittracker.measurements import Wanted
from fittracker.mongo import Document
from fittracker.paging import LARGEST
from handlers.endpoint import Call
from handlers.fields import Choice, Id, Moment, Number, Text, WholeText
from handlers.routes import SIGNED_IN, route

LEAST, MOST = min(kind.least for kind in KINDS), max(kind.most for kind in KINDS)
RANGES = "; ".join(f"{kind.name}: {'whole, ' if kind.whole else ''}{kind.range}" for kind in KINDS)
VALUE = {"description": f"By kind: {RANGES}."}
MOMENT = {"description": "Not before the birth, at most a day ahead; now, where it is left out."}


class NewMeasurement(Schema):
    """A value of one kind, of now or of the moment `at`. The unit follows from the kind."""

    kind = Choice(*NAMES, required=True)
    value = Number(LEAST, MOST, required=True, metadata=VALUE)
    at = Moment(load_default=None, allow_none=True, metadata=MOMENT)
    note = Text(1, 300, load_default=None, allow_none=True)


class MeasurementChange(Schema):
    """What to correct; the kind stays what it is."""

    value = Number(LEAST, MOST, metadata=VALUE)
    at = Moment(metadata=MOMENT)
    note = Text(1, 300, allow_none=True)


class Measurement(Schema):
    """A measurement. Its value is null where the profile's value was taken back: unknown from then on."""

    id = Id(attribute="_id", required=True)
    kind = fields.String(required=True)
    value = fields.Float(allow_none=True, required=True)
    unit = fields.String(required=True)
    at = Moment(required=True)
    note = fields.String(allow_none=True, required=True)
    created_at = Moment(required=True)


class MeasurementQuery(Schema):
    """Of one kind or of all, from a moment on until before another, a page at a time."""

    class Meta:
        """`from` is a word of Python, so the field has to be declared by its name."""

        include: ClassVar = {"from": Moment(load_default=None, attribute="since")}

    to = Moment(load_default=None, attribute="until")
    kind = Choice(*NAMES, load_default=None)
    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 60, load_default=None)


class MeasurementPage(Schema):
    """A page of measurements, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Measurement), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


@route("GET", "/users/me/measurements", SIGNED_IN, query=MeasurementQuery, answer=MeasurementPage)
async def my_measurements(call: Call) -> dict[str, Any]:
    """One's own measurements, newest first."""
    return await _page(call, call.user)


@route(
    "POST",
    "/users/me/measurements",
    SIGNED_IN,
    status=201,
    body=NewMeasurement,
    answer=Measurement,
    idempotent=True,
)
async def add(call: Call) -> Document:
    """Write a measurement down. The profile follows the newest one of its kind.

    The same again is the one that is there: of the same moment, or, without a moment, within 10 s.
    """
    body = call.body
    return _shown(
        await call.contexts.measurements.add(
            call.user, body["kind"], body["value"], at=body["at"], note=body["note"]
        )
    )


@route(
    "PATCH",
    "/users/me/measurements/{id}",
    SIGNED_IN,
    body=MeasurementChange,
    answer=Measurement,
    raises=(NotFound, Conflict),
)
async def change(call: Call) -> Document:
    """Correct a measurement of one's own; the profile follows."""
    return _shown(await call.contexts.measurements.change(call.user, call.path("id"), call.body))


@route("DELETE", "/users/me/measurements/{id}", SIGNED_IN, status=204, raises=(NotFound,))
async def forget(call: Call) -> None:
    """Delete a measurement of one's own; the profile falls back to the one before."""
    await call.contexts.measurements.delete(call.user, call.path("id"))


@route(
    "GET",
    "/users/{id}/measurements",
    SIGNED_IN,
    query=MeasurementQuery,
    answer=MeasurementPage,
    raises=(NotFound,),
)
async def measurements_of(call: Call) -> dict[str, Any]:
    """The measurements of an athlete who has granted a look at them."""
    athlete = call.path("id")
    if athlete != call.user and not await call.contexts.grants.allows(call.user, athlete, "measurements"):
        raise NotFound("There is no such person.")
    return await _page(call, athlete)


async def _page(call: Call, user: str) -> dict[str, Any]:
    query = call.query
    since, until = query["since"], query["until"]
    if since is not None and until is not None and until < since:
        raise Invalid("It ends before it begins.", fields={"to": "lies before from"})
    items, cursor = await call.contexts.measurements.page(
        user, Wanted(kind=query["kind"], since=since, until=until), query["limit"], query["cursor"]
    )
    return {"items": [_shown(each) for each in items], "next_cursor": cursor}


def _shown(measurement: Mapping[str, Any]) -> Document:
    return {**measurement, "unit": kind_of(measurement["kind"]).unit}
