"""The highest heart rate, the reserve, the zones and the time in them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittracker.errors import Invalid
from fittracker.heart import (
    Zones,
    check_reserve,
    dwell,
    karvonen,
    maximum_rate,
    time_in_zone,
    zone_seconds,
)
from tests.fittracker.recorded import heart_rates

SECOND = 1000


@pytest.mark.parametrize(
    ("formula", "bpm"), [("tanaka", 180), ("fox", 180), ("gellish", 179), ("gulati", 170.8), ("nes", 185.4)]
)
def test_each_formula_gives_its_published_value_at_forty(formula, bpm):
    found = maximum_rate(40, formula=formula)
    assert (found.value, found.method, found.inputs) == (bpm, formula, {"age": 40})


def test_tanaka_is_the_formula_of_those_who_choose_none():
    assert maximum_rate(40).method == "tanaka"


def test_a_measured_highest_heart_rate_wins_over_every_formula():
    found = maximum_rate(40, formula="fox", measured=191)
    assert (found.value, found.method, found.inputs) == (191, "measured", {"measured": 191})


def test_a_formula_leaves_no_crumbs_of_floating_point():
    """208 - 0.7 x 43 is 177.9, and not 177.89999999999998, which would move the edge of a zone."""
    assert maximum_rate(43).value == 177.9


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({}, "age"),
        ({"age": 2}, "age"),
        ({"age": 121}, "age"),
        ({"age": math.nan}, "age"),
        ({"age": 40, "formula": "guess"}, "formula"),
        ({"age": 40, "formula": "gulati", "sex": "male"}, "formula"),
        ({"measured": 40}, "measured"),
        ({"measured": 300}, "measured"),
    ],
)
def test_a_highest_heart_rate_without_ground_is_refused(inputs, field):
    with pytest.raises(Invalid) as refused:
        maximum_rate(**inputs)
    assert field in refused.value.fields


def test_karvonen_gives_144_at_seventy_percent_for_rest_60_and_age_40():
    assert karvonen(0.7, 60, maximum_rate(40, formula="fox").value) == pytest.approx(144)


def test_karvonen_goes_from_the_resting_to_the_highest_heart_rate_and_no_further():
    assert [karvonen(share, 60, 180) for share in (0, 1)] == [60, 180]
    for share in (-0.1, 1.1):
        with pytest.raises(Invalid):
            karvonen(share, 60, 180)


@pytest.mark.parametrize(("resting", "maximum"), [(60, 60), (100, 90), (10, 180), (60, 300), (60, 59.9)])
def test_a_reserve_that_cannot_be_is_refused(resting, maximum):
    with pytest.raises(Invalid):
        check_reserve(resting, maximum)


def test_zones_of_the_highest_heart_rate_start_at_half_of_it():
    zones = Zones.of_maximum(180)
    assert zones.bounds == [[90, 108], [108, 126], [126, 144], [144, 162], [162, 180]]
    assert zones.method == "maximum"
    assert zones.inputs == {"edges": [90, 108, 126, 144, 162, 180], "maximum": 180}


def test_zones_of_the_reserve_start_above_the_resting_heart_rate():
    zones = Zones.of_reserve(180, 60)
    assert zones.bounds == [[120, 132], [132, 144], [144, 156], [156, 168], [168, 180]]
    assert zones.inputs["resting"] == 60


def test_own_zones_are_taken_as_they_are():
    zones = Zones.own([100, 120, 135, 150, 165, 190])
    assert zones.bounds == [[100, 120], [120, 135], [135, 150], [150, 165], [165, 190]]
    assert zones.method == "own"


@pytest.mark.parametrize(
    ("bpm", "zone"),
    [
        (0, 0),
        (89, 0),
        (90, 1),
        (107, 1),
        (108, 2),
        (126, 3),
        (144, 4),
        (161, 4),
        (162, 5),
        (180, 5),
        (230, 5),
    ],
)
def test_zones_are_half_open_and_the_last_one_is_closed(bpm, zone):
    """Below the first is zone 0; above the top there is no sixth zone."""
    assert Zones.of_maximum(180).zone_of(bpm) == zone


@settings(deadline=None)
@given(
    maximum=st.decimals(100, 250, places=2).map(float),
    resting=st.integers(25, 80),
    bpm=st.integers(1, 300),
)
def test_whole_edges_put_every_whole_heart_rate_where_the_exact_percentage_would(maximum, resting, bpm):
    """Edges are shown as whole numbers, and the server uses the same: nobody sees two truths."""
    share = 100 * (bpm - resting) / (maximum - resting)
    exact = sum(share >= percent - 1e-6 for percent in (50, 60, 70, 80, 90))
    assert Zones.of_reserve(maximum, resting).zone_of(bpm) == exact


@settings(deadline=None)
@given(bpm=st.integers(1, 300), zones=st.sampled_from([Zones.of_maximum(180), Zones.of_reserve(191.3, 47)]))
def test_the_bounds_that_are_told_are_those_that_are_used(bpm, zones):
    inside = [zone for zone, (low, high) in enumerate(zones.bounds, 1) if low <= bpm < high]
    top = zones.bounds[-1][1]
    assert zones.zone_of(bpm) == (inside[0] if inside else 5 if bpm >= top else 0)


@pytest.mark.parametrize(
    "edges",
    [
        [],
        [100, 120, 135, 150, 165],
        [100, 120, 120, 150, 165, 190],
        [190, 165, 150, 135, 120, 100],
        [0, 120, 135, 150, 165, 190],
        [100, 120, 135, 150, 165, 260],
        [100, 120, math.nan, 150, 165, 190],
    ],
)
def test_own_edges_that_make_no_five_zones_are_refused(edges):
    with pytest.raises(Invalid) as refused:
        Zones.own(edges)
    assert "edges" in refused.value.fields


def test_a_reserve_too_small_for_five_zones_is_refused():
    with pytest.raises(Invalid):
        Zones.of_reserve(66, 60)


def test_own_zones_still_refuse_a_highest_heart_rate_below_the_resting_one():
    with pytest.raises(Invalid):
        Zones.own([100, 120, 135, 150, 165, 190], maximum=70, resting=80)


def test_the_share_of_the_reserve_is_told_where_the_resting_heart_rate_is_known():
    zones = Zones.of_maximum(190, resting=60)
    assert [zones.reserve_percent(bpm) for bpm in (60, 125, 190)] == [0, 50, 100]
    assert zones.reserve_percent(50) == 0
    assert zones.reserve_percent(203) == 110
    assert Zones.of_maximum(190).reserve_percent(125) is None


def test_zones_cannot_be_changed_once_they_are_made():
    """They are dated: a change is a new set from a new day on."""
    with pytest.raises(AttributeError):
        Zones.of_maximum(180).edges = (1, 2, 3, 4, 5, 6)


def test_time_in_zone_counts_seconds_and_not_samples():
    """Three samples over 21 s are 21 s."""
    zones = Zones.of_maximum(180)
    assert time_in_zone([0, 20 * SECOND, 21 * SECOND], [100, 150, 150], zones) == [20, 0, 0, 1, 0]


def test_time_below_zone_one_is_in_no_zone():
    assert time_in_zone([0, 10 * SECOND], [60, 60], Zones.of_maximum(180)) == [0, 0, 0, 0, 0]


def test_a_pause_counts_no_more_than_the_gap_cap():
    zones = Zones.of_maximum(180)
    assert time_in_zone([0, 3600 * SECOND, 3601 * SECOND], [100, 100, 100], zones) == [31, 0, 0, 0, 0]
    assert time_in_zone([0, 3600 * SECOND], [100, 100], zones, gap_cap_ms=5 * SECOND)[0] == 5


def test_time_without_contact_is_not_counted():
    """Heart rate 0 is no contact; the beat before it stands until then."""
    assert dwell([0, 1000, 2000, 3000, 4000], [100, 0, 0, 100, 100]) == {100: 2000}


def test_a_sample_from_the_past_counts_nothing():
    assert dwell([0, 1000, 500, 500], [100, 100, 100, 100]) == {100: 1000}


def test_times_and_heart_rates_of_different_length_are_refused():
    with pytest.raises(Invalid):
        dwell([0, 1000], [100])


@pytest.mark.parametrize("samples", [0, 1])
def test_nothing_was_held_where_there_is_no_second_sample(samples):
    assert time_in_zone([0] * samples, [100] * samples, Zones.of_maximum(180)) == [0] * 5


def test_a_real_run_is_fully_accounted_for():
    """47 min with a sample each second or so, all of it at 69 bpm or more: no second may go missing."""
    t_ms, bpm = heart_rates("garmin-fenix2-run.fit")
    held = dwell(t_ms, bpm)
    assert sum(held.values()) == t_ms[-1] - t_ms[0]
    zones = Zones.own([60, 100, 120, 140, 160, 200])
    assert sum(zone_seconds(held, zones)) == pytest.approx((t_ms[-1] - t_ms[0]) / 1000)
