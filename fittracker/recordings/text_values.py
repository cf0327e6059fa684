"""Values out of the text of XML elements: None and a count where they cannot be read."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from fittracker.recordings.draft import Draft

# What a number may be at most, by the field of a point; beyond it, it is a mistake of the file.
RANGES: Final = {
    "heart_rate": (0.0, 300.0),
    "lat": (-90.0, 90.0),
    "lon": (-180.0, 180.0),
    "cadence_rpm": (0.0, 500.0),
    "power_w": (0.0, 10_000.0),
    "speed_mps": (0.0, 500.0),
    "distance_m": (0.0, 1e8),
    "altitude_m": (-12_000.0, 50_000.0),
    "temperature_c": (-100.0, 150.0),
}
TOTAL: Final = (0.0, 1e9)


def read_number(draft: Draft, field: str, text: str) -> float | None:
    """The number of a field in its range; an empty element is "not measured", anything else unreadable."""
    if not text:
        return None
    low, high = RANGES.get(field, TOTAL)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if low <= value <= high:
        return value
    draft.unreadable_values += 1
    return None


def read_pulse(draft: Draft, text: str) -> int | None:
    """A heart rate in whole bpm."""
    value = read_number(draft, "heart_rate", text)
    return None if value is None else round(value)


def read_time(draft: Draft, text: str) -> int | None:
    """Unix milliseconds of an ISO 8601 time; one without a zone is UTC, as both formats prescribe."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except ValueError:
        draft.unreadable_values += 1
        return None
