"""Energy against its reference values."""

import pytest

from fittracker.energy import keytel, metabolic, mifflin_st_jeor, reported
from fittracker.errors import Invalid

MINUTE = 60_000
MAN = {"sex": "male", "age": 35, "weight_kg": 80}
WOMAN = {"sex": "female", "age": 30, "weight_kg": 60}


@pytest.mark.parametrize(("person", "bpm", "kcal"), [(MAN, 150, 14.938), (WOMAN, 140, 8.807)])
def test_a_minute_costs_what_keytel_says(person, bpm, kcal):
    found = keytel({bpm: MINUTE}, **person)
    assert found.value == pytest.approx(kcal, abs=0.0005)
    assert (found.method, found.inputs) == ("keytel", person)


def test_keytel_never_goes_below_zero():
    """At 50 bpm the man's line is negative; that minute must not take back what another one cost."""
    assert keytel({50: MINUTE}, **MAN).value == 0
    assert keytel({50: 60 * MINUTE, 150: MINUTE}, **MAN).value == pytest.approx(14.938, abs=0.0005)


def test_an_hour_at_seven_and_a_half_met_costs_630_kcal_at_80_kg():
    found = metabolic(7.5, weight_kg=80, minutes=60)
    assert (found.value, found.method) == (630, "met")
    assert "2024" in str(found.inputs["edition"])


def test_what_the_device_counted_is_taken_over():
    assert (reported(431.0).value, reported(431.0).method) == (431, "device")


@pytest.mark.parametrize(
    ("person", "kcal"),
    [
        ({"sex": "male", "weight_kg": 80, "height_cm": 180, "age": 30}, 1780),
        ({"sex": "female", "weight_kg": 65, "height_cm": 165, "age": 45}, 1295.25),
    ],
)
def test_mifflin_and_st_jeor_give_the_reference_values(person, kcal):
    found = mifflin_st_jeor(**person)
    assert (found.value, found.method, found.inputs) == (kcal, "mifflin-st-jeor", person)


@pytest.mark.parametrize(
    "wrong", [{"sex": "other"}, {"age": 0}, {"age": 200}, {"weight_kg": 0}, {"weight_kg": 500}]
)
def test_a_person_who_cannot_be_is_refused(wrong):
    with pytest.raises(Invalid) as refused:
        keytel({150: MINUTE}, **(MAN | wrong))
    assert refused.value.fields.keys() == wrong.keys()
    with pytest.raises(Invalid) as refused:
        mifflin_st_jeor(**(MAN | {"height_cm": 180} | wrong))
    assert refused.value.fields.keys() == wrong.keys()


@pytest.mark.parametrize("wrong", [{"met": 40}, {"met": -1}, {"weight_kg": 1}, {"minutes": -1}])
def test_an_activity_that_cannot_be_is_refused(wrong):
    with pytest.raises(Invalid):
        metabolic(**({"met": 7.5, "weight_kg": 80, "minutes": 60} | wrong))


def test_a_device_that_counts_nonsense_is_refused():
    with pytest.raises(Invalid):
        reported(-5)
