"""Bends that a camera in front of somebody cannot see, from how much lower they have become.

From the front the thighs of somebody who squats point at the camera, and the angle at their knees in the
picture is anything. How high the hips are is seen as well as from the side. With thigh and shin of about the
same length, leaning equally, hips at the share `h` of their height when standing mean knees bent by
2 arccos(h); a trunk at the share `h` of its height leans by arccos(h).
"""

from __future__ import annotations

from math import acos, degrees
from typing import Final

SETTLE_S: Final = 0.2
"""So long a height must be held, roughly, before it is taken as that of somebody who stands."""
FORGET_S: Final = 60.0
"""The height of somebody who stands is forgotten this slowly, where nobody stands so high any more."""
SLACK: Final = 0.97
"""Nobody stands all the time as upright as they once did; near 1 the arc cosine makes much of little."""


class Foreshortened:
    """One height, compared with the greatest that it had."""

    __slots__ = ("_height", "_scale", "_standing")

    def __init__(self, scale: float) -> None:
        """`scale`: degrees of bend for each degree of the arc cosine, 2 for knees, 1 for a trunk."""
        self._scale = scale
        self._height: float | None = None
        self._standing = 0.0

    def push(self, height: float, elapsed_s: float) -> float:
        """Take a height, in any unit that stays; the bend in degrees, 0 until somebody has stood up."""
        last = self._height
        if last is None:
            self._height = height
        else:
            self._height = last + elapsed_s / (elapsed_s + SETTLE_S) * (height - last)
        if self._height > self._standing:
            self._standing = self._height
        else:
            share = elapsed_s / (elapsed_s + FORGET_S)
            self._standing += share * (self._height - self._standing)
        if self._standing <= 0:
            return 0.0
        return self._scale * degrees(acos(max(-1.0, min(height / (self._standing * SLACK), 1.0))))
