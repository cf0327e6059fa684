"""A room of this worker: its local members, and the telemetry gathered for its next tick.

Telemetry is joined once a tick and encoding, and the same bytes are written to every member. A room with
many members and little traffic gathers longer: see docs/decisions/telemetry-tick.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from typing import Final

from fittracker.auth.identity import Identity
from ws.connection import Connection
from ws.frames import Encoding, Outgoing
from ws.told import LARGE, Told

FEW: Final = 10
"""So many members are each sent an event by itself: it keeps its place among what else they are sent."""
WORTH_A_WRITE: Final = 13
"""Frames at which a large room writes: with fewer, a longer gathering saves more than it costs."""


class Room:
    """Who of this worker is in the room, and what the members were told last.

    Every socket has a room of its own in which mostly nothing happens: what that does not need is made late.
    """

    __slots__ = ("_handle", "_pending", "_present", "_seen", "_stretched", "_told", "members", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[Connection, None] = {}
        self._present: dict[str, int] | None = None
        self._seen: dict[str, float] | None = None
        self._pending: list[tuple[str, Outgoing]] | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._stretched = False
        self._told: Told | None = None

    # -- who is here ---------------------------------------------------------------------------------

    def arrive(self, user: str) -> bool:
        """A person came in with one more socket; whether it is their first in here."""
        if self._present is None:
            self._present = {}
        count = self._present[user] = self._present.get(user, 0) + 1
        return count == 1

    def depart(self, user: str) -> bool:
        """One of a person's sockets left; whether it was their last in here."""
        if self._present is None or user not in self._present:
            return False
        self._present[user] -= 1
        if self._present[user]:
            return False
        del self._present[user]
        return True

    def people(self) -> Iterator[Identity]:
        """The persons who are here, each once, however many sockets they have."""
        if self._present is None:
            return
        told: set[str] = set()
        for member in self.members:
            identity = member.identity
            if identity is not None and identity.user not in told:
                told.add(identity.user)
                yield identity

    # -- which athletes were heard of ----------------------------------------------------------------

    def hear(self, athlete: str, now: float) -> None:
        """Something about this athlete was said; `now` is loop time."""
        if self._seen is None:
            self._seen = {}
        self._seen[athlete] = now

    def forget(self, athlete: str) -> None:
        """Nothing more is expected of this athlete."""
        if self._seen is not None:
            self._seen.pop(athlete, None)

    def grown_silent(self, before: float) -> list[str]:
        """The athletes not heard of since `before` (loop time); each is named once."""
        silent = [athlete for athlete, heard in (self._seen or {}).items() if heard < before]
        for athlete in silent:
            self.forget(athlete)
        return silent

    # -- what is said --------------------------------------------------------------------------------

    def send(
        self,
        event: Outgoing,
        loop: asyncio.AbstractEventLoop,
        absent: Collection[Connection] | None = None,
    ) -> None:
        """An event to all members, at the end of the loop turn; in a large room perhaps some ms later.

        `absent`, for an event of the room's log: who will be told it in another way.
        """
        if len(self.members) <= FEW and not self._told:
            for member in self.members:
                if absent is None or member not in absent:
                    member.send(event.frame(member.encoding))
            return
        if self._told is None:
            self._told = Told(self.members, loop)
        self._told.add(event, absent)

    def tell(self) -> None:
        """Let the events that wait leave now: somebody comes or goes, and it is clear who is told what."""
        if self._told:
            self._told.leave()

    def gather(
        self, key: str, event: Outgoing, loop: asyncio.AbstractEventLoop, tick: float, longest: float
    ) -> None:
        """Telemetry of `key` (an athlete), to leave after a `tick`, in a large room after the `longest`."""
        if self._pending is None:
            self._pending = []
        self._pending.append((key, event))
        if self._handle is None:
            self._handle = loop.call_later(tick, self._tick, loop, longest - tick)
        elif self._stretched and len(self._pending) >= WORTH_A_WRITE:
            self._handle.cancel()
            self.flush()

    def _tick(self, loop: asyncio.AbstractEventLoop, extension: float) -> None:
        gathered = len(self._pending or ())
        if extension > 0 and len(self.members) > LARGE and gathered < WORTH_A_WRITE:
            self._stretched = True
            self._handle = loop.call_later(extension, self.flush)
        else:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered to every member, the same bytes to all that keep up."""
        self._handle = None
        self._stretched = False
        pending, self._pending = self._pending or [], None
        joined: dict[Encoding, bytes] = {}
        for member in self.members:
            frames = joined.get(member.encoding)
            if frames is None:
                frames = b"".join([event.frame(member.encoding) for _, event in pending])
                joined[member.encoding] = frames
            if not member.offer(frames):
                for key, event in pending:
                    member.hold(key, event)

    def close(self) -> None:
        """Forget what was gathered; nobody is left to read it."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._pending = None
        if self._told is not None:
            self._told.stop()
