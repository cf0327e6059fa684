"""The composition root: one application out of the realtime server and the REST sub-application."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from config.settings import Settings
from fittracker.clock import Clock
from fittracker.contexts import open_contexts
from handlers.health import ROUTES as HEALTH
from handlers.keys import CONTEXTS, READINESS, SETTINGS, Readiness


def build_app(settings: Settings, *, clock: Clock | None = None) -> web.Application:
    """The application, not yet started: nothing is connected before its `startup`.

    The root has no middlewares: each one would keep a frame alive for as long as a socket lives.
    """
    app = web.Application()
    app[SETTINGS] = settings
    app[READINESS] = Readiness()
    app.router.add_routes(HEALTH)

    async def contexts(app: web.Application) -> AsyncIterator[None]:
        async with open_contexts(settings, clock or Clock()) as opened:
            app[CONTEXTS] = opened
            yield

    app.cleanup_ctx.append(contexts)
    return app
