"""A room of this worker: its local members, and the telemetry gathered for its next tick.

Telemetry is joined once a tick and encoding, and the same bytes are written to every member. A room with
many members and little traffic gathers longer: see docs/decisions/telemetry-tick.md.
"""

from __future__ import annotations

import asyncio
from typing import Final

from ws.connection import Connection
from ws.frames import Encoding, Outgoing

LARGE: Final = 100
"""Members from which a room may gather longer than one tick."""
WORTH_A_WRITE: Final = 6
"""Frames a tick at which a large room writes: with fewer, a longer gathering saves more than it costs."""


class Room:
    """Who of this worker is in the room. `seen` is when each athlete was last heard of."""

    __slots__ = ("_handle", "_pending", "members", "name", "present", "seen")

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[Connection, None] = {}
        self.present: dict[str, int] = {}
        """Connections a person has in here; presence is told once a person, not once a socket."""
        self.seen: dict[str, float] = {}
        self._pending: list[tuple[str, Outgoing]] = []
        self._handle: asyncio.TimerHandle | None = None

    def send(self, event: Outgoing) -> None:
        """An event to all members, at the end of the loop turn."""
        for member in self.members:
            member.send(event.frame(member.encoding))

    def gather(
        self, key: str, event: Outgoing, loop: asyncio.AbstractEventLoop, tick: float, longest: float
    ) -> None:
        """Telemetry of `key` (an athlete), to leave with the next tick."""
        self._pending.append((key, event))
        if self._handle is None:
            self._handle = loop.call_later(tick, self._tick, loop, longest - tick)

    def _tick(self, loop: asyncio.AbstractEventLoop, extension: float) -> None:
        if extension > 0 and len(self.members) > LARGE and len(self._pending) < WORTH_A_WRITE:
            self._handle = loop.call_later(extension, self.flush)
        else:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered to every member, the same bytes to all that keep up."""
        self._handle = None
        pending, self._pending = self._pending, []
        joined: dict[Encoding, bytes] = {}
        # A member that turns out to be gone is closed in here, which must not change what we walk over.
        for member in tuple(self.members):
            if member.slow:
                for key, event in pending:
                    member.hold(key, event)
                continue
            frames = joined.get(member.encoding)
            if frames is None:
                frames = b"".join([event.frame(member.encoding) for _, event in pending])
                joined[member.encoding] = frames
            member.write(frames)

    def close(self) -> None:
        """Forget what was gathered; nobody is left to read it."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._pending.clear()
