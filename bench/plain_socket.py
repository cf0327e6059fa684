"""A WebSocket client with nothing in it: a load that costs more than the server would measure itself."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any, Final

from bench.product import Failed

TEXT: Final = 0x81
BINARY: Final = 0x82
PING: Final = 0x89
PONG: Final = 0x8A
CLOSE: Final = 0x88
ANSWER_S: Final = 20.0
MOST: Final = 65_536

_UPGRADE: Final = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


class PlainSocket:
    """One open WebSocket. `call` waits; after `unblock`, `frames` gives what has come and never waits."""

    __slots__ = ("_buffer", "fd", "socket")

    def __init__(self, port: int, token: str | None = None) -> None:
        """Connect and upgrade; Failed where the server refuses."""
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWER_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fd = self.socket.fileno()
        try:
            self._buffer = self._upgrade(port, token)
        except BaseException:
            self.close()
            raise

    def _upgrade(self, port: int, token: str | None) -> bytes:
        """What came behind the head of the answer."""
        more = f"Authorization: Bearer {token}\r\n" if token else ""
        self.socket.sendall(_UPGRADE.format(port=port, more=more).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._receive()
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Failed(f"the upgrade was refused: {head[:60]!r}")
        return head.partition(b"\r\n\r\n")[2]

    def unblock(self) -> None:
        """From here on `frames` does not wait."""
        self.socket.setblocking(False)

    def send(self, opcode: int, payload: bytes) -> None:
        """One masked frame (with a mask of zeros) in one system call; the kernel must have room for it."""
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        try:
            self.socket.sendall(b"%c%b\0\0\0\0%b" % (opcode, length, payload))
        except ConnectionError as error:
            raise Failed("the server cut a connection") from error

    def call(self, command: str, data: dict[str, Any]) -> dict[str, Any]:
        """A command and the `data` of its result; Failed where it is an error."""
        self.send(TEXT, json.dumps({"id": 1, "type": command, "data": data}).encode())
        while True:
            for payload in self.frames():
                said = json.loads(payload)
                if said["type"] == "error":
                    raise Failed(f"{command}: {said['error']}")
                if said["type"] == "result":
                    result: dict[str, Any] = said["data"]
                    return result

    def frames(self) -> Iterator[bytes]:
        """The payloads of the messages in what the next read brings; pings are answered on the way."""
        buffer = self._buffer + self._receive()
        place = 0
        while (found := _frame(buffer, place)) is not None:
            opcode, start, place = found
            if opcode == PING:
                self.send(PONG, buffer[start:place])
            elif opcode == CLOSE:
                raise Failed(f"the server closed a socket: {buffer[start + 2 : place]!r}")
            elif opcode in (TEXT, BINARY):
                yield buffer[start:place]
        self._buffer = buffer[place:]

    def _receive(self) -> bytes:
        data = self.socket.recv(MOST)
        if not data:
            raise Failed("the server cut a connection")
        return data

    def close(self) -> None:
        """Cut it."""
        self.socket.close()


def _frame(buffer: bytes, place: int) -> tuple[int, int, int] | None:
    """Opcode, begin and end of the payload of the frame at this place; None where it is not all there."""
    if len(buffer) < place + 2:
        return None
    size, start = buffer[place + 1], place + 2
    if size >= 126:
        width = 2 if size == 126 else 8
        size, start = int.from_bytes(buffer[start : start + width], "big"), start + width
    if len(buffer) < start + size:
        return None
    return buffer[place], start, start + size
