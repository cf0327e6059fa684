"""The inbox: what happened to one, what of it one has read, and the browsers one is pushed to."""

from __future__ import annotations

from typing import Any

import msgspec
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from fittracker.clock import of_ms
from fittracker.errors import Conflict, NotFound
from fittracker.paging import LARGEST
from fittracker.push.endpoints import LONGEST as LONGEST_ENDPOINT
from fittracker.push.subscriptions import Target
from handlers.endpoint import Call
from handlers.fields import Flag, Id, Moment, Number, Text, WholeText
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


# -- browsers to push to -------------------------------------------------------------------------------


class PushKey(Schema):
    """`key`: the applicationServerKey to subscribe with (base64url); null where push is off."""

    enabled = fields.Boolean(required=True)
    key = fields.String(required=True, allow_none=True)


class PushKeys(Schema):
    """The keys of a PushSubscription, base64url."""

    p256dh = Text(80, 100, required=True)
    auth = Text(16, 32, required=True)


class NewSubscription(Schema):
    """A PushSubscription as the browser gives it (`toJSON`); `expirationTime` in unix milliseconds."""

    endpoint = Text(12, LONGEST_ENDPOINT, required=True)
    keys = fields.Nested(PushKeys, required=True)
    expirationTime = Number(0, 1e14, load_default=None, allow_none=True)  # noqa: N815  the browser's name


class PushSubscription(Schema):
    """A browser that is pushed to; `host` is its push service's."""

    id = Id(attribute="_id", required=True)
    host = fields.String(required=True)
    created_at = Moment(required=True)


class PushSubscriptionPage(Schema):
    """All of them, newest first."""

    items = fields.List(fields.Nested(PushSubscription), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


@route("GET", "/notifications/push-key", SIGNED_IN, answer=PushKey)
async def push_key(call: Call) -> dict[str, Any]:
    """With which key a browser subscribes to Web Push."""
    key = call.contexts.push_subscriptions.key
    return {"enabled": key is not None, "key": key}


@route("GET", "/notifications/subscriptions", SIGNED_IN, query=InboxQuery, answer=PushSubscriptionPage)
async def subscriptions(call: Call) -> dict[str, Any]:
    """The browsers that one is pushed to."""
    page = call.contexts.push_subscriptions.page
    items, cursor = await page(call.user, call.query["limit"], call.query["cursor"])
    return {"items": items, "next_cursor": cursor}


@route(
    "POST",
    "/notifications/subscriptions",
    SIGNED_IN,
    status=201,
    body=NewSubscription,
    answer=PushSubscription,
    raises=(Conflict,),
)
async def subscribe(call: Call) -> dict[str, Any]:
    """Be pushed to in this browser, for as long as one is signed in here. Again is the same."""
    ends = call.body["expirationTime"]
    return await call.contexts.push_subscriptions.add(
        call.user,
        call.identity.sid,
        Target(call.body["endpoint"], **call.body["keys"]),
        None if ends is None else of_ms(int(ends)),
    )


@route("DELETE", "/notifications/subscriptions/{id}", SIGNED_IN, status=204, raises=(NotFound,))
async def unsubscribe(call: Call) -> None:
    """Be pushed to no more in one of one's browsers."""
    await call.contexts.push_subscriptions.remove(call.user, call.path("id"))
