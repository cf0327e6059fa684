"""Bodies of requests: JSON, read strictly, because what two readers understand differently is an attack."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final

from aiohttp import web

from fittracker.errors import BadRequest, TooLarge, UnsupportedMediaType

DEEPEST: Final = 32
MOST_KEYS: Final = 1_000
"""In one object: no shape of ours has a tenth of it, and each unknown one is complained about."""


async def read_object(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object.

    415 for another content type, 413 before or while reading too much, 400 for what is no JSON of ours: a
    key twice, NaN, NUL, half a surrogate pair, deep nesting.
    """
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType("Send application/json in UTF-8.")
    check_length(request)
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise TooLarge("The body is too large.") from error
    value = parse(raw)
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


async def read_upload(request: web.Request, types: Collection[str], most_bytes: int) -> bytes:
    """A body of one of these media types, of at most so many bytes also when unpacked; else 415, 413."""
    check_upload(request, types, most_bytes)
    read = bytearray()
    async for piece in request.content.iter_any():
        read += piece
        if len(read) > most_bytes:
            raise TooLarge(f"The body is larger than {most_bytes} bytes.")
    return bytes(read)


def check_upload(request: web.Request, types: Collection[str], most_bytes: int) -> None:
    """415 for a body of another media type, 413 for one that says it is larger."""
    if request.content_type not in types:
        raise UnsupportedMediaType(f"Send one of: {', '.join(types)}.")
    check_length(request, most_bytes)


def check_length(request: web.Request, most_bytes: int | None = None) -> None:
    """TooLarge for a body that says it is larger than we read (`most_bytes`, else as for JSON)."""
    most = request.client_max_size if most_bytes is None else most_bytes
    if request.content_length is not None and request.content_length > most:
        raise TooLarge(f"The body is larger than {most} bytes.")


def parse(raw: bytes) -> Any:
    """A JSON value; BadRequest for what a careful reader would not accept."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.") from error
    except ValueError as error:  # also UnicodeDecodeError, and numbers of thousands of digits
        raise BadRequest("The body is not valid JSON.") from error
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    if len(pairs) > MOST_KEYS:
        raise ValueError("an object has too many keys")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _check(value: Any) -> None:
    """Every text can be stored, every number is one, and nothing is deeper than anybody needs."""
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                _check_texts(each)
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, str):
                _check_text(each)
            elif isinstance(each, float) and each - each != 0:  # 1e999 is read as infinity
                raise BadRequest("A number is too large.")
        if not below:
            return
        level = below
    raise BadRequest("The body is nested too deeply.")


def _check_texts(keys: dict[str, Any]) -> None:
    for key in keys:
        _check_text(key)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise BadRequest("A text holds a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("A text holds half a surrogate pair.") from error
