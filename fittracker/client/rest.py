"""The REST side of the server: one request, its JSON or its error."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import ClientConnectionError, ClientResponse, ClientSession, ClientTimeout
from yarl import URL

from fittracker.client.errors import CommandError, ConnectionLost
from fittracker.client.messages import ErrorBody

TIMEOUT = ClientTimeout(total=30)


def addresses(url: str) -> tuple[URL, URL]:
    """Of REST and of the socket, from the server's address in any of the schemes http, https, ws and wss."""
    given = URL(url.rstrip("/"))
    if given.scheme not in {"http", "https", "ws", "wss"} or not given.host:
        raise ValueError(f"{url!r} is no address of a server, such as https://fit.example.org")
    secure = given.scheme in {"https", "wss"}
    rest = given.with_scheme("https" if secure else "http")
    return rest, rest.with_scheme("wss" if secure else "ws") / "ws"


async def request(
    http: ClientSession, method: str, url: URL, *, token: str | None = None, **options: Any
) -> Any:
    """The JSON that the server answers, None for an empty answer.

    CommandError for an error, with the code of its problem document; ConnectionLost where no answer came.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with http.request(method, url, headers=headers, timeout=TIMEOUT, **options) as answer:
            body = await answer.read()
            if answer.status >= 400:
                raise CommandError(_problem(answer, body))
    except (ClientConnectionError, TimeoutError) as error:
        raise ConnectionLost(f"{url.origin()} does not answer: {error}") from error
    return msgspec.json.decode(body) if body else None


def _problem(answer: ClientResponse, body: bytes) -> ErrorBody:
    """The problem document; made up from the status where something else than the server answered."""
    retry = answer.status in {429, 502, 503, 504}
    try:
        problem = msgspec.json.decode(body, type=ErrorBody)
    except msgspec.DecodeError:
        code = "unavailable" if retry else "internal"
        problem = ErrorBody(code, answer.reason or "", f"HTTP {answer.status}")
    problem.retry = retry
    if problem.retry_after_ms is None:
        problem.retry_after_ms = retry_after_ms(answer.headers.get("Retry-After", ""))
    return problem


def retry_after_ms(header: str) -> int | None:
    """The seconds of a Retry-After header as milliseconds; None for a date, or for nothing."""
    return int(header) * 1000 if header.isdecimal() else None
