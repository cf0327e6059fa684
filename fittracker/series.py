"""A heart-rate series seen from further away: thinned, and its best stretches.

Times are unix milliseconds in rising order, heart rates bpm; a heart rate of 0 is no contact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import sub
from typing import Any, Final

from fittracker.errors import Invalid
from fittracker.heart import GAP_CAP_MS

CURVE_S: Final = (5, 60, 300, 1200, 3600)


@dataclass(frozen=True, slots=True)
class Best:
    """The best average heart rate (bpm, one decimal) that was held for so many seconds."""

    seconds: int
    bpm: float


def curve(
    t_ms: Sequence[int],
    bpm: Sequence[int],
    points: Sequence[int] = CURVE_S,
    gap_cap_ms: int = GAP_CAP_MS,
) -> list[Best]:
    """The highest average heart rate over each duration (whole seconds), leaving out those that never fit.

    Computed on whole seconds, each with the heart rate that then stood. A loss of contact up to the cap is
    bridged with the heart rate before it; across a longer one nothing is averaged: a pause is not effort.
    """
    best: dict[int, float] = {}
    for seconds in _stretches(t_ms, bpm, gap_cap_ms):
        total = list(accumulate(seconds, initial=0))
        for length in points:
            if 0 < length < len(total):
                # The sums of all windows of this length, without a loop of our own.
                highest = max(map(sub, total[length:], total))
                best[length] = max(best.get(length, 0.0), highest / length)
    return [Best(length, round(best[length], 1)) for length in points if length in best]


def _stretches(t_ms: Sequence[int], bpm: Sequence[int], gap_cap_ms: int) -> Iterator[list[int]]:
    """The heart rate of each second, in lists without a gap."""
    samples = [(t // 1000, rate) for t, rate in zip(t_ms, bpm, strict=True) if rate > 0]
    if not samples:
        return
    stretch: list[int] = []
    for (start, rate), (end, _) in pairwise(samples):
        span = end - start
        if span * 1000 > gap_cap_ms:
            yield [*stretch, rate]
            stretch = []
        elif span > 0:
            stretch += [rate] * span
    yield [*stretch, samples[-1][1]]


def resample(
    t_ms: Sequence[int],
    bpm: Sequence[int],
    rr: Sequence[Sequence[float] | None] | None,
    resolution_s: int,
) -> list[dict[str, Any]]:
    """One item for each bucket that has samples with contact: `{t, bpm, rr?}`.

    `t` is the start of the bucket, a multiple of the resolution, so that the buckets of several streams fit
    together; `bpm` the mean rounded to a whole number, halves up; `rr` all intervals of the bucket in
    order, where `rr` was given and there are any.
    """
    if resolution_s < 1:
        raise Invalid("A resolution is at least one second.", fields={"resolution": "must be at least 1 s"})
    width = resolution_s * 1000
    totals: dict[int, int] = {}
    counts: dict[int, int] = {}
    beats: dict[int, list[float]] = {}
    for t, rate, intervals in zip(t_ms, bpm, rr or [None] * len(t_ms), strict=True):
        if rate > 0:
            start = t - t % width
            totals[start] = totals.get(start, 0) + rate
            counts[start] = counts.get(start, 0) + 1
            if intervals:
                beats.setdefault(start, []).extend(intervals)
    items = []
    for start in sorted(totals):
        item: dict[str, Any] = {"t": start, "bpm": (2 * totals[start] + counts[start]) // (2 * counts[start])}
        if start in beats:
            item["rr"] = beats[start]
        items.append(item)
    return items
