"""Whether anybody on another worker listens to a room: telemetry nobody would read is not even written.

Redis answers a PUBLISH with the number of its readers. Where that is nobody else, the room is noted for 5 to
10 s, and telemetry to it stays here meanwhile. A worker that begins to listen says so to all, which strikes
the note out. Should that word be lost, the next PUBLISH after the note has aged finds out by itself: so the
worst is that a watcher waits 10 s for the first heart rate. Events are always published.
"""

from __future__ import annotations

from typing import Final

NOTED_S: Final = 5.0


class Interest:
    """What one worker knows of the others' ears."""

    __slots__ = ("_before", "_due", "_noted", "changes")

    def __init__(self) -> None:
        # Two sets that change places: a note ages without a time stamp of its own.
        self._noted: set[str] = set()
        self._before: set[str] = set()
        self._due = 0.0
        self.changes = 0
        """Counts whatever may have made an answer that is on its way untrue."""

    def alone(self, room: str) -> bool:
        """Whether nobody else listens, as far as is known."""
        return room in self._noted or room in self._before

    def note(self, room: str, asked: int) -> None:
        """Nobody else read what was published when `changes` stood at `asked`."""
        if asked == self.changes:
            self._noted.add(room)

    def strike(self, room: str) -> None:
        """Somebody listens from now on."""
        self.changes += 1
        self._noted.discard(room)
        self._before.discard(room)

    def forget(self) -> None:
        """A connection was replaced, here or there: nothing is known any more."""
        self.changes += 1
        self._noted.clear()
        self._before.clear()

    def age(self, now: float) -> None:
        """Called every second."""
        if now >= self._due:
            self._due = now + NOTED_S
            self._before, self._noted = self._noted, set()
