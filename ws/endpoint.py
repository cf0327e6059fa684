"""`GET /ws`: from an HTTP request to a socket with a person on it, or a refusal before the upgrade."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec
from aiohttp import hdrs, web

from fittracker.address import client_address
from fittracker.auth.identity import Identity
from fittracker.caller import Caller
from fittracker.errors import BadRequest, Failure, Forbidden, Unauthenticated, Unavailable, problem
from fittracker.ids import new_id
from fittracker.mongo import OUTAGES
from fittracker.observability import logger
from ws.connection import Connection
from ws.conversation import converse, take
from ws.frames import SUBPROTOCOLS, Close, Encoding
from ws.heart import let_go
from ws.realtime import CLOSE_S, Realtime
from ws.session import welcome
from ws.socket import Socket

log = logger(__name__)

REALTIME: Final = web.AppKey("realtime", Realtime)


async def websocket(request: web.Request) -> web.StreamResponse:
    """The handler of `/ws`; it lives as long as the socket."""
    realtime = request.app[REALTIME]
    try:
        address, identity = await _admit(realtime, request)
    except Failure as failure:
        return _refuse(failure)
    except OUTAGES:
        return _refuse(Unavailable("Nobody can sign in at the moment.", retry_after_ms=2_000))
    socket = Socket(SUBPROTOCOLS, realtime.settings.ws_frame_bytes, CLOSE_S)
    try:
        await socket.prepare(request)
        connection = _connect(realtime, request, socket, address)
    except web.HTTPBadRequest as fault:
        return _refuse(BadRequest(fault.text or "This is no WebSocket handshake."))
    except ConnectionResetError:
        return _refuse(BadRequest("You left during the upgrade."))  # nobody is there to read it
    socket.shed(request)
    try:
        if identity is not None:
            welcome(realtime, connection, identity)
        realtime.wheel.add(connection, connection.next_look(realtime.wheel.now))
        await converse(realtime, connection, socket.inbox)
    finally:
        realtime.leave(connection)
        connection.open = False
        let_go(connection)
        realtime.regard.acquaintance.forget(connection)
        realtime.hub.remove(connection)
        connection.retire()
    return socket


async def _admit(realtime: Realtime, request: web.Request) -> tuple[str, Identity | None]:
    """Everything that can be refused before the upgrade; the identity is None for signing in by frame."""
    if realtime.draining:
        raise Unavailable("The server is restarting.", retry_after_ms=2_000)
    _check_upgrade(request)
    address = client_address(
        request.remote, request.headers.getall(hdrs.X_FORWARDED_FOR, []), realtime.settings.trusted_proxies
    )
    _check_origin(realtime, request, address)
    realtime.hub.admit(address)
    identity = await _identify(realtime, request)
    # Others may have come meanwhile; from here to the list of connections nothing waits any more.
    realtime.hub.admit(address)
    if identity is not None:
        realtime.hub.admit_user(identity.user)
    return address, identity


def _check_upgrade(request: web.Request) -> None:
    if request.headers.get(hdrs.UPGRADE, "").lower().strip() != "websocket":
        raise BadRequest("This address speaks WebSocket; send an upgrade.")


def _check_origin(realtime: Realtime, request: web.Request, address: str) -> None:
    """Browsers send an Origin, and only those on the list may come; devices send none."""
    origins = request.headers.getall(hdrs.ORIGIN, [])
    if not origins:
        return
    settings = realtime.settings
    allowed = {settings.public_origin, *settings.allowed_origins}
    if len(origins) != 1 or origins[0] not in allowed:
        # Not which origin: that is whatever somebody wanted to be written down.
        realtime.contexts.denials.note(Caller(None, address, new_id()), upgrade="origin")
        raise Forbidden("This origin may not open a socket.")


async def _identify(realtime: Realtime, request: web.Request) -> Identity | None:
    authenticator = realtime.contexts.authenticator
    authorization = request.headers.get(hdrs.AUTHORIZATION)
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("Authorization must be a Bearer token.")
        return await authenticator.authenticate(token.strip(), once=True)
    ticket = request.query.get("ticket")
    if ticket is not None:
        return await authenticator.redeem(ticket)
    return None


def _refuse(failure: Failure) -> web.Response:
    headers = {hdrs.CACHE_CONTROL: "no-store"}
    if failure.status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    if failure.retry_after_ms is not None:
        headers[hdrs.RETRY_AFTER] = str(-(-failure.retry_after_ms // 1000))
    return web.Response(
        body=msgspec.json.encode(problem(failure)),
        status=failure.status,
        headers=headers,
        content_type="application/problem+json",
    )


def _connect(realtime: Realtime, request: web.Request, socket: Socket, address: str) -> Connection:
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the peer left during the upgrade")
    protocol = socket.ws_protocol
    connection = Connection(
        realtime.next_id(),
        socket,
        transport,
        encoding=Encoding(protocol) if protocol else Encoding.JSON,
        address=address,
        now=realtime.wheel.now,
        limits=realtime.settings,
        writer=realtime.writer,
        finish=realtime.finish,
    )
    socket.belong(connection, partial(take, realtime))
    realtime.hub.add(connection)
    if realtime.draining:
        connection.close(Close.RESTART, "the server restarts")
    return connection
