"""One's own profile, zones and preferences."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from fittracker.errors import PreconditionFailed
from fittracker.preferences import PRESENCE, VISIBILITIES, whole
from fittracker.zones import MOST_ROWS
from handlers.endpoint import Call, Reply
from handlers.fields import Choice, Clock, Day, Flag, Id, Moment, Number, Text, TimeZone, Whole
from handlers.routes import SIGNED_IN, route


class Heart(Schema):
    """What the figures about a body are computed from. SI units; null where unknown."""

    birth_date = Day(allow_none=True)
    sex = Choice("female", "male", allow_none=True)
    weight_kg = Number(20, 400, allow_none=True)
    height_cm = Number(80, 260, allow_none=True)
    resting_hr = Whole(20, 150, allow_none=True)
    max_hr = Whole(60, 250, allow_none=True)
    time_zone = TimeZone()


class ProfileChange(Heart):
    """The fields to change."""

    name = Text(1, 80)


class Me(Heart):
    """Oneself."""

    id = Id(attribute="_id", required=True)
    email = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    created_at = Moment(required=True)


class ZoneRow(Schema):
    """Zones of one sport (null: of all), from a day on.

    `maximum`: shares of the highest heart rate; `reserve`: shares of the heart-rate reserve (Karvonen);
    `own`: six `edges`. Heart rates that are left out are taken from the profile, now.
    """

    sport = Text(1, 40, load_default=None, allow_none=True)
    since = Day(required=True)
    method = Choice("maximum", "reserve", "own", required=True)
    edges = fields.List(Whole(1, 250), load_default=None, allow_none=True, validate=validate.Length(equal=6))
    max_hr = Number(60, 250, load_default=None, allow_none=True)
    resting_hr = Number(20, 150, load_default=None, allow_none=True)


class ZoneRows(Schema):
    """All rows, in the order of sport and day."""

    items = fields.List(fields.Nested(ZoneRow), required=True, validate=validate.Length(max=MOST_ROWS))


class Alerts(Schema):
    """One's own alert limits; null turns an alert off, what is left out follows from the profile.

    `high` and `low` in bpm, `jump` as a change in bpm within 5 s, `lost_s` in seconds.
    """

    high = Whole(60, 250, allow_none=True)
    low = Whole(20, 150, allow_none=True)
    jump = Whole(15, 150, allow_none=True)
    irregular = Flag()
    lost_s = Number(1, 300, allow_none=True)


class Channels(Schema):
    """Over which channels a kind of notification is sent."""

    socket = Flag()
    mail = Flag()
    push = Flag()


class Notifications(Schema):
    """Which notifications one gets: kinds, and for each the channels. `security` cannot be turned off."""

    security = fields.Nested(Channels)
    account = fields.Nested(Channels)
    booking = fields.Nested(Channels)
    receipt = fields.Nested(Channels)
    weekly_summary = fields.Nested(Channels)
    social = fields.Nested(Channels)
    coaching = fields.Nested(Channels)
    challenge = fields.Nested(Channels)
    chat = fields.Nested(Channels)


class QuietHours(Schema):
    """From one time of the day to another in one's own zone, over midnight where `from` is the later one."""

    class Meta:
        """`from` is a word of Python, so the field has to be declared by its name."""

        include: ClassVar = {"from": Clock(required=True)}

    to = Clock(required=True)

    @validates_schema
    def _differ(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("from") == data.get("to"):
            raise ValidationError("must differ from `from`", "to")


class Privacy(Schema):
    """Who may see it: `public`, everybody who is signed in; `followers`, also those who follow one.

    `private`: oneself and who was granted it. Where a field is for followers, or the profile is not public,
    whoever wants to follow has to ask.

    `presence`, whether one is online, may also be `contacts`: with whom one shares a grant, a coaching
    session or a conversation; `private` is nobody there.
    """

    profile = Choice(*VISIBILITIES)
    heart_rate = Choice(*VISIBILITIES)
    map = Choice(*VISIBILITIES)
    weight = Choice(*VISIBILITIES)
    presence = Choice(*PRESENCE)


class Preferences(Schema):
    """How one wants it; what is left out stays as it is.

    In `quiet_hours` nothing is pushed or mailed but what is about security; null for none.
    `alerts` is replaced as a whole; `notifications` and `privacy` change cell by cell, and are answered with
    every cell. The time zone belongs to the profile.
    """

    alerts = fields.Nested(Alerts)
    units = Choice("metric", "imperial")
    language = fields.String(validate=validate.Regexp(r"^[a-z]{2}(-[A-Z]{2})?\Z"))
    notifications = fields.Nested(Notifications)
    quiet_hours = fields.Nested(QuietHours, allow_none=True)
    privacy = fields.Nested(Privacy)


@route("GET", "/users/me", SIGNED_IN, answer=Me, versioned=True)
async def me(call: Call) -> Reply:
    """One's own profile. Its ETag changes with every change of profile, zones or preferences."""
    person = await call.contexts.users.get(call.user)
    return Reply(person, version=person["version"])


@route("PATCH", "/users/me", SIGNED_IN, body=ProfileChange, answer=Me, raises=(PreconditionFailed,))
async def change_me(call: Call) -> Reply:
    """Change one's profile; with If-Match only if nobody else has."""
    person = await call.contexts.users.change(call.user, call.body, call.if_match)
    return Reply(person, version=person["version"])


@route("GET", "/users/me/zones", SIGNED_IN, answer=ZoneRows, versioned=True)
async def zones(call: Call) -> Reply:
    """One's heart-rate zones, by sport and day."""
    person = await call.contexts.users.get(call.user)
    return Reply({"items": person["zones"]}, version=person["version"])


@route("PUT", "/users/me/zones", SIGNED_IN, body=ZoneRows, answer=ZoneRows, raises=(PreconditionFailed,))
async def change_zones(call: Call) -> Reply:
    """Replace one's zones. Workouts keep the zones that were in force on their day."""
    person = await call.contexts.users.change_zones(call.user, call.body["items"], call.if_match)
    return Reply({"items": person["zones"]}, version=person["version"])


@route("GET", "/users/me/preferences", SIGNED_IN, answer=Preferences, versioned=True)
async def preferences(call: Call) -> Reply:
    """One's preferences."""
    person = await call.contexts.users.get(call.user)
    return Reply(whole(person), version=person["version"])


@route(
    "PUT",
    "/users/me/preferences",
    SIGNED_IN,
    body=Preferences,
    answer=Preferences,
    raises=(PreconditionFailed,),
)
async def change_preferences(call: Call) -> Reply:
    """Change one's preferences; groups and cells that are left out stay as they are."""
    person = await call.contexts.users.change_preferences(call.user, call.body, call.if_match)
    return Reply(whole(person), version=person["version"])
