"""What comes in on one socket: aiohttp parses it; here it is counted, and heard at once where that can be.

aiohttp hands each message to a queue, which wakes a task, which asks the queue. For a command that waits for
nothing, that detour costs more than the command. So this queue gives a message to the conversation at the
moment it comes, as long as nothing else is under way or waits. See docs/decisions/heard-at-once.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import WSMessage, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from multidict import CIMultiDict
from yarl import URL

from fittracker.heads import Head
from ws.connection import Connection
from ws.frames import Close

MOST_BYTES: Final = 1_048_576
"""More than aiohttp reads ahead while we work on a message: three quarters of this."""
MOST_MESSAGES: Final = 16
"""So many times the largest message: cut into single bytes it takes seven times its size."""
READ_AHEAD: Final = 65_536
"""As of aiohttp: at twice so many bytes that wait, the peer's kernel has to keep the rest."""

NO_HEADERS: Final = CIMultiDict[str]()
NO_URL: Final = URL("/")

LATER: Final = WSMsgType.CONTINUATION
"""The type under which what has to wait is put into the inbox; the parser never puts it there."""

Hear = Callable[[Connection, bool, bytes], Any]
"""`hear(connection, binary, payload)` takes a message; what it gives back, if anything, has to wait."""

_queue = WebSocketDataQueue.feed_data
_parse = WebSocketReader.feed_data


class Inbox(WebSocketDataQueue):
    """The messages that nobody has looked at yet; while the conversation listens, there are none."""

    __slots__ = ("_connection", "_hear", "listening")

    def __init__(self, protocol: Any, loop: Any) -> None:
        super().__init__(protocol, READ_AHEAD, loop=loop)
        self.listening = False
        """Whether the conversation waits for the next message, and all before it are done."""

    def belong(self, connection: Connection, hear: Hear) -> None:
        """Whose messages these are, and who takes them."""
        self._connection = connection
        self._hear = hear

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._buffer

    @property
    def ending(self) -> bool:
        """Whether it ends next, by the peer's close or a fault: what is owed to them has to go out first."""
        buffer = self._buffer
        return buffer[0][0][0] is WSMsgType.CLOSE if buffer else self.exception() is not None

    def feed_data(self, data: Any, size: int) -> None:
        """A message came. aiohttp's parser calls this, and so does whoever wakes up the conversation."""
        if self.listening:
            kind = data[0]
            if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
                later = self._hear(self._connection, kind is WSMsgType.BINARY, data[1])
                if later is None:
                    return
                data = WSMessage(LATER, later, None)
            self.listening = False
        _queue(self, data, size)


class Reader(WebSocketReader):
    """The parser of one socket, and a count of the bytes that have led to no message yet.

    A peer may cut a message into fragments and never send the last one. The fragments that are empty cost
    no memory, so no limit of a message's size ends them; they cost time, and would do so for ever.
    """

    __slots__ = ("_connection", "_most")

    def __init__(self, inbox: Inbox, largest: int) -> None:
        """`largest`: bytes a message may have."""
        # aiohttp refuses what reaches its limit.
        super().__init__(inbox, largest + 1, compress=False, decode_text=False)
        self._connection: Connection | None = None
        self._most = max(MOST_BYTES, MOST_MESSAGES * largest)

    def belong(self, connection: Connection) -> None:
        """Who is closed where too much comes."""
        self._connection = connection

    def feed_data(self, data: bytes | bytearray | memoryview) -> tuple[bool, bytes]:
        """As of aiohttp's reader: whether reading is over, and what is left."""
        connection = self._connection
        if connection is not None:
            connection.unclaimed += len(data)
            if connection.unclaimed > self._most:
                connection.close(Close.BAD_FRAMES, "fragments without end")
                return False, b""
        return _parse(self, data)


class Socket(web.WebSocketResponse[Any]):
    """aiohttp's socket with an inbox and a reader of ours; not compressed, and pings are ours to answer."""

    inbox: Inbox

    def __init__(self, protocols: tuple[str, ...], largest: int, close_s: float) -> None:
        """`largest`: bytes a message may have; `close_s`: how long a peer may take to answer a close."""
        super().__init__(
            protocols=protocols, compress=False, autoping=False, timeout=close_s, decode_text=False
        )
        self._largest = largest

    def _post_start(self, request: Any, protocol: str | None, writer: Any) -> None:
        """As of aiohttp, which has no place to hand in a queue: only that, and without its heartbeat."""
        self._ws_protocol = protocol
        self._writer = writer
        self.inbox = self._reader = Inbox(request.protocol, self._loop)
        self._parser = Reader(self.inbox, self._largest)
        request.protocol.set_parser(self._parser)
        request.protocol.keep_alive(False)

    def shed(self, request: web.Request) -> None:
        """Let go of what aiohttp keeps for HTTP, compression and clients: the socket may live for days.

        That is 5 KB, a third of all. What is set to None here is not looked at any more once the upgrade is
        done; tests/ws/test_socket.py opens, uses and ends sockets in every way to see that it stays so.
        """
        inside: Any = request
        if isinstance(inside._message, Head):
            inside._message.forget()
        inside._headers = self._headers = NO_HEADERS
        inside._rel_url = NO_URL
        inside._transport_peername = inside._transport_sockname = None
        inside._cache.clear()
        protocol: Any = request.protocol
        protocol._parser = None
        protocol._messages = ()
        protocol._cache.clear()
        writer: Any = self._writer
        writer._background_tasks = writer._send_lock = writer.get_random_bits = None

    def belong(self, connection: Connection, hear: Hear) -> None:
        """From now on what comes in counts, and is heard."""
        self.inbox.belong(connection, hear)
        if isinstance(self._parser, Reader):
            self._parser.belong(connection)
