"""The REST sub-application: the route table, what surrounds it, and who may call it from a browser."""

from __future__ import annotations

from types import ModuleType
from typing import Final

import aiohttp_cors
import msgspec
from aiohttp import hdrs, web

from config.settings import Settings
from handlers import (
    admin_connections,
    admin_reports,
    admin_users,
    audit,
    auth,
    avatars,
    blocks,
    challenges,
    coaching,
    comments,
    console,
    conversations,
    credentials,
    deletion,
    docs,
    follows,
    grants,
    mails,
    measurements,
    notifications,
    people,
    portability,
    posts,
    second_factor,
    users,
    workouts,
)
from handlers.docs import OPENAPI, PAGE
from handlers.endpoint import endpoint, expect
from handlers.middlewares import MIDDLEWARES, add_headers
from handlers.openapi import document, page
from handlers.routes import Routes

MODULES: Final[tuple[ModuleType, ...]] = (
    audit,
    auth,
    credentials,
    second_factor,
    console,
    deletion,
    portability,
    users,
    measurements,
    avatars,
    people,
    blocks,
    mails,
    notifications,
    grants,
    coaching,
    conversations,
    follows,
    posts,
    comments,
    challenges,
    workouts,
    admin_users,
    admin_connections,
    admin_reports,
    docs,
)
"""Every module with routes; one that is not here has none."""
API_VERSION: Final = "1"
EXPOSED: Final = (
    hdrs.ETAG,
    hdrs.RETRY_AFTER,
    "RateLimit",
    "RateLimit-Policy",
    "X-Request-Id",
    "Idempotency-Replayed",
)
ACCEPTED: Final = (
    hdrs.AUTHORIZATION,
    hdrs.CONTENT_TYPE,
    hdrs.IF_MATCH,
    hdrs.IF_NONE_MATCH,
    "Idempotency-Key",
)


def build_rest(settings: Settings) -> web.Application:
    """The application to be mounted at /api/v1."""
    routes = Routes(MODULES)
    app = web.Application(middlewares=MIDDLEWARES)
    app.on_response_prepare.append(add_headers)
    spec = document(routes, API_VERSION)
    app[OPENAPI] = msgspec.json.encode(spec)
    app[PAGE] = page(spec)
    # One resource a path, whichever modules its methods are in: a preflight asks the first one alone.
    resources = {path: app.router.add_resource(path) for path in dict.fromkeys(each.path for each in routes)}
    added: list[web.AbstractRoute] = [
        resources[route.path].add_route(route.method, endpoint(route), expect_handler=expect)
        for route in routes
    ]
    if settings.allowed_origins:
        _allow_origins(app, settings.allowed_origins, added)
    return app


def _allow_origins(app: web.Application, origins: tuple[str, ...], routes: list[web.AbstractRoute]) -> None:
    """Let pages of exactly these origins call, with tokens in headers: no cookies are ever sent along."""
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        expose_headers=EXPOSED, allow_headers=ACCEPTED, max_age=600
    )
    cors = aiohttp_cors.CorsConfig(app, defaults=dict.fromkeys(origins, options))
    for route in routes:
        cors.add(route)
