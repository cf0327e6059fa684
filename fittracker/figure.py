"""A figure that says how it was come by: no number about a body goes without its method and its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fittracker.errors import Invalid


@dataclass(frozen=True, slots=True)
class Figure:
    """One computed value; its unit is said by the function that returns it.

    `method` is the name of the formula and `inputs` what went into it, so that whoever sees the figure
    years later, after weight and resting heart rate have changed, can still tell what it meant.
    """

    value: float
    method: str
    inputs: Mapping[str, object]


def plausible(field: str, value: float, lowest: float, highest: float) -> float:
    """The value itself, or `Invalid` naming the field when it lies outside what a person can have.

    Not-a-number compares as outside.
    """
    if not lowest <= value <= highest:
        raise Invalid(
            f"{field} must lie between {lowest:g} and {highest:g}.",
            fields={field: f"must lie between {lowest:g} and {highest:g}"},
        )
    return value
