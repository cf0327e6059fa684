"""The composition root: one application out of the realtime server and the REST sub-application."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

from config.settings import Settings
from fittracker.clock import Clock
from fittracker.opening import open_contexts
from fittracker.telemetry import Telemetry
from handlers import openapi
from handlers.console_storage import ConsoleStorage
from handlers.dev import ROUTES as DEV
from handlers.docs import LIVE, Live
from handlers.health import ROUTES as HEALTH
from handlers.keys import CONSOLE, CONTEXTS, READINESS, SETTINGS, Readiness
from handlers.middlewares import hide_server
from handlers.openapi import PREFIX
from handlers.rest import API_VERSION, MODULES, build_rest
from handlers.routes import Routes
from ws import asyncapi, asyncapi_page
from ws.endpoint import REALTIME, websocket
from ws.features import registry
from ws.realtime import Realtime, new_worker_id
from ws.reference import commands_markdown
from ws.watch import Watch


def build_app(settings: Settings, *, clock: Clock | None = None) -> web.Application:
    """The application, not yet started: nothing is connected before its `startup`.

    The root has no middlewares: each one would keep a frame alive for as long as a socket lives.
    """
    app = web.Application(client_max_size=settings.rest_body_bytes)
    app[SETTINGS] = settings
    app[READINESS] = Readiness()
    app.router.add_routes(HEALTH)
    if settings.development:
        app.router.add_routes(DEV)
    app[LIVE] = Live(_live_docs)
    app.add_subapp(PREFIX, build_rest(settings))
    app.on_response_prepare.append(hide_server)

    app.router.add_get("/ws", websocket)

    async def contexts(app: web.Application) -> AsyncIterator[None]:
        async with open_contexts(settings, clock or Clock()) as opened:
            app[CONTEXTS] = opened
            app[CONSOLE] = ConsoleStorage(opened, life_s=settings.console_s)
            yield

    app.cleanup_ctx.extend((contexts, realtime))
    return app


async def realtime(app: web.Application) -> AsyncIterator[None]:
    """The sockets of this worker: what they stand on, opened after the contexts and closed before them."""
    settings, contexts = app[SETTINGS], app[CONTEXTS]
    worker = new_worker_id()
    telemetry = Telemetry(
        contexts.database,
        contexts.control,
        contexts.clock,
        worker=worker,
        flush_s=settings.hr_flush_s,
        flush_samples=settings.hr_flush_samples,
        buffer_samples=settings.hr_buffer_samples,
    )
    server = Realtime(settings, contexts, registry(), telemetry, worker)
    async with telemetry.running(), server.running(), Watch(server).running():
        app[REALTIME] = server
        yield


async def drain(app: web.Application) -> None:
    """Let the sockets of this worker go properly; before aiohttp's shutdown, which drops what comes in."""
    app[READINESS].draining = True
    if REALTIME in app:
        await app[REALTIME].drain()


def commands_reference() -> str:
    """`docs/commands.md`: what may be sent over `/ws`, from the registry that the server runs with."""
    return commands_markdown(registry())


def asyncapi_document() -> bytes:
    """The WebSocket as an AsyncAPI 3 document, JSON."""
    return msgspec.json.encode(asyncapi.document(registry(), API_VERSION))


def openapi_document() -> bytes:
    """REST as an OpenAPI 3.1 document, JSON."""
    return msgspec.json.encode(openapi.document(Routes(MODULES), API_VERSION))


def _live_docs() -> tuple[bytes, str]:
    document = asyncapi.document(registry(), API_VERSION)
    return msgspec.json.encode(document), asyncapi_page.page(document)
