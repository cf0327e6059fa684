"""The inbox: what happened to one, and what of it one has read."""

from __future__ import annotations

from typing import Any

import msgspec
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from fittracker.errors import NotFound
from fittracker.paging import LARGEST
from handlers.endpoint import Call
from handlers.fields import Flag, Id, Moment, Text, WholeText
from handlers.routes import SIGNED_IN, route


class InboxActor(Schema):
    """Somebody who caused it; `name` is empty where they are gone."""

    user = Id(required=True)
    name = fields.String(required=True)


class InboxEntry(Schema):
    """Something that happened, or several of a kind about one `subject`: `count` times, by `people` people.

    `actors` are the newest three of them, `by` the newest, `data` is of the newest; `text` is English.
    """

    id = Id(attribute="_id", required=True)
    kind = fields.String(required=True)
    event = fields.String(required=True)
    by = Id(required=True, allow_none=True)
    subject = fields.String(required=True, allow_none=True)
    data = fields.Dict(required=True)
    at = Moment(attribute="changed_at", required=True)
    count = fields.Integer(required=True)
    people = fields.Integer(required=True)
    actors = fields.List(fields.Nested(InboxActor), required=True)
    text = fields.String(required=True)
    read = fields.Boolean(required=True)


class InboxQuery(Schema):
    """How many, and from where."""

    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 60, load_default=None)


class InboxState(Schema):
    """How many are unread in the whole inbox, at its revision: of several answers the highest is right."""

    unread = fields.Integer(required=True)
    revision = fields.Integer(required=True)


class InboxPage(InboxState):
    """A page, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(InboxEntry), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class ReadNow(Schema):
    """Either `ids`, or `all: true`."""

    ids = fields.List(Id(), validate=validate.Length(min=1, max=LARGEST), load_default=None)
    all = Flag(load_default=False)

    @validates_schema
    def _one_of_two(self, data: dict[str, Any], **_: Any) -> None:
        if data["all"] == (data["ids"] is not None):
            raise ValidationError("ids or all, not both", "ids")


@route("GET", "/notifications", SIGNED_IN, query=InboxQuery, answer=InboxPage, compress=True)
async def inbox(call: Call) -> dict[str, Any]:
    """One's inbox, the same as `notify.list` on the socket."""
    page = await call.contexts.notifications.page(call.user, call.query["limit"], call.query["cursor"])
    return {
        "items": [{**each, "actors": msgspec.to_builtins(each["actors"])} for each in page.items],
        "next_cursor": page.next_cursor,
        "unread": page.unread,
        "revision": page.revision,
    }


@route("POST", "/notifications/read", SIGNED_IN, body=ReadNow, answer=InboxState, raises=(NotFound,))
async def read(call: Call) -> dict[str, Any]:
    """Mark entries as read; one's other devices are told. 404 where none of the ids is in one's inbox."""
    unread, revision = await call.contexts.notifications.read(call.user, call.body["ids"])
    return {"unread": unread, "revision": revision}
