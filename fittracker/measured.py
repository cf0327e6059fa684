"""What is measured about a body: the kinds, their units, and what a person can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fittracker.errors import Invalid

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(days=1)
"""A clock of somebody's may be wrong, and a day begins elsewhere before it does here."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its unit, the range of its values, and the field of the profile that follows it."""

    name: str
    unit: str
    least: int
    most: int
    whole: bool = False
    field: str | None = None

    @property
    def range(self) -> str:
        """Such as `20 to 400 kg`."""
        return f"{self.least} to {self.most} {self.unit}"


KINDS: Final[tuple[Kind, ...]] = (
    Kind("weight", "kg", 20, 400, field="weight_kg"),
    Kind("body_fat", "%", 2, 75),
    Kind("resting_hr", "bpm", 20, 150, whole=True, field="resting_hr"),
    Kind("max_hr", "bpm", 60, 250, whole=True, field="max_hr"),
    Kind("ftp", "W", 20, 700),
)
NAMES: Final = tuple(kind.name for kind in KINDS)
OF_PROFILE: Final = tuple((kind, kind.field) for kind in KINDS if kind.field is not None)
"""Those that the profile follows, each with the field of the profile."""


def kind_of(name: str) -> Kind:
    """The kind of this name; Invalid where there is none."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise Invalid("There is no such kind.", fields={"kind": "must be of " + ", ".join(NAMES)})


def check_value(kind: Kind, value: float) -> None:
    """Invalid for a value that nobody has, and for part of a heartbeat."""
    if not kind.least <= value <= kind.most or (kind.whole and value != int(value)):
        wanted = f"must be {'a whole number, ' if kind.whole else ''}{kind.range}"
        raise Invalid("Nobody has such a value.", fields={"value": wanted})


def check_moment(person: Mapping[str, Any], at: datetime, now: datetime) -> None:
    """Invalid for a moment that has not come within a day, and for one before the person was born."""
    if at > now + AHEAD:
        raise Invalid("It was not measured yet.", fields={"at": "lies in the future"})
    born = person["birth_date"]
    too_early = at < EARLIEST
    if born is not None and not too_early:
        too_early = at.astimezone(ZoneInfo(person["time_zone"])).date().isoformat() < born
    if too_early:
        raise Invalid("Nobody was measured before they were born.", fields={"at": "lies before the birth"})
