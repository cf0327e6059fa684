"""Every failure as application/problem+json: the one place where REST learns what went wrong."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import hdrs, web

from fittracker.breaker import RedisAway
from fittracker.errors import (
    BadRequest,
    Failure,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
    problem,
)
from fittracker.mongo import OUTAGES as MONGO_OUTAGES
from fittracker.observability import logger
from fittracker.redis import is_away
from handlers.keys import REQUEST_ID

log = logger(__name__)

OUTAGES: Final = (*MONGO_OUTAGES, RedisAway)
_BY_STATUS: Final[dict[int, tuple[type[Failure], str]]] = {
    403: (Forbidden, ""),
    404: (NotFound, "There is nothing at this address."),
    405: (MethodNotAllowed, ""),
    413: (TooLarge, "The body is too large."),
    415: (UnsupportedMediaType, ""),
}


def respond(failure: Failure, request_id: str) -> web.Response:
    """A failure as a response."""
    headers = {hdrs.CACHE_CONTROL: "no-store"}
    if failure.status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="fittracker"'
    if failure.retry_after_ms is not None:
        headers[hdrs.RETRY_AFTER] = str(max(1, -(-failure.retry_after_ms // 1000)))
    return web.Response(
        body=msgspec.json.encode(problem(failure, request_id)),
        status=failure.status,
        content_type="application/problem+json",
        headers=headers,
    )


def translate(error: Exception, request: web.Request) -> web.Response:
    """What an exception is to the caller: never more than a failure tells about itself."""
    request_id = request[REQUEST_ID]
    if isinstance(error, Failure):
        return respond(error, request_id)
    if isinstance(error, web.HTTPException):
        return _of_aiohttp(error, request_id)
    if isinstance(error, web.RequestPayloadError):
        unreadable = respond(BadRequest("The body is cut off, or not coded as it says."), request_id)
        unreadable.force_close()  # where it ends, nobody knows
        return unreadable
    if isinstance(error, OUTAGES) or is_away(error):
        log.warning("request_unavailable", reason=type(error).__name__)
        away = Unavailable("The outcome is unknown; sending the same again is safe.", retry_after_ms=2_000)
        return respond(away, request_id)
    log.error("request_failed", exc_info=error)
    return respond(Failure(f"This was our fault; please report {request_id}."), request_id)


def _of_aiohttp(error: web.HTTPException, request_id: str) -> web.Response:
    kind, detail = _BY_STATUS.get(error.status, (BadRequest, ""))
    response = respond(kind(detail), request_id)
    if hdrs.ALLOW in error.headers:
        response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
    return response
