"""A series thinned, and its best stretches."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittracker.errors import Invalid
from fittracker.series import Best, curve, resample
from tests.fittracker.recorded import heart_rates


def seconds(*parts):
    """Times and heart rates, one a second, from (heart rate, seconds)."""
    bpm = [rate for rate, count in parts for _ in range(count)]
    return [n * 1000 for n in range(len(bpm))], bpm


def test_the_curve_finds_the_best_average_of_each_duration():
    t_ms, bpm = seconds((100, 100), (160, 5), (130, 60), (100, 100))
    assert curve(t_ms, bpm, [5, 60, 100]) == [Best(5, 160), Best(60, 132.5), Best(100, 121)]


def test_a_duration_longer_than_the_recording_is_left_out():
    t_ms, bpm = seconds((100, 60))
    assert [best.seconds for best in curve(t_ms, bpm)] == [5, 60]


def test_a_pause_is_not_effort_and_splits_the_curve():
    """Two minutes at 150 on each side of a pause: no four minutes at 150."""
    bpm = [150] * 240
    t_ms = [n * 1000 + (600_000 if n >= 120 else 0) for n in range(240)]
    assert curve(t_ms, bpm, [120, 121]) == [Best(120, 150)]


def test_a_short_loss_of_contact_is_bridged():
    t_ms, bpm = seconds((150, 60), (0, 3), (150, 60))
    assert curve(t_ms, bpm, [60, 120]) == [Best(60, 150), Best(120, 150)]


def test_a_long_loss_of_contact_is_not():
    t_ms, bpm = seconds((150, 60), (0, 40), (150, 60))
    assert curve(t_ms, bpm, [60, 120]) == [Best(60, 150)]


def test_thinned_samples_stand_for_the_seconds_after_them():
    """One sample in 10 s: half a minute at 160 within minutes at 120."""
    t_ms = [n * 10_000 for n in range(30)]
    bpm = [120] * 10 + [160] * 3 + [120] * 17
    assert curve(t_ms, bpm, [30, 60]) == [Best(30, 160), Best(60, 140)]


def test_a_gap_of_the_cap_is_bridged_and_a_longer_one_is_not():
    for gap, fits in ((30, [6, 40]), (31, [6])):
        t_ms = [n * 1000 for n in range(6)] + [(5 + gap + n) * 1000 for n in range(6)]
        assert [best.seconds for best in curve(t_ms, [150] * 12, [6, 40])] == fits


@pytest.mark.parametrize("bpm", [[], [0, 0, 0]])
def test_without_a_heart_rate_there_is_no_curve(bpm):
    assert curve([n * 1000 for n in range(len(bpm))], bpm) == []


@settings(deadline=None)
@given(st.lists(st.integers(1, 220), min_size=1, max_size=80), st.integers(1, 80))
def test_the_curve_is_the_best_of_all_windows(bpm, length):
    t_ms = [n * 1000 for n in range(len(bpm))]
    windows = [sum(bpm[n : n + length]) / length for n in range(len(bpm) - length + 1)]
    assert curve(t_ms, bpm, [length]) == ([Best(length, round(max(windows), 1))] if windows else [])


def test_the_curve_of_a_real_run_falls_from_its_highest_value():
    t_ms, bpm = heart_rates("garmin-fenix2-run.fit")
    found = [best.bpm for best in curve(t_ms, bpm, [1, 5, 60, 300, 1200])]
    assert found[0] == 178
    assert found == sorted(found, reverse=True)
    assert found[-1] > 154


def test_a_bucket_starts_at_a_multiple_of_the_resolution_and_holds_the_mean():
    items = resample([12_000, 15_000, 19_999, 20_000], [100, 101, 102, 150], None, 10)
    assert items == [{"t": 10_000, "bpm": 101}, {"t": 20_000, "bpm": 150}]


def test_a_half_rounds_up():
    assert resample([0, 1], [100, 101], None, 1) == [{"t": 0, "bpm": 101}]
    assert resample([0, 1], [101, 102], None, 1) == [{"t": 0, "bpm": 102}]


def test_samples_without_contact_are_skipped():
    """A bucket of nothing else does not exist."""
    t_ms, bpm = [0, 1000, 2000, 10_000, 11_000], [100, 0, 102, 0, 0]
    assert resample(t_ms, bpm, None, 10) == [{"t": 0, "bpm": 101}]


def test_the_intervals_of_a_bucket_come_along_in_order():
    rr = [[800, 810], None, [790.5], [700]]
    items = resample([0, 1000, 2000, 10_000], [75, 75, 75, 0], rr, 10)
    assert items == [{"t": 0, "bpm": 75, "rr": [800, 810, 790.5]}]
    assert "rr" not in resample([0], [75], [None], 1)[0]


def test_a_late_sample_falls_into_its_own_bucket():
    assert resample([0, 10_000, 1000], [100, 150, 110], None, 10) == [
        {"t": 0, "bpm": 105},
        {"t": 10_000, "bpm": 150},
    ]


def test_the_series_that_were_given_stay_as_they_were():
    rr = [[800.0], [810.0]]
    resample([0, 1], [75, 75], rr, 1)
    assert rr == [[800.0], [810.0]]


@pytest.mark.parametrize("resolution", [0, -1])
def test_a_resolution_below_a_second_is_refused(resolution):
    with pytest.raises(Invalid):
        resample([0], [75], None, resolution)


@pytest.mark.parametrize(("resolution", "most"), [(1, 2808), (10, 285), (60, 49)])
def test_a_real_run_gets_smaller_and_keeps_its_mean(resolution, most):
    t_ms, bpm = heart_rates("garmin-fenix2-run.fit")
    items = resample(t_ms, bpm, None, resolution)
    assert len(items) <= most
    assert all(item["t"] % (resolution * 1000) == 0 for item in items)
    assert sum(item["bpm"] for item in items) / len(items) == pytest.approx(154, abs=1)
