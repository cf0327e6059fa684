"""Energy spent: from the heart rate, by the kind of activity, and at rest. Every answer names its method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fittracker.errors import Invalid
from fittracker.figure import Figure, plausible
from fittracker.heart import Sex

KJ_PER_KCAL: Final = 4.184
COMPENDIUM: Final = "Compendium of Physical Activities 2024"


def keytel(held: Mapping[int, int], *, sex: Sex, age: float, weight_kg: float) -> Figure:
    """Kilocalories from a `heart.dwell` ({bpm: ms}) by Keytel 2005 (J Sports Sci 23:289).

    kJ a minute: men -55.0969 + .6309 HR + .1988 kg + .2017 age; women -20.4022 + .4472 HR - .1263 kg + .074
    age. At low heart rates the line falls below zero; it is clamped there for each heart rate on its own.
    """
    plausible("age", age, 3, 120)
    plausible("weight_kg", weight_kg, 10, 400)
    if sex == "male":
        slope, constant = 0.6309, -55.0969 + 0.1988 * weight_kg + 0.2017 * age
    elif sex == "female":
        slope, constant = 0.4472, -20.4022 - 0.1263 * weight_kg + 0.074 * age
    else:
        raise Invalid(
            "Keytel's formula is known for men and women.", fields={"sex": "must be female or male"}
        )
    joules = sum(span * max(0.0, constant + slope * rate) for rate, span in held.items())
    return Figure(joules / 60_000 / KJ_PER_KCAL, "keytel", {"sex": sex, "age": age, "weight_kg": weight_kg})


def metabolic(met: float, *, weight_kg: float, minutes: float) -> Figure:
    """Kilocalories of an activity by its metabolic equivalent: MET x 3.5 x kg / 200 a minute."""
    plausible("met", met, 0, 30)
    plausible("weight_kg", weight_kg, 10, 400)
    plausible("minutes", minutes, 0, 7 * 24 * 60)
    inputs = {"met": met, "weight_kg": weight_kg, "minutes": minutes, "edition": COMPENDIUM}
    return Figure(met * 3.5 * weight_kg / 200 * minutes, "met", inputs)


def reported(kcal: float) -> Figure:
    """Kilocalories as the device counted them; it knows more than any formula, so it goes first."""
    return Figure(plausible("kcal", kcal, 0, 100_000), "device", {})


def mifflin_st_jeor(*, sex: Sex, age: float, weight_kg: float, height_cm: float) -> Figure:
    """Kilocalories a day at rest, Mifflin and St Jeor 1990: 10 kg + 6.25 cm - 5 age, men + 5, women - 161."""
    plausible("age", age, 3, 120)
    plausible("weight_kg", weight_kg, 10, 400)
    plausible("height_cm", height_cm, 50, 260)
    if sex not in ("female", "male"):
        raise Invalid("The formula is known for men and women.", fields={"sex": "must be female or male"})
    value = 10 * weight_kg + 6.25 * height_cm - 5 * age + (5 if sex == "male" else -161)
    inputs = {"sex": sex, "age": age, "weight_kg": weight_kg, "height_cm": height_cm}
    return Figure(value, "mifflin-st-jeor", inputs)
