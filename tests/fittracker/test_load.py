"""Training load against the published and the computed reference values."""

from datetime import date, timedelta

import pytest

from fittracker.errors import Invalid
from fittracker.load import banister, edwards, progress, session_rpe

MINUTE = 60_000
DAY = date(2026, 3, 1)


@pytest.mark.parametrize(("sex", "trimp"), [("male", 100.44), ("female", 113.52)])
def test_an_hour_at_150_costs_what_banister_says(sex, trimp):
    found = banister({150: 60 * MINUTE}, resting=60, maximum=190, sex=sex)
    assert found.value == pytest.approx(trimp, abs=0.005)
    assert (found.method, found.inputs) == ("banister", {"resting": 60, "maximum": 190, "sex": sex})


def test_intervals_cost_more_than_their_average():
    """From the mean of 145 bpm it would be 88.11, which is wrong."""
    both = {110: 30 * MINUTE, 180: 30 * MINUTE}
    assert banister(both, resting=60, maximum=190, sex="male").value == pytest.approx(119.74, abs=0.005)
    mean = banister({145: 60 * MINUTE}, resting=60, maximum=190, sex="male").value
    assert mean == pytest.approx(88.11, abs=0.005)


def test_a_heart_below_its_resting_rate_costs_nothing_and_saves_nothing():
    rested = banister({50: 60 * MINUTE, 150: 60 * MINUTE}, resting=60, maximum=190, sex="male")
    assert rested.value == pytest.approx(100.44, abs=0.005)


@pytest.mark.parametrize(
    "person",
    [
        {"resting": 190, "maximum": 190, "sex": "male"},
        {"resting": 60, "maximum": 400, "sex": "male"},
        {"resting": 60, "maximum": 190, "sex": "unknown"},
    ],
)
def test_banister_refuses_a_person_who_cannot_be(person):
    with pytest.raises(Invalid):
        banister({150: MINUTE}, **person)


def test_edwards_weighs_the_minutes_by_their_zone():
    found = edwards([10 * 60, 20 * 60, 15 * 60, 10 * 60, 5 * 60])
    assert (found.value, found.method) == (160, "edwards")


@pytest.mark.parametrize("zones_s", [[], [60] * 4, [60, 60, 60, 60, -1], [60, 60, 60, 60, float("nan")]])
def test_edwards_refuses_what_is_not_the_time_in_five_zones(zones_s):
    with pytest.raises(Invalid):
        edwards(zones_s)


def test_session_rpe_is_minutes_times_exertion():
    found = session_rpe(45, 7)
    assert (found.value, found.method, found.inputs) == (315, "session-rpe", {"minutes": 45, "rpe": 7})


@pytest.mark.parametrize(("minutes", "rpe"), [(-1, 5), (45, 11), (45, -1)])
def test_session_rpe_refuses_what_the_scale_does_not_have(minutes, rpe):
    with pytest.raises(Invalid):
        session_rpe(minutes, rpe)


def test_a_hundred_a_day_builds_fitness_and_fatigue_as_the_reference_says():
    days = progress({DAY + timedelta(n): 100.0 for n in range(42)}, DAY, DAY + timedelta(41))
    marks = [days[0], days[6], days[41]]
    assert [round(day.ctl, 4) for day in marks] == [2.3528, 15.3518, 63.2121]
    assert [round(day.atl, 4) for day in marks] == [13.3122, 63.2121, 99.7521]


def test_form_is_yesterdays_fitness_minus_yesterdays_fatigue():
    first, second = progress({DAY: 100.0}, DAY, DAY + timedelta(1))
    assert first.tsb == 0
    assert second.tsb == pytest.approx(first.ctl - first.atl)


def test_a_rest_day_is_a_zero_and_lets_both_fade():
    trained, rested = progress({DAY: 100.0}, DAY, DAY + timedelta(1))
    assert (rested.day, rested.load) == (DAY + timedelta(1), 0)
    assert rested.atl < trained.atl
    assert rested.ctl < trained.ctl


def test_a_single_day_is_a_series():
    assert [day.load for day in progress({DAY: 100.0}, DAY, DAY)] == [100]


def test_a_series_can_be_continued_from_where_it_stood():
    loads = {DAY + timedelta(n): float(n % 3 * 60) for n in range(10)}
    whole = progress(loads, DAY, DAY + timedelta(9))
    rest = progress(loads, DAY + timedelta(5), DAY + timedelta(9), ctl=whole[4].ctl, atl=whole[4].atl)
    assert rest == whole[5:]


def test_days_that_run_backwards_are_refused():
    with pytest.raises(Invalid):
        progress({}, DAY, DAY - timedelta(1))
