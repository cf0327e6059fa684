"""A clock that tests can move forward; between their moves it goes like any other."""

from __future__ import annotations

from fittracker.clock import Clock


class MovingClock(Clock):
    """Real time plus what a test has added."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def advance(self, seconds: float) -> None:
        """Let this much time pass, at once."""
        self._ahead_s += seconds

    def now(self) -> float:
        """As `Clock.now`."""
        return super().now() + self._ahead_s

    def now_ms(self) -> int:
        """As `Clock.now_ms`."""
        return super().now_ms() + round(self._ahead_s * 1000)

    def monotonic(self) -> float:
        """As `Clock.monotonic`."""
        return super().monotonic() + self._ahead_s
