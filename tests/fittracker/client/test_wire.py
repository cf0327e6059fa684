"""One socket of the client, at the moment it breaks."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from fittracker.client.errors import ConnectionLost
from fittracker.client.messages import Codec
from fittracker.client.wire import Wire


async def silent(request: web.Request) -> web.WebSocketResponse:
    """A server that listens and says nothing."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for _ in socket:
        pass
    return socket


async def test_a_connection_that_could_not_be_written_to_has_ended_at_once() -> None:
    """Not only when its reader notices: until then, whoever asks for a connection would be given this one."""
    app = web.Application()
    app.router.add_get("/ws", silent)
    async with (
        TestServer(app) as server,
        ClientSession() as http,
        http.ws_connect(server.make_url("/ws")) as ws,
    ):
        wire = Wire(ws, Codec(msgpack=False), lambda _: None, lambda _: None)
        wire.check()
        assert ws._response.connection is not None
        transport = ws._response.connection.transport
        assert transport is not None
        transport.abort()  # as when the peer's machine is gone; nobody reads here yet
        with pytest.raises(ConnectionLost):
            await wire.tell("ping", {})
        with pytest.raises(ConnectionLost):
            wire.check()
        assert (await asyncio.wait_for(wire.read(), 10)).code == 1006
