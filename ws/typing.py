"""Who is writing: told now and then, and forgotten by itself."""

from __future__ import annotations

from typing import Final

EVERY_S: Final = 3.0
"""So often at most a room is told that somebody is writing."""
FOR_S: Final = 6.0
"""So long it holds unless it is told again."""


class Typing:
    """Of the people of one worker, in all rooms. It holds what was told in the last six seconds."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], float] = {}

    def admits(self, room: str, user: str, now: float, *, on: bool) -> bool:
        """Whether the room is to be told; an end only where a beginning was."""
        self._forget(now)
        key = (room, user)
        if not on:
            return self._told.pop(key, None) is not None
        if now - self._told.get(key, -EVERY_S) < EVERY_S:
            return False
        self._told.pop(key, None)  # so that the oldest stay in front
        self._told[key] = now
        return True

    def _forget(self, now: float) -> None:
        while self._told:
            key = next(iter(self._told))
            if now - self._told[key] < FOR_S:
                return
            del self._told[key]
