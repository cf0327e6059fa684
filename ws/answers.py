"""What Redis still owes on one connection: answers come in the order of the commands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

Take = Callable[[Any], None]
"""Is given the reply; an exception where Redis refused, or will never answer."""


class Answers:
    """The commands that are on their way, oldest first."""

    __slots__ = ("_owed", "since")

    def __init__(self) -> None:
        self._owed: deque[Take | None] = deque()
        self.since = 0.0
        """Loop time of the last answer, or of the oldest command since; only where some are owed."""

    def __len__(self) -> int:
        """How many are owed."""
        return len(self._owed)

    def expect(self, take: Take | None, now: float) -> None:
        """A command was sent; `take` is None where its answer matters to nobody."""
        if not self._owed:
            self.since = now
        self._owed.append(take)

    def come(self, reply: Any, now: float) -> None:
        """The next answer is here."""
        self.since = now
        take = self._owed.popleft()
        if take is not None:
            take(reply)

    def lose(self, reason: Exception) -> None:
        """The connection is gone, and every answer with it."""
        owed, self._owed = self._owed, deque()
        for take in owed:
            if take is not None:
                take(reason)
