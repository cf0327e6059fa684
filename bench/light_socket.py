"""A WebSocket client with as little in it as possible: thousands of them fit beside the server."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Any, Final

import msgspec

TEXT: Final = 0x81
CLOSE: Final = 0x88
PING: Final = 0x89
PONG: Final = 0x8A
PATIENCE_S: Final = 30.0

_UPGRADE: Final = (
    "GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n"
)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

Frame = dict[str, Any]


class LightSocket(asyncio.Protocol):
    """One open socket. Each message is given to `on_frame` as it comes; `lost` is done when it is over."""

    def __init__(self, on_frame: Callable[[Frame], None], upgrade: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._on_frame = on_frame
        self._upgrade = upgrade
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.upgraded: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[int | None] = loop.create_future()
        """The code of the close frame; None where there was none."""
        self._code: int | None = None

    # -- asyncio's side ------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """asyncio: connected."""
        self._transport = transport
        transport.write(self._upgrade)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self.upgraded.done():
            self._greet()
        if self.upgraded.done():
            self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: it is over."""
        if not self.upgraded.done():
            self.upgraded.set_exception(ConnectionResetError("cut during the upgrade"))
            self.upgraded.exception()  # whoever waits gets it; nobody else has to
        if not self.lost.done():
            self.lost.set_result(self._code)

    # -- ours ----------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Whether something can still be said."""
        return not self.lost.done() and self._code is None and not self._closing

    @property
    def _closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def send(self, kind: str, data: Any, number: int | None = None) -> None:
        """A command; without a number there is no answer."""
        frame = {"type": kind, "data": data} if number is None else {"id": number, "type": kind, "data": data}
        self._write(TEXT, _encode(frame))

    def close(self) -> None:
        """Say goodbye; the server answers and closes."""
        self._write(CLOSE, (1000).to_bytes(2, "big"))

    def abort(self) -> None:
        """Cut it."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Read nothing from now on."""
        if self._transport is not None:
            self._transport.pause_reading()

    def _write(self, opcode: int, payload: bytes) -> None:
        if self._closing:
            return
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        assert self._transport is not None
        # Masked with zeros: no proxy is here that would have to be fooled.
        self._transport.write(b"%c%b\0\0\0\0%b" % (opcode, length, payload))

    def _greet(self) -> None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        if head.startswith(b"HTTP/1.1 101 "):
            self._buffer = rest
            self.upgraded.set_result(None)
        else:
            self.upgraded.set_exception(ConnectionRefusedError(head.partition(b"\r\n")[0].decode()))
            self.upgraded.exception()
            self.abort()

    def _read(self) -> None:
        buffer, place = self._buffer, 0
        while (found := _frame(buffer, place)) is not None:
            opcode, start, place = found
            if opcode == TEXT:
                self._on_frame(_decode(buffer[start:place]))
            elif opcode == PING:
                self._write(PONG, buffer[start:place])
            elif opcode == CLOSE:
                self._write(CLOSE, buffer[start : start + 2])
                self._code = int.from_bytes(buffer[start : start + 2], "big")
        self._buffer = buffer[place:]


def _frame(buffer: bytes, place: int) -> tuple[int, int, int] | None:
    """Opcode, begin and end of the payload of the frame at this place; None where it is not all there."""
    if len(buffer) < place + 2:
        return None
    size, start = buffer[place + 1], place + 2
    if size >= 126:
        width = 2 if size == 126 else 8
        if len(buffer) < start + width:
            return None
        size, start = int.from_bytes(buffer[start : start + width], "big"), start + width
    if len(buffer) < start + size:
        return None
    return buffer[place], start, start + size


async def open_light(port: int, token: str, on_frame: Callable[[Frame], None]) -> LightSocket:
    """Connect and upgrade; ConnectionError where the server is not there or refuses."""
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = _UPGRADE.format(host="127.0.0.1", port=port, key=key, token=token).encode()
    loop = asyncio.get_running_loop()
    socket: LightSocket | None = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            _, socket = await loop.create_connection(
                lambda: LightSocket(on_frame, upgrade), "127.0.0.1", port
            )
            await socket.upgraded
    except TimeoutError as error:
        raise ConnectionError("no answer to the upgrade") from error
    finally:
        if socket is not None and not (socket.upgraded.done() and not socket.upgraded.exception()):
            socket.abort()
    return socket
