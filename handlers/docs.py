"""The description of the API, for machines and for people."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from handlers.endpoint import Call
from handlers.openapi import STYLE_POLICY
from handlers.routes import ANYBODY, route

OPENAPI: Final = web.AppKey("openapi", bytes)
PAGE: Final = web.AppKey("docs_page", str)
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
