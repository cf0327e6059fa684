"""What surrounds every REST request, outermost first: log, problems, limit, identity, compression.

Headers that every answer carries are added when it is sent (`add_headers`), so that refusals have them too.
CORS headers are added there as well, by aiohttp-cors.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import hdrs, web
from prometheus_client import Counter, Histogram

from config.settings import Settings
from fittracker.address import client_address
from fittracker.errors import Forbidden, Unauthenticated
from fittracker.ids import new_id
from fittracker.limits import Allowance, Bucket, check
from fittracker.observability import logger
from handlers.by_cookie import brings_cookie, keep_console, recognise
from handlers.endpoint import caller, route_of
from handlers.keys import ADDRESS, CONTEXTS, IDENTITY, REQUEST_ID, SETTINGS
from handlers.problems import translate
from handlers.routes import ADMIN, Policy

log = logger("rest")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ALLOWANCES: Final = web.RequestKey("allowances", list[Allowance])
COMPRESS_FROM: Final = 1_400
"""Shorter answers fit into one packet anyway."""

requests = Counter("fittracker_requests", "REST requests", ["method", "route", "status"])
seconds = Histogram("fittracker_request_seconds", "Time of a REST request", ["method", "route"])


@web.middleware
async def log_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id and an address, and write one line about it when it is done."""
    settings = request.config_dict[SETTINGS]
    request[REQUEST_ID] = request_id = new_id()
    request[ADDRESS] = client_address(
        request.remote, request.headers.getall(hdrs.X_FORWARDED_FOR, []), settings.trusted_proxies
    )
    structlog.contextvars.bind_contextvars(request=request_id)
    began = time.perf_counter()
    status = 499  # as nginx says: the caller left before there was an answer
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        _record(request, status, time.perf_counter() - began)
        structlog.contextvars.unbind_contextvars("request")


def _record(request: web.Request, status: int, took_s: float) -> None:
    resource = request.match_info.route.resource
    # The pattern of the path, never the path: it has no ids and no end of different values.
    path = resource.canonical if resource is not None else "none"
    method = request.method if request.method in hdrs.METH_ALL else "other"
    requests.labels(method, path, str(status)).inc()
    seconds.labels(method, path).observe(took_s)
    identity = request.get(IDENTITY)
    log.info(
        "request",
        method=method,
        route=path,
        status=status,
        ms=round(took_s * 1000, 1),
        address=request[ADDRESS],
        user=identity.user if identity else None,
    )


@web.middleware
async def explain_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure becomes problem+json, and an unexpected one costs only its own request."""
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001  the boundary: logged and answered in `translate`
        return translate(error, request)


@web.middleware
async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request against its address and its person; signing in and administering once more."""
    settings, contexts = request.config_dict[SETTINGS], request.config_dict[CONTEXTS]
    whom = _network(request[ADDRESS])
    buckets = [Bucket("address", whom, settings.rest_rate)]
    route, token = route_of(request), _bearer(request)
    if route is not None and route.group == "auth":
        buckets.append(Bucket("auth", whom, settings.auth_rate))
    if route is not None and route.policy is ADMIN:
        buckets.append(Bucket("admin", whom, settings.admin_rate))
    user = contexts.authenticator.peek(token) if token else None
    if user is not None:
        buckets.append(Bucket("user", user, settings.rest_rate))
    request[ALLOWANCES] = allowances = await contexts.limits.take(buckets)
    check(allowances)
    return await handler(request)


@web.middleware
async def note_denials(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whoever is told that they may not do something is written down, with the pattern of the route."""
    try:
        return await handler(request)
    except Forbidden:
        route = route_of(request)
        what = f"{route.method} {route.path}" if route is not None else "none"
        request.config_dict[CONTEXTS].denials.note(caller(request), route=what)
        raise


def _network(address: str) -> str:
    """Whom an address stands for: with IPv6, everybody has 2^64 of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address or "unix"
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _bearer(request: web.Request) -> str | None:
    """The token of the Authorization header; never one out of the address."""
    values = request.headers.getall(hdrs.AUTHORIZATION, [])
    if len(values) != 1:
        return None
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who calls, and whether the policy of the route lets them."""
    route = route_of(request)
    if route is None or route.policy.anonymous:
        return await handler(request)
    if brings_cookie(request):
        identity = await recognise(request)
        await _count(request, identity.user)
    else:
        token = _bearer(request)
        if not token:
            raise Unauthenticated("Send a token: Authorization: Bearer ...")
        identity = await request.config_dict[CONTEXTS].authenticator.authenticate(token)
    request[IDENTITY] = identity
    _admit(route.policy, identity.role, identity.scopes)
    return await handler(request)


async def _count(request: web.Request, user: str) -> None:
    """Count a request against a person who was not known before; a token says it in `limit`."""
    bucket = Bucket("user", user, request.config_dict[SETTINGS].rest_rate)
    spent = await request.config_dict[CONTEXTS].limits.take([bucket])
    request[ALLOWANCES] = [*request[ALLOWANCES], *spent]
    check(spent)


def _admit(policy: Policy, role: str, scopes: frozenset[str] | None) -> None:
    """Forbidden unless the policy lets this role, and a device token by its scopes."""
    if scopes is not None and (policy.scope is None or policy.scope not in scopes):
        raise Forbidden("This token may not do that.")
    if policy.roles is not None and role not in policy.roles:
        raise Forbidden(f"Only {' or '.join(sorted(policy.roles))} may do that.")


@web.middleware
async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress long answers of the routes that say they may be."""
    response = await handler(request)
    route = route_of(request)
    if route is not None and route.compress and isinstance(response, web.Response):
        response.headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)
        if (response.content_length or 0) >= COMPRESS_FROM:
            response.enable_compression()
    return response


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every REST answer, also of refusals."""
    settings: Settings = request.config_dict[SETTINGS]
    headers = response.headers
    headers["X-Request-Id"] = request.get(REQUEST_ID, "")
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    headers.add(hdrs.VARY, hdrs.ORIGIN)
    if settings.public_origin.startswith("https:"):
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    allowances = request.get(ALLOWANCES)
    if allowances:
        tightest = min(allowances, key=lambda each: each.remaining / each.bucket.capacity)
        bucket = tightest.bucket
        headers["RateLimit-Policy"] = f'"{bucket.name}";q={bucket.capacity};w={round(bucket.window_s)}'
        full_in = (bucket.capacity - tightest.remaining) * bucket.window_s / bucket.capacity
        headers["RateLimit"] = f'"{bucket.name}";r={tightest.remaining};t={round(full_in)}'


async def hide_server(_request: web.Request, response: web.StreamResponse) -> None:
    """Which software of which version this is, is nobody's business."""
    response.headers.popall(hdrs.SERVER, None)


MIDDLEWARES: Final = (log_requests, explain_problems, limit, note_denials, keep_console, identify, compress)
