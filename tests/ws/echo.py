"""An echo on the classes that our sockets are made of: the socket, its inbox and reader, and the connection.

It reads as `ws/conversation.py` does, and writes as the product does. Two things differ. Whoever comes in is
not asked who they are. And text that is not UTF-8 ends the connection with 1007, as RFC 6455 wants it: the
product has JSON to read, counts what it cannot read, and ends with 4500 at the third.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import WSMsgType, web

from config.settings import Settings
from ws.connection import Connection
from ws.frames import BINARY, SUBPROTOCOLS, TEXT, Encoding, frame
from ws.realtime import CLOSE_S
from ws.socket import LATER, Socket
from ws.writer import Writer

LARGEST: Final = 17_000_000
"""Bytes of a message: the largest of Autobahn have 16 MiB."""
INVALID_TEXT: Final = 1007
UNBOUNDED: Final = Settings(ws_outbox_soft_bytes=2**40, ws_outbox_hard_bytes=2**40, ws_commands=2**40)
_ENDS: Final = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


class Echo:
    """The application's part of it."""

    def __init__(self, largest: int = LARGEST) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._writer = Writer(loop)
        self._largest = largest
        self._numbers = itertools.count()
        self._closings: set[asyncio.Task[Any]] = set()
        self.open = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One socket."""
        socket = Socket(SUBPROTOCOLS, self._largest, CLOSE_S)
        await socket.prepare(request)
        assert request.transport is not None
        connection = Connection(
            f"echo-{next(self._numbers)}",
            socket,
            request.transport,
            encoding=Encoding.JSON,
            address="",
            now=self._loop.time(),
            limits=UNBOUNDED,
            writer=self._writer,
            finish=self._finish,
        )
        socket.belong(connection, hear)
        socket.shed(request)
        self.open += 1
        try:
            await self._converse(socket, connection)
        finally:
            self.open -= 1
            connection.retire()
        return socket

    async def _converse(self, socket: Socket, connection: Connection) -> None:
        inbox = socket.inbox
        while True:
            if inbox.ending:
                connection.flush()
            inbox.listening = inbox.empty
            message: Any = await socket.receive()
            inbox.listening = False
            if message.type in _ENDS:
                return
            if message.type is LATER:
                await asyncio.sleep(0)
                answer(connection, *message.data)
            elif message.type is WSMsgType.PING:
                connection.flush()
                await socket.pong(message.data)
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                answer(connection, message.type is WSMsgType.BINARY, message.data)

    def _finish(self, connection: Connection, code: int, reason: str) -> None:
        closing = self._loop.create_task(connection.socket.close(code=code, message=reason.encode()))
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)


def hear(connection: Connection, binary: bool, payload: bytes) -> tuple[bool, bytes] | None:
    """Messages of even length are answered at once, the others wait for a turn: both ways are tried."""
    if len(payload) % 2:
        return binary, payload
    answer(connection, binary, payload)
    return None


def answer(connection: Connection, binary: bool, payload: bytes) -> None:
    """The same message back."""
    if not binary:
        try:
            payload.decode()
        except UnicodeDecodeError:
            connection.flush()
            connection.close(INVALID_TEXT, "not UTF-8")
            return
    connection.send(frame(BINARY if binary else TEXT, payload))


@asynccontextmanager
async def echoing(largest: int = LARGEST) -> AsyncIterator[tuple[str, Echo]]:
    """Its address, http://..., and the application."""
    echo = Echo(largest)
    app = web.Application()
    app.router.add_get("/ws", echo.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address,) = runner.addresses
    try:
        yield f"http://127.0.0.1:{address[1]}", echo
    finally:
        await runner.cleanup()
