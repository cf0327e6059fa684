"""A server that does what a test tells it to, for endings that a real one cannot be made to give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

HELLO = {"connection": "c-1", "user": "u" * 24, "role": "user", "ping_s": 25.0, "expires_at": 2e9}


class Peer:
    """The server's end of one socket."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket = socket
        self.token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.received: asyncio.Queue[Any] = asyncio.Queue()

    async def command(self, kind: str) -> dict[str, Any]:
        """The next command, which must be of this type."""
        async with asyncio.timeout(5):
            received = await self.received.get()
        assert received["type"] == kind, received
        return received

    async def binary(self) -> bytes:
        """The next frame, which must be a binary one."""
        async with asyncio.timeout(5):
            received = await self.received.get()
        assert isinstance(received, bytes), received
        return received

    async def event(self, kind: str, data: Any, **more: Any) -> None:
        """Say something of our own accord."""
        await self._send({"type": kind, "data": data, **more})

    async def result(self, command: dict[str, Any], **data: Any) -> None:
        """Answer a command."""
        await self._send({"id": command["id"], "type": "result", "data": data})

    async def error(self, command: dict[str, Any] | None, code: str, **more: Any) -> None:
        """Refuse a command, or something without an id."""
        number = command["id"] if command else None
        await self._send({"id": number, "type": "error", "error": {"code": code, "title": code, **more}})

    async def opened(self, acked: int = 0, handle: int = 7) -> dict[str, Any]:
        """Take the next command, an hr.open, and grant it."""
        command = await self.command("hr.open")
        await self.result(command, stream=command["data"]["stream"], handle=handle, acked=acked)
        return command

    async def _send(self, message: Any) -> None:
        await self.socket.send_str(msgspec.json.encode(message).decode())

    async def close(self, code: int) -> None:
        """End the connection."""
        await self.socket.close(code=code)

    async def gone(self) -> None:
        """Wait until the other side has ended it."""
        async with asyncio.timeout(5):
            while not self.socket.closed:
                await asyncio.sleep(0.005)


class Scripted:
    """What the test holds: the address, and each socket in turn."""

    def __init__(self) -> None:
        self.url = ""
        self.refusals: list[web.Response] = []
        """Answers to the next upgrades, instead of sockets."""
        self.logins: list[web.Response] = []
        """Answers to the next sign-ins and refreshes; the paths are in `asked`."""
        self.asked: list[str] = []
        self.greet = True
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()

    async def peer(self) -> Peer:
        """The next socket that somebody opens."""
        async with asyncio.timeout(5):
            return await self._peers.get()

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.refusals:
            return self.refusals.pop(0)
        socket = web.WebSocketResponse(protocols=("fittracker.v1.json",))
        await socket.prepare(request)
        peer = Peer(socket, request)
        if self.greet:
            await peer.event("hello", HELLO)
        self._peers.put_nowait(peer)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                peer.received.put_nowait(msgspec.json.decode(message.data))
            elif message.type is WSMsgType.BINARY:
                peer.received.put_nowait(message.data)
        return socket

    async def _auth(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        return self.logins.pop(0)


def tokens(access: str, refresh: str = "r") -> web.Response:
    """What a sign-in answers."""
    return web.json_response({"access_token": access, "refresh_token": refresh})


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    """Run one."""
    script = Scripted()
    app = web.Application()
    app.router.add_get("/ws", script._socket)
    app.router.add_post("/api/v1/auth/{what}", script._auth)
    server = TestServer(app)
    await server.start_server()
    script.url = str(server.make_url("/")).rstrip("/")
    try:
        yield script
    finally:
        await server.close()
