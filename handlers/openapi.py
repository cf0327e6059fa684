"""The OpenAPI document and a page to read it, both made from the route table."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from fittracker.errors import (
    BadRequest,
    Conflict,
    Failure,
    Forbidden,
    Invalid,
    PreconditionFailed,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from handlers.console_storage import COOKIE
from handlers.idempotency import FORM, KEY, LONGEST, REPLAYED
from handlers.routes import Route

PREFIX: Final = "/api/v1"
PROBLEM: Final = "application/problem+json"
_VARIABLE: Final = re.compile(r"{(\w+)}")
_VARIABLES: Final = {"id": {"type": "string", "pattern": "^[0-9a-f]{24}$"}}


_HEADERS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    429: {"Retry-After": {"required": True, "schema": {"type": "integer"}}},
}


class Problem(Schema):
    """Every error (RFC 9457); `code` is the same as on the WebSocket."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    detail = fields.String()
    fields_ = fields.Dict(keys=fields.String(), values=fields.String(), data_key="fields")
    retry_after_ms = fields.Integer()
    request_id = fields.String()


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """The API as OpenAPI 3.1."""
    spec = APISpec(
        title="FitTracker Pro",
        version=version,
        openapi_version="3.1.0",
        info={"description": "The REST sidecar of a realtime-first server; live data goes over GET /ws."},
        servers=[{"url": PREFIX}],
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    spec.components.security_scheme("console", {"type": "apiKey", "in": "cookie", "name": COOKIE})
    spec.components.schema("Problem", schema=Problem)
    for route in routes:
        spec.path(route.path, operations={route.method.lower(): _operation(route)})
    made: dict[str, Any] = spec.to_dict()
    _speak_ecmascript(made)
    return made


def _speak_ecmascript(part: Any) -> None:
    r"""Patterns of JSON Schema are ECMAScript's: there `\Z` is the letter Z, and `$` is the very end."""
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            part["pattern"] = part["pattern"].removesuffix(r"\Z") + "$" * part["pattern"].endswith(r"\Z")
        for each in part.values():
            _speak_ecmascript(each)
    elif isinstance(part, list):
        for each in part:
            _speak_ecmascript(each)


def _schema_name(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__


def _operation(route: Route) -> dict[str, Any]:
    summary, about = route.about
    operation: dict[str, Any] = {
        "operationId": f"{route.run.__module__.rpartition('.')[2]}_{route.run.__name__}",
        "tags": [route.subject],
        "summary": summary,
        "description": about,
        "x-policy": route.policy.name,
        "parameters": _parameters(route),
        "responses": _responses(route),
        "security": [] if route.policy.anonymous else [{"token": []}, {"console": []}],
    }
    if route.body is not None:
        content = {"application/json": {"schema": route.body}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.upload is not None:
        kinds = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in route.upload.types}
        operation["requestBody"] = {"required": True, "content": kinds}
    return operation


def _parameters(route: Route) -> list[Any]:
    found: list[Any] = [
        {"name": name, "in": "path", "required": True, "schema": _VARIABLES.get(name, {"type": "string"})}
        for name in _VARIABLE.findall(route.path)
    ]
    if route.query is not None:
        found.append({"in": "query", "schema": route.query})
    if PreconditionFailed in route.raises:
        found.append({"name": "If-Match", "in": "header", "schema": {"type": "string"}})
    if route.versioned:
        found.append({"name": "If-None-Match", "in": "header", "schema": {"type": "string"}})
    if route.idempotent:
        form = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": f"^{FORM.pattern}$"}
        found.append({"name": KEY, "in": "header", "schema": form, "description": _ONCE})
    return found


_ONCE: Final = (
    "Any text of the caller's, for one request: sending the same again within 24 hours gives the first "
    f"answer again, with `{REPLAYED}: true`, and does nothing. 422 where another request had it, 409 with "
    "`Retry-After` while the first one is at work."
)


def statuses(route: Route) -> set[int]:
    """Every status this route answers with."""
    return {int(status) for status in _responses(route)}


def _responses(route: Route) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done"}
    content: dict[str, Any] = {}
    if route.answer is not None:
        content["application/json"] = {"schema": route.answer}
    if route.media is not None:
        content[route.media] = {}
    if content:
        good["content"] = content
    responses = {str(route.status): good}
    if route.idempotent:
        good["headers"] = {REPLAYED: {"schema": {"type": "string", "enum": ["true"]}}}
    if route.versioned:
        good["headers"] = {"ETag": {"schema": {"type": "string"}}}
        responses["304"] = {"description": "It is still the version of If-None-Match"}
    for status, failures in sorted(_failures(route).items()):
        responses[str(status)] = {
            "description": " or ".join(each.title for each in failures),
            "content": {PROBLEM: {"schema": Problem}},
        }
        if status in _HEADERS:
            responses[str(status)]["headers"] = _HEADERS[status]
    return responses


def _failures(route: Route) -> dict[int, list[type[Failure]]]:
    """What may go wrong, by status: what every route shares, what follows from its shape, and its own."""
    kinds: list[type[Failure]] = [BadRequest, Invalid, TooLarge, RateLimited, Failure, Unavailable]
    if not route.policy.anonymous:
        kinds.append(Unauthenticated)
        # A device token is refused wherever its scope is not asked for.
        kinds.append(Forbidden)
    if route.body is not None or route.upload is not None:
        kinds.append(UnsupportedMediaType)
    if route.idempotent:
        kinds.append(Conflict)
    found: dict[int, list[type[Failure]]] = {}
    for kind in (*kinds, *route.raises):
        found.setdefault(kind.status, [])
        if kind not in found[kind.status]:
            found[kind.status].append(kind)
    return found


def page(spec: dict[str, Any]) -> str:
    """The document for people: one page without scripts and without anything from elsewhere."""
    chapters: dict[str, list[str]] = {}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            chapters.setdefault(operation["tags"][0], []).append(_row(method, path, operation))
    body = "".join(
        f"<h2>{html.escape(name)}</h2><table>{''.join(rows)}</table>" for name, rows in chapters.items()
    )
    return _PAGE.format(title=html.escape(spec["info"]["title"]), version=spec["info"]["version"], body=body)


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    cells = [
        f"<b>{method.upper()}</b>",
        f"<code>{html.escape(PREFIX + path)}</code>",
        html.escape(operation["x-policy"]),
        html.escape(operation["summary"]),
        html.escape(", ".join(operation["responses"])),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} API</title>
<style>body{{font:16px/1.5 sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td{{border-top:1px solid #ccd;padding:.3rem .6rem}}
code{{white-space:nowrap}}</style></head>
<body><h1>{title} API {version}</h1>
<p>For machines: <a href="openapi.json">openapi.json</a>.
Live data goes over the WebSocket at <code>/ws</code>: <a href="docs/live">its commands and events</a>.</p>
{body}</body></html>
"""
STYLE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""The page carries its style in itself."""
