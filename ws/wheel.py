"""One timer for all sockets: pings, deadlines and expiries, in buckets of a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from fittracker.observability import logger

log = logger(__name__)


class Timed(Protocol):
    """Something the wheel looks at now and then."""

    def check(self, now: float) -> float | None:
        """Do what is due; when to look again, or None for never."""


class Wheel:
    """A hashed wheel: adding and firing cost the same for ten sockets or ten thousand.

    `now` is the loop's time of the last turn, at most a second old: cheap enough to stamp every message.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buckets: dict[int, list[Timed]] = {}
        self._each_second: list[Callable[[float], None]] = []
        self._handle: asyncio.TimerHandle | None = None
        self.now = loop.time()
        self._second = int(self.now)

    def start(self) -> None:
        """Begin to turn."""
        self._handle = self._loop.call_later(1.0, self._turn)

    def close(self) -> None:
        """Stand still, and forget everything."""
        if self._handle is not None:
            self._handle.cancel()
        self._buckets.clear()
        self._each_second.clear()

    def add(self, timed: Timed, when: float) -> None:
        """Look at it once `when` (loop time) has passed."""
        second = max(int(when) + 1, self._second + 1)
        self._buckets.setdefault(second, []).append(timed)

    def every_second(self, call: Callable[[float], None]) -> None:
        """Call this at every turn."""
        self._each_second.append(call)

    def _turn(self) -> None:
        self._handle = self._loop.call_later(1.0, self._turn)
        self.advance(self._loop.time())

    def advance(self, now: float) -> None:
        """Fire everything that is due at `now`; a late turn catches up on every bucket it missed."""
        self.now = now
        last, self._second = self._second, int(now)
        for second in range(last + 1, self._second + 1):
            for timed in self._buckets.pop(second, ()):
                self._fire(timed, now)
        for call in tuple(self._each_second):
            call(now)

    def _fire(self, timed: Timed, now: float) -> None:
        try:
            again = timed.check(now)
        except Exception:
            # One broken socket must not stop the clock of all the others.
            log.exception("wheel_check_failed")
            return
        if again is not None:
            self.add(timed, again)
