"""Repetitions: one angle that goes up and comes back, with hysteresis, and how long each part of it took.

```
            signal <= rest                signal > rest + 10
  unknown ----------------> resting -------------------------> moving
     ^                         ^                                  |
     |  nothing seen           |   back at rest: a repetition     |
     +-- for 1.5 s ------------+--------- or a short one ---------+
```
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

BAND_DEG: Final = 5.0
"""So near to the furthest point the movement is pausing there."""
LEAVE_DEG: Final = 10.0
"""So far beyond `rest` a movement begins: what trembles at `rest` is none."""
WORTH_DEG: Final = 15.0
"""A movement that came no further than this beyond `rest` is not even a short one."""
LONGEST_S: Final = 30.0
"""Whoever stays down for longer is resting there."""
_STEP_DEG: Final = 0.5
"""Between the points of the way up that are kept; BAND_DEG of them are enough."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A movement away from rest and back. Degrees, and seconds on the clock of the frames.

    `out_s`, `pause_s` and `back_s` are how long it took to the furthest point, there, and back; `out_s` is
    None where its beginning was not seen. `complete` says whether it came far enough to count.
    """

    complete: bool
    peak: float
    start_s: float
    end_s: float
    out_s: float | None
    pause_s: float
    back_s: float


class Cycle:
    """The state of one signal. Its memory is bounded, whatever comes."""

    __slots__ = (
        "_floor",
        "_from_afar",
        "_last",
        "_least_s",
        "_left_s",
        "_rest",
        "_rise",
        "_seen",
        "_target",
        "_top_in",
        "_top_out",
        "moving",
        "peak",
    )

    def __init__(self, *, rest: float, target: float, least_s: float, from_afar: bool) -> None:
        """`rest`: at or below it one is at rest. `target`: so far it must go to count (degrees).

        `least_s`: what is quicker is a leap of the detection. `from_afar`: one may begin at the far end, as
        a deadlift begins on the floor.
        """
        self._rest = rest
        self._target = target
        self._least_s = least_s
        self._from_afar = from_afar
        self._rise: deque[tuple[float, float]] = deque(maxlen=int(BAND_DEG / _STEP_DEG) + 2)
        self.forget()

    def forget(self) -> None:
        """Nothing is known: somebody went out of sight, perhaps in the middle of a movement."""
        self._seen = False
        self.moving = False
        self._floor = self._rest
        self._begin(0.0, None)

    def _begin(self, now_s: float, left_s: float | None) -> None:
        self._left_s = left_s
        self._last = now_s
        self.peak = -1.0
        self._top_in = self._top_out = now_s
        self._rise.clear()

    def push(self, now_s: float, signal: float) -> Turn | None:
        """Take the signal (degrees) at a time; the movement that ended with it."""
        if self.moving:
            if signal > self._rest:
                self._move(now_s, signal)
                return None
            return self._come_back(now_s, signal)
        if signal <= self._rest:
            # The lowest of now and a while ago: whoever never stretches quite is measured from there.
            self._floor = min(signal, self._floor) if self._seen else signal
            self._seen = True
            self._last = now_s
        elif self._seen:
            if signal > self._rest + LEAVE_DEG:
                self.moving = True
                self._begin(now_s, self._last)
                self._move(now_s, signal)
        elif self._from_afar and signal >= self._target:
            self.moving = True
            self._begin(now_s, None)
            self._move(now_s, signal)
        return None

    def _move(self, now_s: float, signal: float) -> None:
        self._last = now_s
        if signal > self.peak:
            self.peak = signal
            rise = self._rise
            if not rise or signal >= rise[-1][1] + _STEP_DEG:
                rise.append((now_s, signal))
            while rise[0][1] < signal - BAND_DEG:
                rise.popleft()
            self._top_in = rise[0][0]
        if signal >= self.peak - BAND_DEG:
            self._top_out = now_s

    def _come_back(self, now_s: float, signal: float) -> Turn | None:
        self.moving = False
        peak, left_s = self.peak, self._left_s
        floor = min(self._floor, signal)
        self._floor = signal
        self._last = now_s
        start_s = self._top_in if left_s is None else left_s
        lasted = now_s - start_s
        if peak < self._rest + WORTH_DEG or not self._least_s <= lasted <= LONGEST_S:
            return None
        # The signal was followed between two crossings of `rest`; what lies below is added at the same speed.
        far = peak - BAND_DEG
        stretch = max((far - floor) / max(far - self._rest, 1.0), 1.0)
        return Turn(
            complete=peak >= self._target,
            peak=peak,
            start_s=start_s,
            end_s=now_s,
            out_s=None if left_s is None else (self._top_in - left_s) * stretch,
            pause_s=self._top_out - self._top_in,
            back_s=(now_s - self._top_out) * max((far - floor) / max(far - signal, 1.0), 1.0),
        )
