"""Heart-rate variability from RR intervals, by the Task Force of 1996 (Circulation 93:1043).

RR intervals are in milliseconds, in the order they came. An interval is dropped when it lies outside
300..2000 ms, or when it differs by more than 20 % from the plausible one before it (Malik 1989). It is
compared with its neighbour, not with the last one that was kept: otherwise one missed beat can shut out
everything that follows, for as long as the heart stays at its new pace. Only neighbours that were both kept
are differenced.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, sqrt
from typing import Final

from fittracker.figure import plausible

SHORTEST_MS: Final = 300
LONGEST_MS: Final = 2000

# Beats are missing between two samples when the newer one's intervals leave more than this unexplained.
SLACK_MS: Final = 2000

# 1000/1024 is 125/128: in units of 1/128 ms every interval a Bluetooth sensor can send is a whole number,
# and so is every whole millisecond. Sums of whole numbers never drift.
_UNIT: Final = 128
_LINKED: Final = 1 << 20
_BEAT: Final = _LINKED - 1


@dataclass(frozen=True, slots=True)
class Hrv:
    """The time-domain figures of a series; None where too few intervals were kept to tell.

    `beats` were kept and `rejected` dropped; `differences` pairs of neighbours stand behind RMSSD and pNN50.
    SDNN divides by n - 1, pNN50 (percent) by the number of differences and counts those strictly over 50 ms.
    """

    beats: int
    rejected: int
    differences: int
    mean_ms: float | None
    sdnn_ms: float | None
    rmssd_ms: float | None
    pnn50_pct: float | None
    method: str


def accepted(rr: Sequence[float]) -> list[bool]:
    """Which intervals of one unbroken series are kept (see the head of this module)."""
    kept = []
    before = 0.0
    for interval in rr:
        if SHORTEST_MS <= interval <= LONGEST_MS:
            kept.append(not before or abs(interval - before) * 5 <= before)
            before = interval
        else:
            kept.append(False)
    return kept


def analyse(runs: Iterable[Sequence[float]], *, clean: bool = True) -> Hrv:
    """The figures of a recording made of unbroken series; across two of them nothing is differenced.

    With `clean=False` every interval counts as it came, for comparison with tools that do not clean.
    """
    beats: list[float] = []
    steps: list[float] = []
    rejected = 0
    for run in runs:
        kept = accepted(run) if clean else [True] * len(run)
        beats += [interval for interval, good in zip(run, kept, strict=True) if good]
        steps += [
            after - before
            for (before, after), (first, second) in zip(pairwise(run), pairwise(kept), strict=True)
            if first and second
        ]
        rejected += kept.count(False)
    return _figures(beats, steps, rejected, "task-force-1996" if clean else "task-force-1996, not cleaned")


def _figures(beats: list[float], steps: list[float], rejected: int, method: str) -> Hrv:
    mean = fsum(beats) / len(beats) if beats else None
    sdnn = rmssd = pnn50 = None
    if mean is not None and len(beats) > 1:
        sdnn = sqrt(fsum((beat - mean) ** 2 for beat in beats) / (len(beats) - 1))
    if steps:
        rmssd = sqrt(fsum(step * step for step in steps) / len(steps))
        pnn50 = 100 * sum(abs(step) > 50 for step in steps) / len(steps)
    return Hrv(len(beats), rejected, len(steps), mean, sdnn, rmssd, pnn50, method)


def follows(elapsed_ms: float, rr: Sequence[float]) -> bool:
    """Whether a sample's intervals directly continue those of the sample `elapsed_ms` before it."""
    return elapsed_ms - sum(rr) <= SLACK_MS


def unbroken(t_ms: Sequence[int], rr: Sequence[Sequence[float] | None]) -> list[list[float]]:
    """The intervals of a stream's samples, joined into series in which no beat is known to be missing."""
    runs: list[list[float]] = []
    last = 0
    for t, intervals in zip(t_ms, rr, strict=True):
        if intervals:
            if runs and follows(t - last, intervals):
                runs[-1] += intervals
            else:
                runs.append(list(intervals))
            last = t
    return runs


class RollingRmssd:
    """RMSSD of the last minute of kept beats, brought up to date with each beat in constant time.

    One minute because RMSSD over 60 s agrees with the 5-minute standard (Esco & Flatt 2014, J Sports Sci Med
    13:535; Munoz 2015, PLoS ONE 10:e0138921 finds 30 s enough), and at least 30 differences so that a few
    beats at the start say nothing. The window is counted in beat time: what was dropped does not fill it.
    A ring of whole numbers holds the beats, 0.8 KB for a minute, because there is one for every athlete.
    """

    __slots__ = (
        "_before",
        "_count",
        "_first",
        "_least",
        "_linked",
        "_next",
        "_ring",
        "_span",
        "_squares",
        "_window",
    )

    def __init__(self, window_s: float = 60, least: int = 30) -> None:
        self._window = round(plausible("window_s", window_s, 10, 3600) * 1000) * _UNIT
        self._least = least
        # Room for the window full of the shortest beats, the one that overfills it, and the free place.
        self._ring = array("I", bytes(4 * (self._window // (SHORTEST_MS * _UNIT) + 3)))
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._first = self._next = self._span = self._squares = self._count = 0
        self._before = 0
        self._linked = False

    def gap(self) -> None:
        """Say that beats are missing here: the next one has no neighbour before it."""
        self._before = 0
        self._linked = False

    def push(self, rr_ms: float) -> None:
        """Take the next interval (ms), of whatever quality."""
        if not SHORTEST_MS <= rr_ms <= LONGEST_MS:
            self._linked = False
            return
        beat = int(rr_ms * _UNIT + 0.5)
        before, self._before = self._before, beat
        step = beat - before
        if before and abs(step) * 5 > before:
            self._linked = False
            return
        ring = self._ring
        if self._linked:
            self._squares += step * step
            self._count += 1
            ring[self._next] = beat | _LINKED
        else:
            ring[self._next] = beat
            self._linked = True
        self._next = (self._next + 1) % len(ring)
        self._span += beat
        while self._span > self._window:
            self._drop()

    def _drop(self) -> None:
        """Take the oldest beat out, and the difference to the one after it."""
        ring = self._ring
        oldest = ring[self._first] & _BEAT
        self._first = (self._first + 1) % len(ring)
        self._span -= oldest
        after = ring[self._first]
        if after & _LINKED:
            after &= _BEAT
            ring[self._first] = after
            self._squares -= (after - oldest) ** 2
            self._count -= 1

    def value(self) -> float | None:
        """RMSSD in ms, or None while there are too few differences."""
        if self._count < self._least:
            return None
        return sqrt(self._squares / self._count) / _UNIT
