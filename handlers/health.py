"""Is this worker alive, can it work, and what has it counted. nginx keeps strangers out; see nginx/."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, Final

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from fittracker.mongo import DATABASE_ERRORS
from fittracker.redis import REDIS_ERRORS
from handlers.keys import CONTEXTS, READINESS

PATIENCE_S: Final = 2.0


async def live(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Each dependency with its latency; 503 while one is missing, and from the moment draining begins."""
    contexts = request.app[CONTEXTS]
    mongo, redis = await asyncio.gather(_ask(contexts.database.command("ping")), _ask(contexts.redis.ping()))
    draining = request.app[READINESS].draining
    good = mongo["status"] == redis["status"] == "ok" and not draining
    body = {
        "status": "ok" if good else "draining" if draining else "unavailable",
        "dependencies": {"mongodb": mongo, "redis": redis},
    }
    return web.Response(
        body=msgspec.json.encode(body),
        status=200 if good else 503,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def _ask(question: Awaitable[Any]) -> dict[str, object]:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await question
    except (*DATABASE_ERRORS, *REDIS_ERRORS, TimeoutError) as error:
        return {"status": "missing", "reason": type(error).__name__}
    return {"status": "ok", "latency_ms": round((time.perf_counter() - began) * 1000, 2)}


async def metrics(_request: web.Request) -> web.Response:
    """What this worker has counted. Each worker has its own figures: ask them one by one, or sum them up."""
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


ROUTES: Final = (
    web.get("/health/live", live),
    web.get("/health/ready", ready),
    web.get("/metrics", metrics),
)
