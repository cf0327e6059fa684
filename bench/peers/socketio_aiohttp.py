"""A room with python-socketio on aiohttp: join, say to all, echo. Nothing is stored, nobody signs in."""

import asyncio
import socket

import socketio
import uvloop
from aiohttp import web

io = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"], http_compression=False)


@io.event
async def join(sid: str, _said: object) -> None:
    """Into the only room there is."""
    await io.enter_room(sid, "room")


@io.event
async def say(_sid: str, said: object) -> None:
    """To everybody in it."""
    await io.emit("say", said, room="room")


@io.event
async def echo(sid: str, said: object) -> None:
    """Back to where it came from."""
    await io.emit("echo", said, to=sid)


async def serve() -> None:
    """Until the process is told to end; prints the port."""
    app = web.Application()
    io.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    await web.SockSite(runner, listener, backlog=4096).start()
    print(listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


uvloop.run(serve())
