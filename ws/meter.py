"""What a socket sends before it is a message: counted where it comes in, because nothing else ever sees it.

A peer may cut a message into fragments and never send the last one. The fragments that are empty cost no
memory, so no limit of a message's size ends them; they cost time, and would do so for ever.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from ws.connection import Connection
from ws.frames import Close

MOST_BYTES: Final = 1_048_576
"""More than aiohttp reads ahead while we work on a message: three quarters of this."""
MOST_MESSAGES: Final = 16
"""So many times the largest message: cut into single bytes it takes seven times its size."""


class Meter:
    """Stands before aiohttp's reader of one socket, and closes it where too much leads to no message."""

    __slots__ = ("_connection", "_feed", "_most", "feed_eof")

    def __init__(self, connection: Connection, reader: Any, largest: int) -> None:
        self._connection = connection
        self._most = max(MOST_BYTES, MOST_MESSAGES * largest)
        self._feed = reader.feed_data
        self.feed_eof = reader.feed_eof

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """As of aiohttp's reader: whether reading is over, and what is left."""
        connection = self._connection
        connection.unclaimed += len(data)
        if connection.unclaimed > self._most:
            connection.close(Close.BAD_FRAMES, "fragments without end")
            return False, b""
        answer: tuple[bool, bytes] = self._feed(data)
        return answer


def measure(connection: Connection, request: web.Request, largest: int) -> None:
    """Count what comes in on this socket from now on.

    aiohttp has no place for this: the reader stands in an attribute of its own. That it still does is what
    the tests of endless fragments would find out.
    """
    protocol: Any = request.protocol
    protocol._payload_parser = Meter(connection, protocol._payload_parser, largest)
