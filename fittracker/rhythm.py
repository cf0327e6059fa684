"""Is the pulse irregular? A hint for people, not a diagnosis.

The criterion of Dash, Chon, Lu and Raeder 2009 (Ann Biomed Eng 37:1701), made to find atrial fibrillation in
windows of 128 RR intervals. All three must hold:

* RMSSD over the mean interval above 0.1: neighbouring beats differ much;
* Shannon entropy of 16 bins, without the 8 shortest and the 8 longest intervals, above 0.7: the intervals do
  not sit in a few places, as with extra beats of the same kind;
* 0.54 to 0.77 of the beats are turning points, as in a random series (expected: 2/3): breathing and slow
  drifts have fewer, alternating beats have more.

Intervals outside 300..2000 ms are left out. So are extra beats: one that comes early and the pause after
it, which healthy hearts have too. Other jumps over 20 % stay in, unlike for HRV: they are what is looked
for.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import log
from typing import Final

from fittracker.hrv import LONGEST_MS, SHORTEST_MS

WINDOW: Final = 128
SCATTER_LIMIT: Final = 0.1
SCATTER_CALM: Final = 0.08
ENTROPY_LIMIT: Final = 0.7
TURNING_LOW: Final = 0.54
TURNING_HIGH: Final = 0.77

# An extra beat: shorter than this share of the one before, and the one after it longer by this factor.
_EARLY: Final = 0.8
_PAUSE: Final = 1.3

_EVERY: Final = 32
_TRIM: Final = 8
_BINS: Final = 16
# 1/32 ms: 2000 ms still fits 16 bits, and sums of whole numbers never drift.
_UNIT: Final = 32


class Rhythm:
    """The last 128 intervals of one person and what they look like, judged anew every 32 beats.

    `irregular` is True by the criterion, False when the beats are regular, and None while there are too few
    beats, or while the scatter lies between 0.08 and 0.1, where it should change nobody's mind.
    """

    __slots__ = ("_before", "_count", "_early", "_ring", "_squares", "_total", "irregular")

    irregular: bool | None

    def __init__(self) -> None:
        self._ring = array("H", bytes(2 * WINDOW))
        self.clear()

    def clear(self) -> None:
        """Forget everything, after a long time without beats."""
        self._count = self._total = self._squares = 0
        self._before = self._early = 0.0
        self.irregular = None

    def push(self, rr_ms: float) -> None:
        """Take the next interval (ms)."""
        if not SHORTEST_MS <= rr_ms <= LONGEST_MS:
            return
        early = self._early
        if early:
            self._early = 0.0
            if rr_ms > _PAUSE * early:
                return
            self._keep(early)
        if rr_ms < _EARLY * self._before:
            self._early = rr_ms
        else:
            self._keep(rr_ms)

    def _keep(self, rr_ms: float) -> None:
        self._before = rr_ms
        beat = int(rr_ms * _UNIT + 0.5)
        ring, count = self._ring, self._count
        place = count % WINDOW
        if count >= WINDOW:
            oldest = ring[place]
            self._total -= oldest
            self._squares -= (ring[(place + 1) % WINDOW] - oldest) ** 2
        if count:
            self._squares += (beat - ring[place - 1]) ** 2
        ring[place] = beat
        self._total += beat
        self._count = count = count + 1
        if count >= WINDOW and not count % _EVERY:
            self._judge()

    def _judge(self) -> None:
        mean = self._total / WINDOW
        variance = self._squares / (WINDOW - 1)
        if variance <= (SCATTER_CALM * mean) ** 2:
            self.irregular = False
            return
        start = self._count % WINDOW
        window = self._ring[start:] + self._ring[:start]
        if not (entropy(window) > ENTROPY_LIMIT and TURNING_LOW < turning_points(window) < TURNING_HIGH):
            self.irregular = False
        else:
            self.irregular = True if variance > (SCATTER_LIMIT * mean) ** 2 else None


def entropy(rr: Sequence[float]) -> float:
    """Shannon entropy 0..1 of the intervals in 16 equal bins, the 8 shortest and 8 longest left out."""
    kept = sorted(rr)[_TRIM:-_TRIM]
    if not kept or kept[0] == kept[-1]:
        return 0.0
    scale = _BINS / (kept[-1] - kept[0])
    bins = [0] * (_BINS + 1)
    for interval in kept:
        bins[int((interval - kept[0]) * scale)] += 1
    bins[_BINS - 1] += bins.pop()
    shares = [filled / len(kept) for filled in bins if filled]
    return -sum(share * log(share) for share in shares) / log(_BINS)


def turning_points(rr: Sequence[float]) -> float:
    """The share 0..1 of the inner intervals that are longer, or shorter, than both their neighbours."""
    turns = 0
    before, here = rr[0], rr[1]
    for after in rr[2:]:
        if (here > before and here > after) or (here < before and here < after):
            turns += 1
        before, here = here, after
    return turns / (len(rr) - 2)
