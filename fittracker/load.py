"""Training load: how much a workout cost, and what many of them add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import exp
from types import MappingProxyType
from typing import Final

from fittracker.errors import Invalid
from fittracker.figure import Figure, plausible
from fittracker.heart import Sex, check_reserve

CHRONIC_DAYS: Final = 42
ACUTE_DAYS: Final = 7

_BANISTER: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"male": (0.64, 1.92), "female": (0.86, 1.67)}
)


def banister(held: Mapping[int, int], *, resting: float, maximum: float, sex: Sex) -> Figure:
    """TRIMP of Banister 1991 from a `heart.dwell` ({bpm: ms}): the sum of minutes x r x a e^(k r).

    r is the share of the heart-rate reserve, clamped at 0 below rest; a and k are 0.64 and 1.92 for men, 0.86
    and 1.67 for women. Summed over every heart rate that was held: from the average it would come out far
    too low for intervals, because the weight grows faster than the heart rate.
    """
    reserve = check_reserve(resting, maximum)
    if sex not in _BANISTER:
        raise Invalid(
            "Banister's TRIMP is known for men and women.", fields={"sex": "must be female or male"}
        )
    weight, growth = _BANISTER[sex]
    total = 0.0
    for rate, span in held.items():
        share = (rate - resting) / reserve
        if share > 0:
            total += span * share * exp(growth * share)
    inputs = {"resting": resting, "maximum": maximum, "sex": sex}
    return Figure(weight * total / 60_000, "banister", inputs)


def edwards(zones_s: Sequence[float]) -> Figure:
    """TRIMP of Edwards 1993: the minutes in zone 1 to 5, given in seconds, times 1 to 5."""
    if len(zones_s) != 5 or any(not seconds >= 0 for seconds in zones_s):
        raise Invalid(
            "Edwards' TRIMP needs the time in five zones.", fields={"zones_s": "must be five times"}
        )
    value = sum(zone * seconds for zone, seconds in enumerate(zones_s, 1)) / 60
    return Figure(value, "edwards", {"zones_s": list(zones_s)})


def session_rpe(minutes: float, rpe: float) -> Figure:
    """Session load of Foster 2001: minutes x perceived exertion on the 0 to 10 scale."""
    plausible("minutes", minutes, 0, 7 * 24 * 60)
    return Figure(minutes * plausible("rpe", rpe, 0, 10), "session-rpe", {"minutes": minutes, "rpe": rpe})


@dataclass(frozen=True, slots=True)
class LoadDay:
    """Where a person stands at the end of a local day.

    `ctl` is fitness (42 days), `atl` fatigue (7 days), `tsb` form: the day before's CTL minus ATL, because
    what was done today does not change how fresh one was for it.
    """

    day: date
    load: float
    ctl: float
    atl: float
    tsb: float


def progress(
    loads: Mapping[date, float], first: date, last: date, *, ctl: float = 0.0, atl: float = 0.0
) -> list[LoadDay]:
    """CTL, ATL and TSB of every local day from `first` to `last`, both included.

    `loads` is the load of each day; a day that is not in it was a rest day, and counts as 0. `ctl` and
    `atl` are the values at the end of the day before `first`. v += (load - v)(1 - e^(-1/tau)), Banister's
    impulse-response model as Coggan simplified it.
    """
    if last < first:
        raise Invalid("The last day lies before the first.", fields={"last": "lies before first"})
    chronic, acute = 1 - exp(-1 / CHRONIC_DAYS), 1 - exp(-1 / ACUTE_DAYS)
    days = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(offset)
        load = loads.get(day, 0.0)
        form = ctl - atl
        ctl += (load - ctl) * chronic
        atl += (load - atl) * acute
        days.append(LoadDay(day, load, ctl, atl, form))
    return days
