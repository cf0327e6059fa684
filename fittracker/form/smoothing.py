"""Smoothing that fits any frame rate: the One Euro filter.

Casiez, Roussel and Vogel 2012, "1 EUR filter: a simple speed-based low-pass filter for noisy input in
interactive systems", CHI '12, doi:10.1145/2207676.2208639. A low-pass whose cutoff rises with the speed of
the signal: steady while nothing moves, little lag while something does. Its cutoffs are in hertz and the time
between frames is measured, so 5 and 60 frames a second give the same curve.

Angles are smoothed, not points: their unit does not depend on how far away the camera is, so neither does the
smoothing; and there are fewer of them.
"""

from __future__ import annotations

from math import pi
from typing import Final

MIN_CUTOFF_HZ: Final = 2.0
BETA: Final = 0.05
"""Hertz of cutoff for each degree per second."""
SPEED_CUTOFF_HZ: Final = 1.5
GAP_S: Final = 1.5
"""After so long nobody knows what happened in between."""
FASTEST_DEG_S: Final = 1_200
"""No joint of these exercises turns faster; what does was detected in a wrong place."""
LEAP_DEG: Final = 30.0
"""What a frame may differ from the last one besides, however soon after it it was taken."""

_SLOW: Final = 1 / (2 * pi * SPEED_CUTOFF_HZ)


class OneEuro:
    """One angle, smoothed. `value` is None before the first one."""

    __slots__ = ("_at_s", "_leapt", "_speed", "value")

    def __init__(self) -> None:
        self.value: float | None = None
        self._at_s = self._speed = 0.0
        self._leapt = False

    def push(self, now_s: float, angle: float) -> float:
        """Take an angle (degrees) at a time that is later than the one before; the smoothed angle.

        An angle that no body could have reached in that time is left out once; if the next one is there
        too, it was real. After GAP_S without one, what was is forgotten.
        """
        last = self.value
        elapsed_s = now_s - self._at_s
        if last is None or elapsed_s > GAP_S:
            self.value, self._at_s, self._speed, self._leapt = angle, now_s, 0.0, False
            return angle
        change = angle - last
        if not self._leapt and abs(change) > LEAP_DEG + FASTEST_DEG_S * elapsed_s:
            self._leapt = True
            return last
        self._leapt = False
        self._at_s = now_s
        share = elapsed_s / (elapsed_s + _SLOW)
        self._speed += share * (change / elapsed_s - self._speed)
        cutoff = MIN_CUTOFF_HZ + BETA * abs(self._speed)
        self.value = smoothed = last + change * elapsed_s / (elapsed_s + 1 / (2 * pi * cutoff))
        return smoothed

    def forget(self) -> None:
        """Nothing is known any more: the next angle is believed as it is."""
        self.value = None
