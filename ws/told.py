"""What a room is told, on its way to many members: joined once, and the same bytes written to each of them.

An event leaves at the end of the loop turn. In a large room under load the next ones wait until 20 ms have
passed since the last write: see docs/decisions/gathered-events.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Final

from ws.connection import Connection
from ws.frames import Encoding, Outgoing

LARGE: Final = 100
"""Members from which a room may gather."""
PAUSE_S: Final = 0.02
"""Between two writes of events to a large room."""


class Told:
    """The events that one room was told, and its members were not yet."""

    __slots__ = ("_absent", "_events", "_handle", "_last", "_loop", "_members")

    def __init__(self, members: dict[Connection, None], loop: asyncio.AbstractEventLoop) -> None:
        """`members` is the room's own, and changes."""
        self._members = members
        self._loop = loop
        self._events: list[tuple[Outgoing, bool]] = []
        self._absent: Collection[Connection] = ()
        self._handle: asyncio.Handle | None = None
        self._last = 0.0

    def __len__(self) -> int:
        """How many events wait."""
        return len(self._events)

    def add(self, event: Outgoing, absent: Collection[Connection] | None) -> None:
        """One more; `absent`, for an event of the room's log: who will be told it in another way.

        It is asked when the event leaves. So before anybody is absent no longer, `leave` has to be called.
        """
        self._events.append((event, absent is not None))
        if absent is not None:
            self._absent = absent
        if self._handle is None:
            wait = self._last + PAUSE_S - self._loop.time() if len(self._members) > LARGE else 0.0
            if wait > 0:
                self._handle = self._loop.call_later(wait, self.leave)
            else:
                self._handle = self._loop.call_soon(self.leave)

    def leave(self) -> None:
        """Write what waits to every member, the same bytes to all of them; nothing where nothing waits."""
        self.stop()
        events, self._events = self._events, []
        if not events:
            return
        self._last = self._loop.time()
        joined: dict[Encoding, bytes] = {}
        for member in self._members:
            if member in self._absent:
                _send(member, (event for event, logged in events if not logged))
                continue
            frames = joined.get(member.encoding)
            if frames is None:
                frames = b"".join([event.frame(member.encoding) for event, _ in events])
                joined[member.encoding] = frames
            member.pass_on(frames)

    def stop(self) -> None:
        """Nothing leaves by itself any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def _send(member: Connection, events: Iterable[Outgoing]) -> None:
    for event in events:
        member.send(event.frame(member.encoding))
