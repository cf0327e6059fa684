"""What people have reported about others, for administrators."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from fittracker.errors import Conflict, NotFound
from fittracker.paging import LARGEST
from fittracker.reports import LONGEST_NOTE, STATES
from handlers.endpoint import Call
from handlers.fields import Choice, Id, Moment, Paragraphs, Text, WholeText
from handlers.routes import ADMIN, route


class ReportSearch(Schema):
    """In which state, or all."""

    state = Choice(*STATES, load_default=None)
    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 50, load_default=None)


class Report(Schema):
    """What `reporter` says of `user`; names are empty where the person is gone.

    `handled_by`: the administrator who changed it last, `note`: what they noted.
    """

    id = Id(attribute="_id", required=True)
    reporter = fields.String(required=True, allow_none=True)
    reporter_name = fields.String(required=True)
    user = fields.String(required=True, allow_none=True)
    user_name = fields.String(required=True)
    reason = fields.String(required=True)
    text = fields.String(required=True, allow_none=True)
    state = fields.String(required=True)
    created_at = Moment(required=True)
    handled_by = fields.String(required=True, allow_none=True)
    handled_at = Moment(allow_none=True)
    note = fields.String(required=True, allow_none=True)


class ReportPage(Schema):
    """A page of them, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Report), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class ReportChange(Schema):
    """What to change; what is left out stays as it is."""

    state = Choice(*STATES, load_default=None)
    note = Paragraphs(1, LONGEST_NOTE, load_default=None)


@route("GET", "/admin/reports", ADMIN, query=ReportSearch, answer=ReportPage)
async def reports(call: Call) -> dict[str, Any]:
    """What was reported, newest first. Looking is written down."""
    query = call.query
    await call.contexts.audit.record("admin.looked", call.caller, what="reports", state=query["state"])
    items, following = await call.contexts.reports.page(query["state"], query["cursor"], query["limit"])
    return {"items": items, "next_cursor": following}


@route("PATCH", "/admin/reports/{id}", ADMIN, body=ReportChange, answer=Report, raises=(NotFound, Conflict))
async def change_report(call: Call) -> dict[str, Any]:
    """Take a report up, decide on it, or note something.

    409 where it should become open again and the same complaint was made anew meanwhile.
    """
    body = call.body
    return await call.contexts.reports.change(call.path("id"), body["state"], body["note"], call.caller)
