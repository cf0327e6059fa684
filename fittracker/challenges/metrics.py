"""What challenges count, and in which numbers: whole thousandths of a unit, so that sums are exact."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from fittracker.distance import distance_of
from fittracker.errors import Invalid

METRICS: Final = ("distance", "time", "energy", "workouts", "custom")
UNITS: Final[Mapping[str, str]] = {"distance": "m", "time": "s", "energy": "kcal", "workouts": ""}
PARTS: Final = 1_000
MOST_VALUE: Final = 1_000_000.0
"""The most that is reported at once, and the least is a thousandth."""
MOST_TOTAL: Final = 9_000_000_000_000_000
"""Thousandths: what a double, which orders the board, still holds exactly."""
SETTLING: Final[Mapping[str, timedelta]] = {
    each: timedelta(0) if each == "custom" else timedelta(minutes=15) for each in METRICS
}
"""So long after its end a challenge waits for workouts that were under way: a stream that falls silent
becomes one after ten minutes."""


def parts_of(value: float, field: str = "value") -> int:
    """A reported value in thousandths; Invalid for what is not above 0 and at most 1,000,000."""
    parts = round(value * PARTS) if 0 < value <= MOST_VALUE else 0
    if parts < 1:
        wrong = f"must be 0.001 to {MOST_VALUE:,.0f}"
        raise Invalid("The value is not possible.", fields={field: wrong})
    return parts


def shown(parts: int) -> float:
    """Thousandths as they are told."""
    return parts / PARTS


def score(metric: str, workout: Mapping[str, Any]) -> int:
    """What a workout is worth, in thousandths of m, s, kcal, or 1; 0 where it has none of it."""
    if metric == "workouts":
        return PARTS
    value: Any = None
    if metric == "time":
        value = workout.get("duration_s")
    elif metric == "energy":
        value = (workout.get("summary") or {}).get("kcal")
    elif metric == "distance":
        value = distance_of(workout)
    return max(round(value * PARTS), 0) if isinstance(value, int | float) else 0
