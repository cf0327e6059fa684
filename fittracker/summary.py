"""What a stream of heart rate comes to, when it is closed: the figures of a workout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from fittracker import energy, hrv, load
from fittracker.errors import Invalid
from fittracker.figure import Figure
from fittracker.heart import GAP_CAP_MS, Sex, Zones, dwell, zone_seconds
from fittracker.series import CURVE_S, Best, curve, resample

__all__ = ["CURVE_S", "Best", "Summary", "curve", "resample", "summarise"]

_SEXES: Final[Mapping[str | None, Sex]] = MappingProxyType({"female": "female", "male": "male"})

Methods = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a workout, as `hr.close` tells them; None where a figure cannot be known.

    `samples` counts all that was stored, `duration_s` runs from the first to the last of them, pauses
    included. Average, highest and lowest heart rate leave out samples without contact. `zones_s` are
    seconds in zones 1 to 5. `methods` says for each figure how it was computed, `{method, inputs}`, or why
    it was not, `{method: None, reason}`; `held` in it is the time over which the heart rate is known, on
    which zones, TRIMP and energy rest.
    """

    samples: int
    duration_s: float
    avg_bpm: float | None
    max_bpm: int | None
    min_bpm: int | None
    zones_s: list[float] | None
    trimp: float | None
    rmssd_ms: float | None
    kcal: float | None
    methods: Methods

    def as_dict(self) -> dict[str, Any]:
        """The summary in plain dicts and lists, to store and to send."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Person:
    """What is known about somebody; years, kilograms and bpm."""

    sex: Sex | None
    age: float | None
    weight_kg: float | None
    resting: float | None
    maximum: float | None


def summarise(
    t_ms: Sequence[int],
    bpm: Sequence[int],
    rr: Sequence[Sequence[float] | None] | None = None,
    *,
    zones: Zones | None = None,
    sex: str | None = None,
    birth_age: float | None = None,
    weight_kg: float | None = None,
    resting: float | None = None,
    maximum: float | None = None,
    device_kcal: float | None = None,
    met: float | None = None,
    gap_cap_ms: int = GAP_CAP_MS,
) -> Summary:
    """Sum up the stored samples of a stream: one row of `t_ms`, `bpm` and `rr` (ms, or None) for each.

    What is known about the person goes in as it was on that day: `birth_age` in years, `resting` and
    `maximum` in bpm. Energy is the device's own figure where there is one, then Keytel's, then that of the
    activity's `met`. Samples may lie out of order, as after a clock that was set back. `Invalid` where the
    rows do not match; what is wrong with the person's data costs only the figures that need it, and is said
    in `methods`.
    """
    t_ms, bpm, rr = _in_order(t_ms, bpm, [None] * len(t_ms) if rr is None else rr)
    person = _Person(_SEXES.get(sex), birth_age, weight_kg, resting, maximum)
    rates = [rate for rate in bpm if rate > 0]
    held = dwell(t_ms, bpm, gap_cap_ms)
    seconds = (t_ms[-1] - t_ms[0]) / 1000 if t_ms else 0.0
    methods: Methods = {
        "avg_bpm": _entry("mean-of-samples", samples=len(rates)),
        "held": _entry("sample-and-hold", gap_cap_s=gap_cap_ms / 1000, seconds=sum(held.values()) / 1000),
    }
    return Summary(
        samples=len(t_ms),
        duration_s=seconds,
        avg_bpm=round(sum(rates) / len(rates), 1) if rates else None,
        max_bpm=max(rates, default=None),
        min_bpm=min(rates, default=None),
        zones_s=_zones_s(methods, held, zones),
        trimp=_noted(methods, "trimp", lambda: _trimp(held, person), 2),
        rmssd_ms=_rmssd_ms(methods, hrv.analyse(hrv.unbroken(t_ms, rr))),
        kcal=_noted(methods, "kcal", lambda: _kcal(held, person, seconds, device_kcal, met), 1),
        methods=methods,
    )


def _in_order(
    t_ms: Sequence[int], bpm: Sequence[int], rr: Sequence[Sequence[float] | None]
) -> tuple[Sequence[int], Sequence[int], Sequence[Sequence[float] | None]]:
    if not len(t_ms) == len(bpm) == len(rr):
        raise Invalid("Times, heart rates and RR intervals must have the same number of rows.")
    if all(before <= after for before, after in pairwise(t_ms)):
        return t_ms, bpm, rr
    order = sorted(range(len(t_ms)), key=t_ms.__getitem__)
    return [t_ms[row] for row in order], [bpm[row] for row in order], [rr[row] for row in order]


def _entry(method: str, **inputs: object) -> dict[str, Any]:
    return {"method": method, "inputs": inputs}


def _unknown(reason: str) -> dict[str, Any]:
    return {"method": None, "reason": reason}


def _noted(methods: Methods, name: str, compute: Callable[[], Figure], digits: int) -> float | None:
    """A figure, rounded, with its method noted; or None, with the reason noted."""
    try:
        figure = compute()
    except Invalid as failure:
        methods[name] = _unknown(failure.detail)
        return None
    methods[name] = _entry(figure.method, **figure.inputs)
    return round(figure.value, digits)


def _zones_s(methods: Methods, held: Mapping[int, int], zones: Zones | None) -> list[float] | None:
    if zones is None:
        methods["zones_s"] = _unknown("No zones are known.")
        return None
    methods["zones_s"] = _entry(zones.method, **zones.inputs)
    return zone_seconds(held, zones)


def _rmssd_ms(methods: Methods, found: hrv.Hrv) -> float | None:
    if found.rmssd_ms is None:
        methods["rmssd_ms"] = _unknown("Too few RR intervals were kept.")
        return None
    methods["rmssd_ms"] = _entry(
        found.method, beats=found.beats, rejected=found.rejected, differences=found.differences
    )
    return round(found.rmssd_ms, 1)


def _trimp(held: Mapping[int, int], person: _Person) -> Figure:
    """Banister's; `Invalid` says what is missing."""
    if not held:
        raise Invalid("No heart rate was measured.")
    if person.sex is None or person.resting is None or person.maximum is None:
        raise Invalid(_missing(sex=person.sex, resting=person.resting, maximum=person.maximum))
    return load.banister(held, resting=person.resting, maximum=person.maximum, sex=person.sex)


def _kcal(
    held: Mapping[int, int], person: _Person, seconds: float, device_kcal: float | None, met: float | None
) -> Figure:
    """The best figure there is; `Invalid` says what is missing."""
    if device_kcal is not None:
        return energy.reported(device_kcal)
    sex, age, weight_kg = person.sex, person.age, person.weight_kg
    if held and sex is not None and age is not None and weight_kg is not None:
        return energy.keytel(held, sex=sex, age=age, weight_kg=weight_kg)
    if met is not None and weight_kg is not None:
        return energy.metabolic(met, weight_kg=weight_kg, minutes=seconds / 60)
    if not held:
        raise Invalid("No heart rate was measured.")
    raise Invalid(_missing(sex=sex, birth_age=age, weight_kg=weight_kg))


def _missing(**needs: object) -> str:
    return "Not known: " + ", ".join(name for name, value in needs.items() if value is None) + "."
