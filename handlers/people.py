"""Other people: what one may see of them, finding them, and telling that somebody behaves badly."""

from __future__ import annotations

from marshmallow import Schema

from fittracker.errors import NotFound
from fittracker.reports import LONGEST_TEXT, REASONS
from handlers.endpoint import Call
from handlers.fields import Choice, Paragraphs
from handlers.routes import SIGNED_IN, route


class NewReport(Schema):
    """What is wrong with somebody; `text` may have several lines."""

    reason = Choice(*REASONS, required=True)
    text = Paragraphs(1, LONGEST_TEXT, load_default=None, allow_none=True)


@route("POST", "/users/{id}/report", SIGNED_IN, status=202, body=NewReport, raises=(NotFound,))
async def report(call: Call) -> None:
    """Tell whoever runs this place about a person; the same complaint again changes nothing."""
    body = call.body
    await call.contexts.reports.make(call.path("id"), body["reason"], body["text"], call.caller)
