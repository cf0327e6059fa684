"""How far a workout went, where that was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def distance_of(workout: Mapping[str, Any]) -> float | None:
    """Metres; None where it was not recorded."""
    found = workout.get("distance_m")
    if found is None:
        found = (workout.get("summary") or {}).get("distance_m")
    return found if isinstance(found, int | float) else None
