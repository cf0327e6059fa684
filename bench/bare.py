"""What the product is held against, run as a process: `python -m bench.bare echo` and `... send`.

This machine is not always equally fast. So what nobody can do without is measured beside the product: an
aiohttp server that does nothing but echo, and a loop that does nothing but send.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import sys
import time
from typing import Final

import uvloop
from aiohttp import WSMsgType, web

from bench.process import LOAD_CORE, SERVER_CORE

READERS: Final = 500
SIZE: Final = 3_500
"""What a tick brings to one member of the room: some twenty updates."""
ROUNDS: Final = 40
ROUND_S: Final = 0.1


async def echo(request: web.Request) -> web.WebSocketResponse:
    """A WebSocket without authentication, rooms or limits."""
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
    return ws


async def serve() -> None:
    """Serve until the process is told to end; prints the port."""
    app = web.Application()
    app.router.add_get("/ws", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    await web.SockSite(runner, listener, backlog=4096).start()
    print(listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


def send() -> None:
    """Print the microseconds of CPU that one send() costs which a reader on the other core takes."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=READERS)
    reader = os.fork()
    if reader == 0:
        _read(listener.getsockname())
    os.sched_setaffinity(0, {SERVER_CORE})
    lines = [listener.accept()[0] for _ in range(READERS)]
    for line in lines:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    payload = bytes(SIZE)
    _round(lines, payload)
    began = time.process_time()
    for _ in range(ROUNDS):
        _round(lines, payload)
        time.sleep(ROUND_S)
    print((time.process_time() - began) / (ROUNDS * READERS) * 1e6, flush=True)
    os.kill(reader, signal.SIGKILL)
    os.waitpid(reader, 0)


def _round(lines: list[socket.socket], payload: bytes) -> None:
    for line in lines:
        line.send(payload)


def _read(address: tuple[str, int]) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    lines = [socket.create_connection(address) for _ in range(READERS)]
    poll = selectors.DefaultSelector()
    for line in lines:
        poll.register(line, selectors.EVENT_READ)
    while True:
        for key, _ in poll.select():
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.recv(65_536)


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send()
    else:
        uvloop.run(serve())
