"""The Idempotency-Key header: who sends a request again gets the first answer again, and one effect."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import hdrs, web

from fittracker.errors import BadRequest, Failure, Invalid
from fittracker.idempotency import Answer
from handlers.keys import CONTEXTS, IDENTITY, REQUEST_ID
from handlers.problems import respond

KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
LONGEST: Final = 128
FORM: Final = re.compile(r"[!-~](?:[ -~]{0,126}[!-~])?")
KEPT_HEADERS: Final = (hdrs.CONTENT_TYPE, hdrs.ETAG, hdrs.LOCATION)
TRANSIENT: Final = frozenset({401, 408, 429})
"""Refusals that say nothing about the request itself: the same one may be good in a minute."""
Run = Callable[[], Awaitable[web.StreamResponse]]


async def once(request: web.Request, route: str, run: Run, digest: str | None = None) -> web.StreamResponse:
    """What `run` answers, or what it answered to the same request before; without a key, just run it.

    `route` names the route: keys of different routes have nothing to do with each other. The body was read
    and checked before. A route that reads a stream by itself passes the `digest` of what it read instead.
    """
    key = key_of(request)
    if key is None:
        return await run()
    keys, user = request.config_dict[CONTEXTS].idempotency, request[IDENTITY].user
    claim = await keys.claim(user, route, key, digest or digest_of(request, await request.read()))
    if isinstance(claim, Answer):
        return _again(claim)
    try:
        async with keys.held(claim):
            response = await _answer(request, run)
    except Exception:
        await keys.release(claim)
        raise
    kept = _kept(response)
    if kept is None:
        await keys.release(claim)
    else:
        await keys.settle(claim, kept)
    return response


def key_of(request: web.Request) -> str | None:
    """The key; None where there is none, Invalid for one that is none, BadRequest for two."""
    values = request.headers.getall(KEY, [])
    if not values:
        return None
    if len(values) > 1:
        raise BadRequest(f"There are {len(values)} headers {KEY}.")
    key = values[0].strip()
    if not FORM.fullmatch(key):
        raise Invalid(
            f"An {KEY} is 1 to {LONGEST} printable ASCII characters.", fields={KEY: "is not acceptable"}
        )
    return key


def digest_of(request: web.Request, body: bytes) -> str:
    """SHA-256 of method, path with query, and body: two requests that agree in it are the same."""
    head = f"{request.method} {request.rel_url.raw_path_qs}\n"
    return hashlib.sha256(head.encode() + body).hexdigest()


async def _answer(request: web.Request, run: Run) -> web.StreamResponse:
    """What is answered, also where it is a refusal; what went wrong on our side is raised on."""
    try:
        return await run()
    except Failure as failure:
        if failure.status >= 500 or failure.retry_after_ms is not None:
            raise
        return respond(failure, request[REQUEST_ID])


def _kept(response: web.StreamResponse) -> Answer | None:
    """What is stored of an answer; None for one that may be another one next time."""
    if response.status >= 500 or response.status in TRANSIENT:
        return None
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes | None):
        return None
    headers = {str(name): response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return Answer(response.status, body or b"", headers)


def _again(answer: Answer) -> web.Response:
    headers = {**answer.headers, REPLAYED: "true"}
    return web.Response(body=answer.body or None, status=answer.status, headers=headers)
