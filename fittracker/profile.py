"""What is known of a person: the fields of a profile, what they must agree on, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from fittracker.alerts import AlertLimits
from fittracker.errors import Invalid
from fittracker.heart import check_reserve, maximum_rate
from fittracker.mongo import Document
from fittracker.search_words import search_field

FIELDS: Final = (
    "name",
    "birth_date",
    "sex",
    "weight_kg",
    "height_cm",
    "resting_hr",
    "max_hr",
    "time_zone",
)
History = Mapping[str, Sequence[tuple[datetime, float | None]]]
"""By field of the profile: what it was, from which moment on, oldest first."""
YOUNGEST: Final = 13
OLDEST: Final = 120


def new_person(
    user: str, email: str, name: str, role: str, now: datetime, profile: Mapping[str, Any]
) -> Document:
    """A person as stored: everything there is has its field, what is unknown is None."""
    blank: Document = dict.fromkeys(FIELDS)
    return {
        "_id": user,
        "email": email,
        "role": role,
        **blank,
        **profile,
        "name": name,
        "search": search_field(name),
        "time_zone": profile.get("time_zone") or "UTC",
        "zones": [],
        "preferences": {},
        "disabled_at": None,
        "verified_at": None,
        "created_at": now,
        "updated_at": now,
        "version": 1,
        "schema_version": 1,
    }


def check_profile(person: Mapping[str, Any], today: date) -> None:
    """Invalid for a profile that no person has."""
    age = age_on(person.get("birth_date"), today.isoformat())
    if age is not None and not YOUNGEST <= age <= OLDEST:
        raise Invalid(
            f"People here are {YOUNGEST} to {OLDEST} years old.", fields={"birth_date": "is not possible"}
        )
    resting, highest = person.get("resting_hr"), person.get("max_hr")
    if resting is not None and highest is not None and highest <= resting:
        raise Invalid(
            "The highest heart rate must be above the resting one.",
            fields={"max_hr": "is not above resting_hr"},
        )


def age_on(birth_date: str | None, day: str) -> int | None:
    """Whole years on a day; both YYYY-MM-DD. Who was born on 29 February has their birthday on 1 March."""
    if birth_date is None:
        return None
    born, then = date.fromisoformat(birth_date), date.fromisoformat(day)
    return then.year - born.year - ((then.month, then.day) < (born.month, born.day))


def end_of(day: str, time_zone: str) -> datetime:
    """The last moment of a local day (YYYY-MM-DD), also where its last hour comes twice."""
    return datetime.combine(date.fromisoformat(day), time.max, ZoneInfo(time_zone)).replace(fold=1)


def in_force(person: Mapping[str, Any], field: str, day: str) -> float | None:
    """What a measured field of the profile was on a local day.

    The newest of the person's `history` until the end of that day, before the first one the first one. Who
    comes without a history is taken as they are now.
    """
    points = person.get("history", {}).get(field)
    if not points:
        return None if person[field] is None else float(person[field])
    zone = ZoneInfo(person["time_zone"])
    # Compared as days and not as moments: the last day of the calendar has no end that could be told.
    begun = [value for at, value in points if at.astimezone(zone).date().isoformat() <= day]
    value = begun[-1] if begun else points[0][1]
    return None if value is None else float(value)


def maximum_on(person: Mapping[str, Any], day: str) -> float | None:
    """The highest heart rate (bpm) on a day: the measured one, else Tanaka's for the age, else None."""
    measured = in_force(person, "max_hr", day)
    if measured is not None:
        return measured
    age = age_on(person["birth_date"], day)
    return None if age is None else maximum_rate(age).value


def resting_on(person: Mapping[str, Any], day: str) -> float | None:
    """The resting heart rate (bpm), where there is a reserve above it; else None."""
    resting, maximum = in_force(person, "resting_hr", day), maximum_on(person, day)
    if resting is None or maximum is None:
        return resting
    try:
        check_reserve(resting, maximum)
    except Invalid:
        return None  # an estimate by age below a measured resting rate: the measurement is kept, not used
    return resting


def alert_limits(person: Mapping[str, Any], day: str) -> AlertLimits:
    """The person's own alert limits, and for those they did not set what follows from their heart."""
    own = person["preferences"].get("alerts") or {}
    derived = AlertLimits.of_person(maximum_on(person, day), resting_on(person, day))
    try:
        return derived.with_own(own)
    except Invalid:
        # An own low limit so near a highest rate that was changed later: the person's own word counts.
        return AlertLimits(high=None, low=derived.low).with_own(own)
