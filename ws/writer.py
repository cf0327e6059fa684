"""The one writer of a worker: at the end of each loop turn it flushes the connections that asked for it."""

from __future__ import annotations

import asyncio

from ws.connection import Connection

SLOW_POLL_S = 0.1
"""How often held-back telemetry is offered to slow readers again."""


class Writer:
    """Gathers dirty connections; looks after slow ones while there are any."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._dirty: list[Connection] = []
        self._slow: set[Connection] = set()
        self._poll: asyncio.TimerHandle | None = None

    def mark(self, connection: Connection) -> None:
        """This connection has something to write at the end of the loop turn."""
        if not self._dirty:
            self._loop.call_soon(self._flush)
        self._dirty.append(connection)

    def watch_slow(self, connection: Connection) -> None:
        """This connection holds telemetry back until its reader catches up."""
        if connection.slow_since is None:
            connection.slow_since = self._loop.time()
        self._slow.add(connection)
        if self._poll is None:
            self._poll = self._loop.call_later(SLOW_POLL_S, self._offer)

    @property
    def slow(self) -> int:
        """How many readers are slow now."""
        return len(self._slow)

    def close(self) -> None:
        """Stop looking after slow readers."""
        if self._poll is not None:
            self._poll.cancel()

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()

    def _offer(self) -> None:
        self._poll = None
        self._slow = {each for each in self._slow if not each.release()}
        if self._slow:
            self._poll = self._loop.call_later(SLOW_POLL_S, self._offer)
