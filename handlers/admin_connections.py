"""The open sockets of all workers, for administrators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from marshmallow import Schema, fields

from fittracker.connections import Socket
from fittracker.errors import NotFound
from fittracker.paging import LARGEST
from handlers.endpoint import Call
from handlers.fields import Id, Moment, Text, WholeText
from handlers.routes import ADMIN, route


class SocketSearch(Schema):
    """Which sockets: all that match every given parameter."""

    user = Id(load_default=None)
    address = Text(1, 45, load_default=None)
    room = Text(3, 80, load_default=None)
    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 60, load_default=None)


class OpenSocket(Schema):
    """An open socket. `user` and `role` are null where nobody has signed in on it yet.

    `opened_at` may be up to a second early. `device`: whether that was with a device token; `rooms`: how many
    it is in; `unread_bytes`: what its peer has not taken yet.
    """

    id = fields.String(required=True)
    user = fields.String(required=True, allow_none=True)
    role = fields.String(required=True, allow_none=True)
    device = fields.Boolean(required=True)
    address = fields.String(required=True)
    opened_at = Moment(required=True)
    encoding = fields.String(required=True)
    rooms = fields.Integer(required=True)
    unread_bytes = fields.Integer(required=True)


class SocketPage(Schema):
    """A page of them, newest first; `next_cursor` is null on the last one.

    `sockets`: how many are open in all. Where fewer `workers_answered` than were asked, some are missing.
    """

    items = fields.List(fields.Nested(OpenSocket), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    sockets = fields.Integer(required=True)
    workers_asked = fields.Integer(required=True)
    workers_answered = fields.Integer(required=True)


class Notice(Schema):
    """What everybody who is connected is told: one line."""

    text = Text(1, 500, required=True)


@route("GET", "/admin/connections", ADMIN, query=SocketSearch, answer=SocketPage)
async def connections(call: Call) -> dict[str, Any]:
    """Who is connected: every worker is asked, and has a second to answer. Looking is written down."""
    page = await call.contexts.connections.page(**call.query, caller=call.caller)
    return {
        "items": [_shown(each) for each in page.items],
        "next_cursor": page.next_cursor,
        "sockets": page.sockets,
        "workers_asked": page.workers_asked,
        "workers_answered": page.workers_answered,
    }


@route("DELETE", "/admin/connections/{id}", ADMIN, status=204, raises=(NotFound,))
async def close_connection(call: Call) -> None:
    """Close a socket, whichever worker has it; its client may sign in again (4010)."""
    await call.contexts.connections.close(call.path("id"), call.caller)


@route("POST", "/admin/notices", ADMIN, status=202, body=Notice)
async def announce(call: Call) -> None:
    """Say something to everybody who is connected now, as the event `server.notice`."""
    await call.contexts.connections.announce(call.body["text"], call.caller)


def _shown(socket: Socket) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.structs.asdict(socket)
    shown["opened_at"] = datetime.fromtimestamp(shown.pop("opened") / 1000, UTC)
    shown["unread_bytes"] = shown.pop("unread")
    return shown
