"""One raw connection to Redis: commands of a loop turn leave in one write, replies come by callback.

redis-py costs 8 us of CPU a published or received message; this costs under one. Everything that is not
on the hot path uses `fittracker/redis.py`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import parse_url
from redis.exceptions import ConnectionError as RedisConnectionError

from fittracker.observability import logger

log = logger(__name__)

CONNECT_S = 5.0


class LinkLost(RedisConnectionError):  # noqa: N818  it reads as what happened
    """The connection could not be made, or is gone; for whoever asked, Redis is away."""


def pack(parts: tuple[bytes, ...]) -> bytes:
    """A command in RESP2: an array of bulk strings."""
    return b"".join([b"*%d\r\n" % len(parts), *[b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]])


class Link(asyncio.Protocol):
    """A connection that was opened once; when it is lost, a new Link takes its place."""

    def __init__(self, on_reply: Callable[[Any], None]) -> None:
        self._on_reply = on_reply
        self._reader = hiredis.Reader()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    # -- asyncio's side ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: connected."""
        # uvloop's transports are no subclass of asyncio's
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._on_reply(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self._transport = None
        self._out.clear()
        if not self.lost.done():
            self.lost.set_result(None)

    # -- our side ------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a command could be sent now."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def backlog(self) -> int:
        """Bytes the server has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def send(self, packed: bytes) -> None:
        """Queue packed commands; all of this loop turn leave in one write."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(packed)

    def abort(self) -> None:
        """Let go at once."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and self._transport is not None:
            self._transport.write(b"".join(out))


async def open_link(url: str, on_reply: Callable[[Any], None], *, name: str) -> Link:
    """Connect, sign in and name the connection; LinkLost when that is not done within 5 s."""
    target: dict[str, Any] = dict(parse_url(url))
    answers: asyncio.Queue[Any] = asyncio.Queue()
    greeting = True

    def receive(reply: Any) -> None:
        if greeting:
            answers.put_nowait(reply)
        else:
            on_reply(reply)

    link: Link | None = None
    try:
        async with asyncio.timeout(CONNECT_S):
            link = await _connect(target, receive)
            commands = list(_greeting(target, name))
            link.send(b"".join(map(pack, commands)))
            for command in commands:
                answer = await answers.get()
                if isinstance(answer, Exception) and command[0] != b"CLIENT":
                    raise LinkLost(f"Redis refused {command[0].decode()}: {answer}")
        greeting = False
        return link
    except (OSError, TimeoutError, LinkLost) as error:
        raise LinkLost(str(error) or type(error).__name__) from error
    finally:
        # Also where we were cancelled: a socket that nobody closes keeps uvloop from closing its loop.
        if greeting and link is not None:
            link.abort()


async def _connect(target: dict[str, Any], on_reply: Callable[[Any], None]) -> Link:
    loop = asyncio.get_running_loop()
    if "path" in target:
        _, link = await loop.create_unix_connection(lambda: Link(on_reply), target["path"])
        return link
    secure = "SSL" in getattr(target.get("connection_class"), "__name__", "")
    _, link = await loop.create_connection(
        lambda: Link(on_reply),
        target.get("host", "localhost"),
        target.get("port", 6379),
        ssl=ssl.create_default_context() if secure else None,
    )
    return link


def _greeting(target: dict[str, Any], name: str) -> list[tuple[bytes, ...]]:
    commands: list[tuple[bytes, ...]] = []
    if target.get("password"):
        user = (target.get("username") or "default").encode()
        commands.append((b"AUTH", user, target["password"].encode()))
    if target.get("db"):
        commands.append((b"SELECT", b"%d" % target["db"]))
    commands.append((b"CLIENT", b"SETNAME", name.encode()))
    commands.append((b"PING",))
    return commands
