"""Taking everything that is one's own along, and bringing it in again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import hdrs, web
from marshmallow import Schema, fields

from fittracker.errors import Conflict, NotFound
from handlers.endpoint import Call
from handlers.fields import Choice, Id, Moment
from handlers.routes import SIGNED_IN, Upload, route

ZIP: Final = "application/zip"
ARCHIVE: Final = Upload((ZIP,), 1 << 30, streamed=True)
"""The limit that counts is IMPORT_BYTES."""


class Job(Schema):
    """Work that goes on by itself: ask again until `status` is ready or failed; `progress` is 0 to 1."""

    id = Id(attribute="_id", required=True)
    status = Choice("queued", "running", "ready", "failed", required=True)
    progress = fields.Float(required=True)
    created_at = Moment(required=True)
    expires_at = Moment()
    reason = fields.String()


class ExportResult(Schema):
    """How large the zip is, in bytes, and how many rows are in it."""

    size = fields.Integer(required=True)
    rows = fields.Integer(required=True)


class ExportJob(Job):
    """An export."""

    result = fields.Nested(ExportResult)


class Download(Schema):
    """`download=true` asks for the zip itself, as `Accept: application/zip` does."""

    download = Choice("true", "false", load_default="false")


class Refusal(Schema):
    """A row, or a whole file where `row` is null, that was not taken."""

    file = fields.String(required=True)
    row = fields.Integer(allow_none=True)
    reason = fields.String(required=True)


class ImportResult(Schema):
    """Rows by file: `imported`, and `skipped` because they were there; `refused` counts all that was not.

    `problems` tells of the first hundred; `left_out` names what an export holds and no import takes.
    """

    imported = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    skipped = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    refused = fields.Integer(required=True)
    problems = fields.List(fields.Nested(Refusal), required=True)
    left_out = fields.List(fields.String(), required=True)


class ImportJob(Job):
    """An import."""

    result = fields.Nested(ImportResult)


@route("POST", "/users/me/export", SIGNED_IN, status=202, answer=ExportJob)
async def export(call: Call) -> dict[str, Any]:
    """Ask for everything one owns, as a zip; a mail says when it is ready.

    While one is on its way, asking again gives the same; five may be begun a day.
    """
    return await call.contexts.ownership.exports.ask(call.user, call.caller)


@route(
    "GET",
    "/users/me/export/{id}",
    SIGNED_IN,
    query=Download,
    answer=ExportJob,
    media=ZIP,
    raises=(NotFound, Conflict),
)
async def exported(call: Call) -> dict[str, Any] | web.StreamResponse:
    """How far an export has come; the zip itself with `download=true` or `Accept: application/zip`.

    It is kept for three days. 409 where the zip is asked for before it is ready.
    """
    exports, job_id = call.contexts.ownership.exports, call.path("id")
    if call.query["download"] == "false" and ZIP not in call.request.headers.get(hdrs.ACCEPT, ""):
        return await exports.get(call.user, job_id)
    job, content = await exports.fetch(call.user, job_id)
    return await _send(call.request, job, content)


async def _send(
    request: web.Request, job: dict[str, Any], content: AsyncIterator[bytes]
) -> web.StreamResponse:
    """The zip, chunk by chunk: it may be larger than the memory of a worker."""
    response = web.StreamResponse()
    response.content_type = ZIP
    response.content_length = job["result"]["size"]
    name = f"fittracker-export-{job['created_at']:%Y-%m-%d}.zip"
    response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{name}"'
    await response.prepare(request)
    async for chunk in content:
        await response.write(chunk)
    await response.write_eof()
    return response


@route(
    "POST",
    "/users/me/import",
    SIGNED_IN,
    status=202,
    upload=ARCHIVE,
    answer=ImportJob,
    raises=(Conflict,),
)
async def take_in(call: Call) -> dict[str, Any]:
    """Bring in an export, of this account or of another: what is not there yet is added, nothing is replaced.

    The same one twice adds nothing. 409 while another import is on its way.
    """
    body = call.request.content.iter_any()
    return await call.contexts.ownership.imports.ask(call.user, body, call.caller)


@route("GET", "/users/me/import/{id}", SIGNED_IN, answer=ImportJob, raises=(NotFound,))
async def taken_in(call: Call) -> dict[str, Any]:
    """How far an import has come, and what came of it."""
    return await call.contexts.ownership.imports.get(call.user, call.path("id"))
