"""Connections without a network: what they write is noted, and their peer reads when the test says so."""

from __future__ import annotations

import dataclasses
from typing import Any

from config.settings import Settings
from fittracker.auth.identity import Identity
from ws.connection import Connection, Writer
from ws.frames import Encoding


class Line:
    """A transport: what the peer has not read stays in its buffer."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.unread = 0
        self.reads = True
        self.aborted = False

    def write(self, data: bytes) -> None:
        """As of asyncio's transports."""
        self.written.append(data)
        if not self.reads:
            self.unread += len(data)

    def get_write_buffer_size(self) -> int:
        """As of asyncio's transports."""
        return self.unread

    def is_closing(self) -> bool:
        """As of asyncio's transports."""
        return self.aborted

    def abort(self) -> None:
        """As of asyncio's transports."""
        self.aborted = True


class Marks:
    """A writer that only notes who asked for it."""

    def __init__(self) -> None:
        self.marked: list[Connection] = []
        self.slow: list[Connection] = []

    def mark(self, connection: Connection) -> None:
        """As of ws.writer."""
        self.marked.append(connection)

    def watch_slow(self, connection: Connection) -> None:
        """As of ws.writer."""
        self.slow.append(connection)


class End:
    """A connection, the line it writes to, and how it was closed."""

    def __init__(
        self, user: str | None = None, *, writer: Writer | None = None, address: str = "", **limits: Any
    ) -> None:
        self.line = Line()
        self.endings: list[tuple[int, str]] = []
        self.marks = Marks()
        socket: Any = None
        transport: Any = self.line
        self.connection = Connection(
            f"c-{id(self)}",
            socket,
            transport,
            encoding=Encoding.JSON,
            address=address,
            now=100.0,
            limits=dataclasses.replace(Settings(), **limits),
            writer=writer or self.marks,
            finish=self._finish,
        )
        if user is not None:
            self.connection.identity = identity(user)

    def _finish(self, _: Connection, code: int, reason: str) -> None:
        self.endings.append((code, reason))

    @property
    def codes(self) -> list[int]:
        """With which codes it was closed."""
        return [code for code, _ in self.endings]


def identity(user: str, sid: str = "s") -> Identity:
    """Somebody who is signed in."""
    return Identity(user, user.capitalize(), "user", sid, None, 2e9, device=False)
