"""Figures name their method; what no person can have is refused."""

import math

import pytest

from fittracker.errors import Invalid
from fittracker.figure import Figure, plausible


def test_a_figure_keeps_its_method_and_its_inputs():
    figure = Figure(180.0, "tanaka", {"age": 40})
    assert (figure.value, figure.method, figure.inputs) == (180.0, "tanaka", {"age": 40})


def test_a_plausible_value_is_handed_back_up_to_both_ends():
    assert [plausible("age", value, 3, 120) for value in (3, 40.5, 120)] == [3, 40.5, 120]


@pytest.mark.parametrize("value", [2.9, 120.1, math.nan, math.inf, -math.inf])
def test_an_implausible_value_is_refused_by_the_name_of_its_field(value):
    """Not-a-number is outside of every range."""
    with pytest.raises(Invalid) as refused:
        plausible("age", value, 3, 120)
    assert refused.value.fields == {"age": "must lie between 3 and 120"}
