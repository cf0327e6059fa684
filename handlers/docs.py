"""The description of the API, for machines and for people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from handlers.endpoint import Call
from handlers.openapi import STYLE_POLICY
from handlers.routes import ANYBODY, route

OPENAPI: Final = web.AppKey("openapi", bytes)
PAGE: Final = web.AppKey("docs_page", str)


@dataclass(slots=True)
class Live:
    """The description of the WebSocket, made by whoever knows it, when somebody reads it first."""

    make: Callable[[], tuple[bytes, str]]
    """The document and the page; some milliseconds of work."""
    _made: tuple[bytes, str] | None = field(default=None, init=False)

    async def read(self) -> tuple[bytes, str]:
        """The document and the page."""
        if self._made is None:
            self._made = await asyncio.to_thread(self.make)
        return self._made


LIVE: Final = web.AppKey("live_docs", Live)
CACHE: Final = {"Cache-Control": "public, max-age=300"}


@route("GET", "/openapi.json", ANYBODY, media="application/json")
async def openapi(call: Call) -> web.Response:
    """This API as an OpenAPI document."""
    body = call.request.config_dict[OPENAPI]
    return web.Response(body=body, content_type="application/json", headers=CACHE)


@route("GET", "/docs", ANYBODY, media="text/html")
async def docs(call: Call) -> web.Response:
    """This API as a page."""
    text = call.request.config_dict[PAGE]
    headers = CACHE | {"Content-Security-Policy": STYLE_POLICY}
    return web.Response(text=text, content_type="text/html", headers=headers)


@route("GET", "/asyncapi.json", ANYBODY, media="application/json")
async def asyncapi(call: Call) -> web.Response:
    """The WebSocket as an AsyncAPI document."""
    body, _ = await call.request.config_dict[LIVE].read()
    return web.Response(body=body, content_type="application/json", headers=CACHE)


@route("GET", "/docs/live", ANYBODY, media="text/html")
async def live(call: Call) -> web.Response:
    """The WebSocket as a page."""
    _, text = await call.request.config_dict[LIVE].read()
    headers = CACHE | {"Content-Security-Policy": STYLE_POLICY}
    return web.Response(text=text, content_type="text/html", headers=headers)
