"""From a route to what aiohttp calls: read, check, run, answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import HttpVersion11, hdrs, web
from marshmallow import Schema, ValidationError

from fittracker.auth.identity import Identity
from fittracker.caller import Caller
from fittracker.contexts import Contexts
from fittracker.errors import Invalid, PreconditionFailed, TooLarge, Unauthenticated
from fittracker.ids import new_id
from handlers.dump import dumper
from handlers.idempotency import once
from handlers.keys import ADDRESS, CONTEXTS, IDENTITY, REQUEST_ID
from handlers.payload import check_length, check_upload, read_object, read_upload
from handlers.problems import respond
from handlers.routes import Route, Upload

COMPRESSED_HERE_BYTES: Final = 32_768
"""Compressing so much takes half a millisecond, less than it costs to ask a thread for it."""
DEVICE_CHARACTERS: Final = 200
MOST_COMPLAINTS: Final = 50
"""How many wrong fields an answer names: it must not be many times what was asked."""
ROUTE: Final = "__fittracker_endpoint__"
Dump = Callable[[Mapping[str, Any]], dict[str, Any]]
_ETAG: Final = re.compile(r'"(\d{1,9})"', re.ASCII)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with something beside its data. `version` becomes the ETag."""

    data: Any = None
    version: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """What a route function gets: everything of the request that was checked."""

    request: web.Request
    contexts: Contexts
    body: Mapping[str, Any]
    query: Mapping[str, Any]
    content: bytes = b""
    """The body of a route that takes an upload."""

    @property
    def identity(self) -> Identity:
        """Who calls; there on every route that is not for anybody."""
        if IDENTITY not in self.request:
            raise Unauthenticated("Sign in first.")
        return self.request[IDENTITY]

    @property
    def user(self) -> str:
        """The id of who calls."""
        return self.identity.user

    @property
    def address(self) -> str:
        """The address they call from."""
        return self.request[ADDRESS]

    @property
    def caller(self) -> Caller:
        """Who calls from where, for the audit log; also while nobody is signed in."""
        return caller(self.request)

    def path(self, name: str) -> str:
        """A variable part of the path."""
        return self.request.match_info[name]

    @property
    def if_match(self) -> int | None:
        """The version the caller believes to change; None where they do not care."""
        text = self.request.headers.get(hdrs.IF_MATCH)
        if text is None or text.strip() == "*":
            return None
        found = _ETAG.fullmatch(text.strip())
        if found is None:
            raise PreconditionFailed("If-Match must be an ETag of this server.")
        return int(found[1])


def caller(request: web.Request) -> Caller:
    """Who is behind a request. The device is what the client calls itself, made harmless: it is shown."""
    identity = request.get(IDENTITY)
    text = request.headers.get(hdrs.USER_AGENT, "")
    device = "".join(each for each in text if each.isprintable())[:DEVICE_CHARACTERS]
    return Caller(identity.user if identity else None, request[ADDRESS], request[REQUEST_ID], device)


def endpoint(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler of a route."""
    body = route.body() if route.body else None
    query = route.query() if route.query else None
    answer = dumper(route.answer()) if route.answer else None

    async def handle(request: web.Request) -> web.StreamResponse:
        upload = route.upload
        content = await _content(request, upload) if upload else b""
        fields = load(body, await read_object(request)) if body else await _no_body(request, upload)
        call = Call(request, request.config_dict[CONTEXTS], fields, _query(query, request), content)
        if route.idempotent:
            return await once(request, f"{route.method} {route.path}", partial(perform, call))
        return await perform(call)

    async def perform(call: Call) -> web.StreamResponse:
        result = await route.run(call)
        if isinstance(result, web.StreamResponse):
            return result
        reply = result if isinstance(result, Reply) else Reply(result)
        return _respond(call.request, route, answer, reply)

    setattr(handle, ROUTE, route)
    return handle


def route_of(request: web.Request) -> Route | None:
    """The route of a request; None where there is none (404, 405, a CORS preflight)."""
    return getattr(request.match_info.handler, ROUTE, None)


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Answer `Expect: 100-continue`: a body that is too large is refused before it is sent at all."""
    route = route_of(request)
    try:
        check_length(request, route.upload.most_bytes if route and route.upload else None)
    except TooLarge as failure:
        return respond(failure, new_id())
    if request.version >= HttpVersion11 and request.headers[hdrs.EXPECT].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    return None


def load(schema: Schema, value: Mapping[str, Any]) -> dict[str, Any]:
    """The value, checked by a schema; Invalid names every field that is wrong."""
    try:
        loaded: dict[str, Any] = schema.load(value)
    except ValidationError as error:
        fields = dict(_flat("", error.messages)[:MOST_COMPLAINTS])
        raise Invalid("Some fields are not acceptable.", fields=fields) from error
    return loaded


def _flat(prefix: str, messages: Any) -> list[tuple[str, str]]:
    """marshmallow's tree of messages as `athletes.0 -> is no id`."""
    if not isinstance(messages, dict):
        text = messages[0] if isinstance(messages, list) and messages else messages
        return [(prefix, str(text).rstrip("."))]
    found = []
    for name, below in messages.items():
        # An unknown field's name is the caller's own text: it is told, but not at any length.
        path = prefix if name == "_schema" else f"{prefix}.{name}"[:120].lstrip(".")
        found += _flat(path, below)
    return found


def _query(schema: Schema | None, request: web.Request) -> dict[str, Any]:
    names = [name for name, _ in request.query.items()]
    if len(set(names)) != len(names):
        raise Invalid("A parameter occurs twice.", fields=dict.fromkeys(names, "once"))
    if schema is None:
        if names:
            raise Invalid("There is no such parameter.", fields=dict.fromkeys(names[:20], "is not known"))
        return {}
    for name, value in request.query.items():
        if "\x00" in name or "\x00" in value or not value.isprintable():
            raise Invalid("A parameter holds control characters.", fields={name: "is not readable"})
    return load(schema, dict(request.query))


async def _content(request: web.Request, upload: Upload) -> bytes:
    """The body of an upload; b"" of one that the route reads by itself."""
    if upload.streamed:
        check_upload(request, upload.types, upload.most_bytes)
        return b""
    return await read_upload(request, upload.types, upload.most_bytes)


async def _no_body(request: web.Request, upload: Upload | None) -> dict[str, Any]:
    if upload is not None:
        return {}
    check_length(request)
    if request.body_exists and await request.read():
        raise Invalid("This request takes no body.")
    return {}


def _respond(request: web.Request, route: Route, answer: Dump | None, reply: Reply) -> web.Response:
    headers = dict(reply.headers)
    if reply.version is not None:
        headers[hdrs.ETAG] = tag = f'"{reply.version}"'
        if route.versioned and request.headers.get(hdrs.IF_NONE_MATCH) == tag:
            return web.Response(status=304, headers=headers)
    if answer is None:
        return web.Response(status=route.status, headers=headers)
    return web.Response(
        body=msgspec.json.encode(answer(reply.data)),
        status=route.status,
        content_type="application/json",
        headers=headers,
        zlib_executor_size=COMPRESSED_HERE_BYTES,
    )
