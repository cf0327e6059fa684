"""Heart rate: the highest one, the reserve, the five zones, and the time spent in them.

Heart rates are in beats per minute. A heart rate of 0 means "no contact", never a heart that stands still.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from math import ceil, floor
from types import MappingProxyType
from typing import Final, Literal

from fittracker.errors import Invalid
from fittracker.figure import Figure, plausible

Sex = Literal["female", "male"]
Formula = Literal["tanaka", "fox", "gellish", "gulati", "nes"]

# How long a sample stands for the time after it when the next one is late. Watches that thin their
# recordings leave 10 to 25 s between samples; a pause leaves minutes, and nobody's heart was watched then.
GAP_CAP_MS: Final = 30_000

_MAXIMUM: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "tanaka": (208.0, 0.7),
        "fox": (220.0, 1.0),
        "gellish": (207.0, 0.7),
        "gulati": (206.0, 0.88),
        "nes": (211.0, 0.64),
    }
)
_PERCENTS: Final = (50, 60, 70, 80, 90, 100)


def maximum_rate(
    age: float | None = None,
    *,
    formula: Formula = "tanaka",
    measured: float | None = None,
    sex: Sex | None = None,
) -> Figure:
    """The highest heart rate (bpm) of a person of this age (years); a measured one always wins.

    tanaka: Tanaka 2001, JACC 37:153 (the default); fox: Fox 1971; gellish: Gellish 2007; gulati: Gulati
    2010, found in women and refused for men; nes: Nes 2013. `Invalid` where neither age nor measurement
    is given, or where they are implausible.
    """
    if measured is not None:
        return Figure(plausible("measured", measured, 60, 250), "measured", {"measured": measured})
    if age is None:
        raise Invalid("The highest heart rate needs an age or a measurement.", fields={"age": "is missing"})
    if formula not in _MAXIMUM:
        raise Invalid(f"There is no formula {formula!r}.", fields={"formula": "is not known"})
    if formula == "gulati" and sex == "male":
        raise Invalid("Gulati's formula was found in women.", fields={"formula": "is for women only"})
    start, slope = _MAXIMUM[formula]
    # Two decimals hold every formula exactly; without them 0.7 x 43 would end in ...9998.
    return Figure(round(start - slope * plausible("age", age, 3, 120), 2), formula, {"age": age})


def check_reserve(resting: float, maximum: float) -> float:
    """The heart-rate reserve, maximum minus resting (bpm); `Invalid` where there is none."""
    plausible("resting", resting, 20, 150)
    plausible("maximum", maximum, 60, 250)
    if maximum <= resting:
        raise Invalid(
            "The highest heart rate must be above the resting one.",
            fields={"maximum": "is not above resting"},
        )
    return maximum - resting


def karvonen(share: float, resting: float, maximum: float) -> float:
    """The heart rate (bpm) at a share 0..1 of the reserve. Karvonen 1957: rest + share x (max - rest)."""
    return resting + plausible("share", share, 0, 1) * check_reserve(resting, maximum)


@dataclass(frozen=True, slots=True)
class Zones:
    """Five zones of effort, half-open, the last one closed: `edges[i] <= bpm < edges[i + 1]`.

    The six edges are whole numbers. An edge computed as 111.24 is kept as 112, the first whole heart rate
    inside: sensors report whole numbers, so the zones are the exact ones, and what a person reads is what
    the server used. Make one with `of_maximum`, `of_reserve` or `own`.
    """

    method: Literal["maximum", "reserve", "own"]
    edges: tuple[int, ...]
    maximum: float | None = None
    resting: float | None = None

    def __post_init__(self) -> None:
        if len(self.edges) != 6 or any(low >= high for low, high in pairwise(self.edges)):
            raise Invalid("Five zones need six rising edges.", fields={"edges": "must be six rising numbers"})
        plausible("edges", self.edges[0], 1, 250)
        plausible("edges", self.edges[5], 1, 250)
        if self.maximum is not None:
            plausible("maximum", self.maximum, 60, 250)
        if self.maximum is not None and self.resting is not None:
            check_reserve(self.resting, self.maximum)

    @classmethod
    def of_maximum(cls, maximum: float, resting: float | None = None) -> Zones:
        """Zones at 50-60-70-80-90-100 % of the highest heart rate.

        The resting heart rate moves no edge; with it `reserve_percent` can answer.
        """
        plausible("maximum", maximum, 60, 250)
        return cls("maximum", _whole([maximum * percent / 100 for percent in _PERCENTS]), maximum, resting)

    @classmethod
    def of_reserve(cls, maximum: float, resting: float) -> Zones:
        """Zones at 50-60-70-80-90-100 % of the heart-rate reserve (Karvonen)."""
        reserve = check_reserve(resting, maximum)
        edges = _whole([resting + reserve * percent / 100 for percent in _PERCENTS])
        return cls("reserve", edges, maximum, resting)

    @classmethod
    def own(cls, edges: Sequence[float], maximum: float | None = None, resting: float | None = None) -> Zones:
        """Zones between a person's own six edges (bpm), from the start of zone 1 to the end of zone 5."""
        if len(edges) != 6:
            raise Invalid("Five zones need six rising edges.", fields={"edges": "must be six rising numbers"})
        for edge in edges:
            plausible("edges", edge, 1, 250)
        return cls("own", _whole(edges), maximum, resting)

    def zone_of(self, bpm: float) -> int:
        """The zone 1..5 of a heart rate; 0 below the first, 5 also above the last."""
        return bisect_right(self.edges, bpm, 0, 5)

    @property
    def bounds(self) -> list[list[int]]:
        """The five zones as [lo, hi], as `hr.open` tells them."""
        return [list(pair) for pair in pairwise(self.edges)]

    @property
    def inputs(self) -> dict[str, object]:
        """What the zones were made from: the edges, and the heart rates where they are known."""
        known = {"maximum": self.maximum, "resting": self.resting}
        return {"edges": list(self.edges)} | {name: bpm for name, bpm in known.items() if bpm is not None}

    def reserve_percent(self, bpm: float) -> float | None:
        """The share of the heart-rate reserve in use, in percent; None while resting or highest are unknown.

        0 at and below the resting heart rate; above 100 when the highest one was set too low.
        """
        if self.maximum is None or self.resting is None:
            return None
        return max(0.0, 100.0 * (bpm - self.resting) / (self.maximum - self.resting))


def _whole(edges: Sequence[float]) -> tuple[int, ...]:
    """The first whole heart rate inside each zone, and the last one inside the last.

    Rounding to six places first takes away what floating point added.
    """
    *floors, top = (round(edge, 6) for edge in edges)
    return (*map(ceil, floors), floor(top))


def dwell(t_ms: Sequence[int], bpm: Sequence[int], gap_cap_ms: int = GAP_CAP_MS) -> dict[int, int]:
    """How long each heart rate was held: {bpm: milliseconds}, from samples in the order of time.

    A sample stands until the next one, at most `gap_cap_ms`; one without contact stands for nothing, and so
    does the last one. Zone time, TRIMP and energy all follow from this, each exactly as if it had been
    summed sample by sample, because they depend on nothing but the heart rate and how long it was held.
    """
    if len(t_ms) != len(bpm):
        raise Invalid(
            "Times and heart rates must be of one length.", fields={"bpm": "has another length than t"}
        )
    held: dict[int, int] = {}
    for rate, start, end in zip(bpm, t_ms, islice(t_ms, 1, None), strict=False):
        span = end - start
        if rate > 0 and span > 0:
            held[rate] = held.get(rate, 0) + (span if span < gap_cap_ms else gap_cap_ms)
    return held


def zone_seconds(held: Mapping[int, int], zones: Zones) -> list[float]:
    """Seconds in zones 1 to 5 out of a `dwell`; time below zone 1 is in none of them."""
    spans = [0] * 6
    for rate, span in held.items():
        spans[zones.zone_of(rate)] += span
    return [span / 1000 for span in spans[1:]]


def time_in_zone(
    t_ms: Sequence[int], bpm: Sequence[int], zones: Zones, gap_cap_ms: int = GAP_CAP_MS
) -> list[float]:
    """Seconds in zones 1 to 5, counted between the samples and never by counting samples; see `dwell`."""
    return zone_seconds(dwell(t_ms, bpm, gap_cap_ms), zones)
