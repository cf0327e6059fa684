"""A made-up athlete's heart: plausible, endless, and nobody's. For demonstrations and for tests.

The heart rate follows the effort the way a first-order system does: in some twenty seconds up, in some forty
down. Beats come one by one, and their intervals swing with the breath (respiratory sinus arrhythmia): widely
at rest, hardly at all near the maximum. The shapes are those of textbooks; no recording was used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

RISE_S: Final = 22.0
FALL_S: Final = 42.0
# Cardiac drift: at the same effort the heart rate creeps up, about five beats in an hour.
DRIFT_PER_S: Final = 5.0 / 3_600
NOISE_BPM: Final = 0.35

# Share of heart-rate reserve and its duration in seconds: warm-up, five intervals, recovery.
_WARM_UP: Final = ((0.30, 60.0), (0.45, 90.0), (0.60, 90.0))
_INTERVAL: Final = ((0.90, 75.0), (0.45, 60.0))
_RECOVERY: Final = ((0.35, 120.0), (0.20, 120.0))
WORKOUT: Final = (*_WARM_UP, *_INTERVAL * 5, *_RECOVERY)


@dataclass(frozen=True, slots=True)
class Body:
    """Resting and highest heart rate, bpm."""

    resting: int
    highest: int


@dataclass(frozen=True, slots=True)
class Second:
    """What a chest strap says once a second: the heart rate, and the RR intervals (ms) that ended in it."""

    bpm: int
    rr: list[float]


class Heart:
    """The heart of one athlete. The same seed beats the same."""

    def __init__(self, body: Body, seed: int) -> None:
        self._body = body
        self._random = Random(seed)  # noqa: S311  nothing here is secret  # nosec B311
        self._rate = float(body.resting + 8)
        self._noise = 0.0
        self._elapsed = 0.0
        self._since_beat = 0.0
        self._next_interval = 60.0 / self._rate
        self._breath = 0.0
        self._recent: list[float] = []

    def workout(self) -> Iterator[Second]:
        """One workout, second by second: about 19 minutes."""
        for share, seconds in WORKOUT:
            for _ in range(int(seconds)):
                yield self.second(share)

    def second(self, share: float) -> Second:
        """The next second at this effort, 0 to 1 of heart-rate reserve."""
        self._follow(share)
        intervals = []
        self._since_beat += 1.0
        while self._since_beat >= self._next_interval:
            self._since_beat -= self._next_interval
            intervals.append(round(self._next_interval * 1000, 1))
            self._next_interval = self._interval()
        # Like a strap: the mean of the last few beats, not of the last one.
        self._recent = [*self._recent, *intervals][-5:]
        mean = sum(self._recent) / len(self._recent) if self._recent else 60_000 / self._rate
        return Second(round(60_000 / mean), intervals)

    def _follow(self, share: float) -> None:
        body = self._body
        self._elapsed += 1
        target = body.resting + share * (body.highest - body.resting) + DRIFT_PER_S * self._elapsed * share
        tau = RISE_S if target > self._rate else FALL_S
        self._rate += (target - self._rate) / tau
        self._noise = 0.9 * self._noise + self._random.gauss(0, NOISE_BPM)

    def _interval(self) -> float:
        """Seconds to the next beat."""
        body = self._body
        rate = min(max(self._rate + self._noise, 0.9 * body.resting), body.highest + 2.0)
        effort = min(max((rate - body.resting) / (body.highest - body.resting), 0.0), 1.0)
        mean = 60.0 / rate
        # 15 breaths a minute at rest, 45 at the maximum; the swing fades with the square of what is left.
        self._breath += 2 * math.pi * (0.25 + 0.5 * effort) * mean
        swing = 0.05 * (1 - effort) ** 2 * math.sin(self._breath)
        return mean * (1 + swing + self._random.gauss(0, 0.004))
