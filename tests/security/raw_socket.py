"""A WebSocket spoken byte by byte, for frames and heads that no library would send."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE_S = 15.0
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = base64.b64encode(bytes(16)).decode()


def frame(
    kind: int, payload: bytes = b"", *, last: bool = True, reserved: int = 0, mask: bool = True
) -> bytes:
    """A frame, masked with zeros, so that the payload can be read in a dump."""
    head = bytes([last << 7 | reserved << 4 | kind])
    flag = mask << 7
    if len(payload) < 126:
        head += bytes([flag | len(payload)])
    elif len(payload) < 65_536:
        head += bytes([flag | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([flag | 127]) + len(payload).to_bytes(8, "big")
    return head + bytes(4 * mask) + payload


def head(*more: tuple[str, str], path: str = "/ws") -> bytes:
    """The head of a good upgrade, with more headers."""
    headers = (
        ("Host", "localhost"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
        *more,
    )
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode()


@dataclass
class RawSocket:
    """The two directions of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Any bytes, as fast as the other side takes them; ConnectionError once it takes none."""
        self.writer.write(data)
        await self.writer.drain()

    async def flood(self, pieces: Iterable[bytes]) -> int:
        """All of them, while somebody takes them; the bytes that were sent."""
        sent = 0
        with suppress(ConnectionError):
            for piece in pieces:
                await self.send(piece)
                sent += len(piece)
        return sent

    async def status(self) -> int:
        """The status of the answer to what was asked; its head is read."""
        async with asyncio.timeout(PATIENCE_S):
            answer = await self.reader.readuntil(b"\r\n\r\n")
        return int(answer.split()[1])

    async def next(self) -> tuple[int, bytes]:
        """Kind and payload of the next frame; ConnectionError where there is none any more."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                first, second = await self.reader.readexactly(2)
                size = second & 127
                if size > 125:
                    size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
                return first & 15, await self.reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("it is over") from error

    async def ending(self) -> tuple[int | None, list[int]]:
        """Read until it is over: the close code (None without one), and the kinds of all frames before it."""
        kinds: list[int] = []
        with suppress(ConnectionError):
            while True:
                kind, payload = await self.next()
                if kind == CLOSE:
                    return int.from_bytes(payload[:2], "big"), kinds
                kinds.append(kind)
        return None, kinds

    async def gone(self) -> bool:
        """Wait until the other side has closed; whether it did."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while await self.reader.read(65_536):
                    pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def connected(url: str, *, receive_buffer: int | None = None) -> AsyncIterator[RawSocket]:
    """A connection over which nothing was said yet."""
    parts = urlsplit(url)
    line = socket.socket()
    line.setblocking(False)
    if receive_buffer is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(line, (parts.hostname or "", parts.port or 80))
    reader, writer = await asyncio.open_connection(sock=line)
    try:
        yield RawSocket(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def opened(url: str, token: str, *, receive_buffer: int | None = None) -> AsyncIterator[RawSocket]:
    """A socket that was upgraded, and said hello."""
    async with connected(url, receive_buffer=receive_buffer) as raw:
        await raw.send(head(("Authorization", f"Bearer {token}")))
        assert await raw.status() == 101
        kind, payload = await raw.next()
        assert (kind, b'"hello"' in payload) == (TEXT, True)
        yield raw
