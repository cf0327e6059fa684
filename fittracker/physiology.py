"""What is known of a person's heart on one day: the zones, the limits of their alerts, and what figures need.

It is read once when a stream is opened and kept with the stream, so that a workout is summed up with what
was true then, also by another worker, and also if the profile changes meanwhile.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fittracker.alerts import AlertLimits
from fittracker.heart import Zones


@dataclass(frozen=True, slots=True, kw_only=True)
class Physiology:
    """One person on one day. Ages in years, weights in kg, heart rates in bpm; None where unknown."""

    zones: Zones | None
    limits: AlertLimits
    time_zone: str = "UTC"
    sex: str | None = None
    age: float | None = None
    weight_kg: float | None = None
    resting: float | None = None
    maximum: float | None = None

    def as_document(self) -> dict[str, Any]:
        """As it is stored with a stream."""
        document = asdict(self)
        if self.zones is not None:
            document["zones"]["edges"] = list(self.zones.edges)
        return document

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Physiology:
        """The reverse of `as_document`."""
        zones = document["zones"]
        return cls(
            **{name: value for name, value in document.items() if name not in {"zones", "limits"}},
            zones=Zones(**{**zones, "edges": tuple(zones["edges"])}) if zones else None,
            limits=AlertLimits(**document["limits"]),
        )
