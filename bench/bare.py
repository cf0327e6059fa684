"""The floor, run as a process: `python -m bench.bare serve` and `python -m bench.bare send BYTES`.

This machine is not always equally fast. So what nobody can do without is measured beside the product: an
aiohttp server that does the least, and a loop that does nothing but send.
"""

from __future__ import annotations

import asyncio
import json
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
from ws.frames import TEXT, frame

ROOM: Final = web.AppKey("room", set[asyncio.Transport])
READERS: Final = 500
ROUNDS: Final = 40
ROUND_S: Final = 0.1


async def converse(request: web.Request) -> web.WebSocketResponse:
    """A WebSocket without authentication or limits, and one room: its frame is made once for everybody."""
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    transport, room = request.transport, request.app[ROOM]
    assert transport is not None
    async for message in ws:
        if message.type is not WSMsgType.TEXT:
            continue
        said = json.loads(message.data)
        if said["type"] == "join":
            room.add(transport)
        elif said["type"] == "say":
            whole = frame(TEXT, json.dumps(said, separators=(",", ":")).encode())
            for member in room:
                member.write(whole)
        else:
            await ws.send_str(json.dumps(said, separators=(",", ":")))
    room.discard(transport)
    return ws


async def serve() -> None:
    """Serve until the process is told to end; prints the port."""
    app = web.Application()
    app[ROOM] = set()
    app.router.add_get("/ws", converse)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    await web.SockSite(runner, listener, backlog=4096).start()
    print(listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


def send(size: int) -> None:
    """Print the microseconds of CPU that one send() costs which a reader on the other core takes."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=READERS)
    reader = os.fork()
    if reader == 0:
        _read(listener.getsockname())
    os.sched_setaffinity(0, {SERVER_CORE})
    lines = [listener.accept()[0] for _ in range(READERS)]
    for line in lines:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    payload = bytes(size)
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
        send(int(sys.argv[2]))
    else:
        uvloop.run(serve())
