"""The audit log, for administrators."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import Schema, fields

from fittracker.audit import EVENTS
from fittracker.paging import LARGEST
from handlers.endpoint import Call
from handlers.fields import Choice, Id, Moment, Text, WholeText
from handlers.routes import ADMIN, route


class Search(Schema):
    """Which entries: all that match every given parameter, of the half-open span of time."""

    class Meta:
        """`from` is a word of Python, so the field has to be declared by its name."""

        include: ClassVar = {"from": Moment(load_default=None, attribute="since")}

    to = Moment(load_default=None, attribute="until")
    event = Choice(*sorted(EVENTS), load_default=None)
    actor = Id(load_default=None)
    target = Text(1, 100, load_default=None)
    address = Text(1, 45, load_default=None)
    request = Text(1, 60, load_default=None)
    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 20, load_default=None)


class Entry(Schema):
    """What somebody (`actor`; null: nobody who was signed in) did to somebody or something (`target`).

    `hash` is the SHA-256 of the entry, in which `prev`, the one before's, is contained.
    """

    seq = fields.Integer(attribute="_id", required=True)
    at = Moment(required=True)
    event = fields.String(required=True)
    actor = fields.String(allow_none=True, required=True)
    target = fields.String(allow_none=True, required=True)
    address = fields.String(required=True)
    request = fields.String(required=True)
    detail = fields.Dict(keys=fields.String(), required=True)
    prev = fields.String(required=True)
    hash = fields.String(required=True)


class EntryPage(Schema):
    """A page of them, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Entry), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


@route("GET", "/admin/audit", ADMIN, query=Search, answer=EntryPage)
async def audit(call: Call) -> dict[str, Any]:
    """What happened to accounts, sign-ins, grants and data, newest first. Looking is written down as well."""
    query = call.query
    if query["cursor"] is None:
        whom = query["target"] or query["actor"]
        await call.contexts.audit.record(
            "admin.looked", call.caller, target=whom, what="audit", events=query["event"]
        )
    items, cursor = await call.contexts.audit_reading.page(
        query, query["since"], query["until"], query["limit"], query["cursor"]
    )
    return {"items": items, "next_cursor": cursor}
