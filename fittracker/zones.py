"""Dated zones: which ones were in force on a day, for a sport.

A row says from which day it counts, for which sport (None: all), and by which method. It is complete in
itself: what it takes from the profile is written into it, so that a heart rate measured later, or a
birthday, does not move the zones of last year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fittracker.errors import Invalid
from fittracker.heart import Zones
from fittracker.mongo import Document
from fittracker.profile import maximum_on, resting_on

MOST_ROWS: Final = 200


def complete(rows: Sequence[Mapping[str, Any]], person: Mapping[str, Any]) -> list[Document]:
    """The rows `{sport, since, method, edges?, max_hr?, resting_hr?}` made complete and put in order.

    Invalid names the row (`items.3.edges`) that makes no zones, or begins when another one does.
    """
    if len(rows) > MOST_ROWS:
        raise Invalid(f"There are at most {MOST_ROWS} rows.", fields={"items": f"at most {MOST_ROWS}"})
    if len({(row.get("sport"), row["since"]) for row in rows}) != len(rows):
        raise Invalid("Two rows of one sport begin on one day.", fields={"items": "one a sport and day"})
    done = []
    for place, row in enumerate(rows):
        try:
            done.append(_complete(row, person))
        except Invalid as error:
            fields = {f"items.{place}.{_NAMES.get(name, name)}": why for name, why in error.fields.items()}
            raise Invalid(error.detail, fields=fields) from error
    return sorted(done, key=lambda row: (row["sport"] or "", row["since"]))


_NAMES: Final = {"maximum": "max_hr", "resting": "resting_hr"}


def _complete(row: Mapping[str, Any], person: Mapping[str, Any]) -> Document:
    day, method = row["since"], row["method"]
    if (row.get("edges") is not None) != (method == "own"):
        raise Invalid("Edges belong to own zones, and only to them.", fields={"edges": "belong to own zones"})
    done = {
        "sport": row.get("sport"),
        "since": day,
        "method": method,
        "edges": row.get("edges"),
        "max_hr": row.get("max_hr") or maximum_on(person, day),
        "resting_hr": row.get("resting_hr") or resting_on(person, day),
    }
    if method != "own" and done["max_hr"] is None:
        raise Invalid(
            "These zones need the highest heart rate, or a birth date.", fields={"max_hr": "is not known"}
        )
    if method == "reserve" and done["resting_hr"] is None:
        raise Invalid("These zones need the resting heart rate.", fields={"resting_hr": "is not known"})
    zones_of(done)
    return done


def zones_of(row: Mapping[str, Any]) -> Zones:
    """The zones a complete row stands for."""
    if row["method"] == "own":
        return Zones.own(row["edges"], row["max_hr"], row["resting_hr"])
    if row["method"] == "reserve":
        return Zones.of_reserve(row["max_hr"], row["resting_hr"])
    return Zones.of_maximum(row["max_hr"], row["resting_hr"])


def zones_on(person: Mapping[str, Any], sport: str | None, day: str) -> Zones | None:
    """The zones of a person on a local day (YYYY-MM-DD), for a sport.

    The newest row that has begun, of this sport or else of all sports. Without one, shares of the highest
    heart rate, measured or by Tanaka's formula; None while neither that nor the birth date is known. A
    resting heart rate moves no edge by itself: zones by reserve are chosen, with a row.
    """
    begun = [row for row in person["zones"] if row["since"] <= day and row["sport"] in (sport, None)]
    if begun:
        # A row of the sport itself goes before one of all sports, however old it is.
        return zones_of(max(begun, key=lambda row: (row["sport"] is not None, row["since"])))
    maximum = maximum_on(person, day)
    return None if maximum is None else Zones.of_maximum(maximum, resting_on(person, day))
