"""Heart-rate variability: the reference series, real recordings, and the rolling minute."""

import random
import warnings
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittracker.errors import Invalid
from fittracker.hrv import RollingRmssd, accepted, analyse, follows, unbroken
from tests.fittracker.recorded import beats

REFERENCE = [800, 810, 790, 850, 820, 760]

# RMSSD without cleaning, as the collection of recordings states it.
RAW = {
    "rest.txt": 55.1,
    "rest-2.txt": 83.7,
    "exercise-polar.hrm": 36.5,
    "noisy-polar.hrm": 58.7,
    "noisy-08012805.txt": 40.8,
    "tiny-polar.hrm": 38.1,
    "from-fit-garmin-edge530-ride-rr.txt": 152.6,
    "from-fit-garmin-edge820-bike-rr.txt": 62.7,
    "from-fit-garmin-fenix5-run-rr.txt": 205.0,
    "from-fit-garmin-fenix5-walk-rr.txt": 16.4,
}


def cleaned_rmssd(numpy, rr):
    """The same rules in numpy, on whole arrays: those in range are compared, kept neighbours differenced."""
    rr = numpy.asarray(rr)
    kept = numpy.zeros(len(rr), dtype=bool)
    places = numpy.flatnonzero((rr >= 300) & (rr <= 2000))
    inside = rr[places]
    near = numpy.abs(numpy.diff(inside)) <= 0.2 * inside[:-1] + 1e-9
    kept[places] = numpy.concatenate([[True], near])
    steps = numpy.diff(rr)[kept[1:] & kept[:-1]]
    return numpy.sqrt(numpy.mean(steps**2)), kept.sum(), len(steps)


def rolled(rr, **options):
    rolling = RollingRmssd(**options)
    for interval in rr:
        rolling.push(interval)
    return rolling.value()


def test_the_reference_series_gives_the_reference_figures():
    found = analyse([REFERENCE])
    assert found.mean_ms == 805
    assert found.rmssd_ms == pytest.approx(41.473, abs=0.0005)
    assert found.sdnn_ms == pytest.approx(30.166, abs=0.0005)
    assert found.pnn50_pct == 40
    assert (found.beats, found.rejected, found.differences) == (6, 0, 5)
    assert found.method == "task-force-1996"


def test_exactly_fifty_milliseconds_do_not_count_for_pnn50():
    assert analyse([[800, 850, 800, 851]]).pnn50_pct == pytest.approx(100 / 3)


@pytest.mark.parametrize("interval", [0, 299.9, 2000.1, 65535, -800, float("nan")])
def test_an_interval_that_no_heart_has_is_dropped(interval):
    assert accepted([800, interval, 800]) == [True, False, True]


def test_intervals_at_both_ends_of_the_range_are_kept():
    assert accepted([300]) == accepted([2000]) == [True]


def test_a_jump_of_twenty_percent_is_kept_and_more_is_dropped():
    assert accepted([1000, 1200]) == [True, True]
    assert accepted([1000, 1201]) == [True, False]
    assert accepted([1000, 800]) == [True, True]
    assert accepted([1000, 799]) == [True, False]


def test_an_early_beat_and_its_pause_are_dropped_with_all_their_differences():
    """800 -> 800 beside the extra beat: nothing is differenced across what was dropped."""
    series = [800, 810, 500, 1100, 800, 810, 800]
    assert accepted(series) == [True, True, False, False, False, True, True]
    found = analyse([series])
    assert (found.rejected, found.differences, found.rmssd_ms) == (3, 2, 10)


def test_a_missed_beat_does_not_shut_out_what_follows():
    """Compared with the last kept beat, everything after the change of pace would be dropped."""
    assert accepted([1000, 600, 610, 600]) == [True, False, True, True]


def test_a_dropout_is_bridged_for_the_comparison_but_not_differenced():
    found = analyse([[800, 0, 810, 820]])
    assert (found.beats, found.differences, found.rmssd_ms) == (3, 1, 10)


def test_two_unbroken_series_are_not_differenced_across():
    found = analyse([[800, 810], [900, 910]])
    assert (found.beats, found.differences, found.rmssd_ms) == (4, 2, 10)


def test_too_few_beats_give_no_figure_instead_of_a_wrong_one():
    assert analyse([]).mean_ms is None
    one = analyse([[800]])
    assert (one.mean_ms, one.sdnn_ms, one.rmssd_ms, one.pnn50_pct) == (800, None, None, None)


@pytest.mark.parametrize(("name", "rmssd"), RAW.items())
def test_a_real_series_gives_its_stated_rmssd_when_nothing_is_cleaned(name, rmssd):
    found = analyse([beats(name)], clean=False)
    assert round(found.rmssd_ms, 1) == rmssd
    assert found.rejected == 0


@pytest.mark.parametrize("name", RAW)
def test_a_real_series_is_cleaned_as_numpy_does_it(name):
    numpy = pytest.importorskip("numpy")
    rr = beats(name)
    rmssd, kept, differences = cleaned_rmssd(numpy, rr)
    found = analyse([rr])
    assert (found.beats, found.rejected, found.differences) == (kept, len(rr) - kept, differences)
    assert found.rmssd_ms == pytest.approx(rmssd)
    kept_beats = numpy.asarray(rr)[accepted(rr)]
    assert found.mean_ms == pytest.approx(kept_beats.mean())
    assert found.sdnn_ms == pytest.approx(kept_beats.std(ddof=1))


@pytest.mark.parametrize("name", ["rest.txt", "exercise-polar.hrm", "from-fit-garmin-fenix5-walk-rr.txt"])
def test_neurokit_comes_to_the_same_figures(name):
    """An independent implementation; it does not clean, and divides pNN50 by n."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        neurokit = pytest.importorskip("neurokit2")
        numpy = pytest.importorskip("numpy")
        rr = numpy.array(beats(name))
        theirs = neurokit.hrv_time({"RRI": rr, "RRI_Time": rr.cumsum() / 1000}, sampling_rate=1000).iloc[0]
    ours = analyse([rr.tolist()], clean=False)
    assert ours.rmssd_ms == pytest.approx(theirs["HRV_RMSSD"])
    assert ours.sdnn_ms == pytest.approx(theirs["HRV_SDNN"])
    assert ours.mean_ms == pytest.approx(theirs["HRV_MeanNN"])
    assert ours.pnn50_pct * ours.differences / ours.beats == pytest.approx(theirs["HRV_pNN50"])


def test_intervals_follow_when_they_account_for_the_time_since_the_sample_before():
    """One slow beat may fall between two samples; three seconds without an explanation are a hole."""
    assert follows(1000, [980])
    assert follows(10_000, [1000] * 10)
    assert follows(3000, [1000])
    assert not follows(3001, [1000])
    assert not follows(10_000, [1000])


def test_samples_are_joined_into_series_up_to_a_hole():
    t_ms = [1000, 2000, 3000, 4000, 60_000]
    rr = [[990, 1000], None, [1010, 1000], [], [900]]
    assert unbroken(t_ms, rr) == [[990, 1000, 1010, 1000], [900]]


def test_the_rolling_value_waits_for_thirty_differences():
    rolling = RollingRmssd()
    for n in range(30):
        rolling.push(800 + 10 * (n % 2))
    assert rolling.value() is None
    rolling.push(800)
    assert rolling.value() == 10


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(200, 700) | st.integers(700, 900) | st.just(3000), max_size=400), st.data())
def test_the_rolling_value_is_exactly_that_of_its_window(rr, data):
    """Whatever comes in, and wherever beats are missing: the newest kept beats of at most a minute."""
    holes = sorted(data.draw(st.sets(st.integers(0, max(0, len(rr) - 1)), max_size=3)))
    rolling = RollingRmssd(least=1)
    window = []
    before, linked = None, False
    for place, interval in enumerate(rr):
        if place in holes:
            rolling.gap()
            before, linked = None, False
        rolling.push(interval)
        inside = 300 <= interval <= 2000
        if inside and (before is None or abs(interval - before) <= before / 5):
            window.append((interval, linked))
            linked = True
        else:
            linked = False
        before = interval if inside else before
        while sum(beat for beat, _ in window) > 60_000:
            window.pop(0)
    steps = [second - first for (first, _), (second, joined) in pairwise(window) if joined]
    expected = (sum(step * step for step in steps) / len(steps)) ** 0.5 if steps else None
    assert rolling.value() == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_the_rolling_value_does_not_drift_over_a_million_beats():
    """A day of intervals in 1/1024 s; then the last minute alone must give the very same number."""
    dice = random.Random(5)
    rr = [dice.randint(600, 680) * 1000 / 1024 for _ in range(150_000)]
    assert rolled(rr) == rolled(rr[-100:])


def test_a_minute_of_the_shortest_beats_fits_the_window():
    """Nearly 200 of them: the ring must not bite its own tail."""
    dice = random.Random(3)
    rr = [dice.randint(300, 304) for _ in range(2000)]
    last = []
    while sum(last) + rr[-1 - len(last)] <= 60_000:
        last.insert(0, rr[-1 - len(last)])
    assert rolled(rr) == pytest.approx(analyse([last]).rmssd_ms)


def test_exactly_a_minute_stays_in_the_window_and_one_beat_more_pushes_the_oldest_out():
    minute = [950, 1050, *[1000] * 58]
    assert sum(minute) == 60_000
    assert rolled(minute, least=1) == pytest.approx(((100**2 + 50**2) / 59) ** 0.5)
    assert rolled([*minute, 1000], least=1) == 0


def test_the_rolling_value_keeps_a_step_of_twenty_percent_and_drops_a_larger_one():
    assert rolled([1000, 1200], least=1) == 200
    assert rolled([1000, 1201], least=1) is None
    assert rolled([1000, 800], least=1) == 200
    assert rolled([1000, 799], least=1) is None


def test_an_interval_is_kept_to_the_nearest_128th_of_a_millisecond():
    """Whatever fraction a client sends; those of a sensor are whole 128ths."""
    assert rolled([800, 800.005], least=1) == 1 / 128
    assert rolled([800, 800.003], least=1) == 0


def test_a_rolling_value_forgets_on_demand():
    rolling = RollingRmssd(least=1)
    for interval in (800, 810):
        rolling.push(interval)
    rolling.clear()
    assert rolling.value() is None
    rolling.push(900)
    assert rolling.value() is None


@pytest.mark.parametrize("name", ["rest.txt", "rest-2.txt", "noisy-polar.hrm"])
def test_real_beats_roll_to_the_figure_of_the_whole_while_the_window_holds_them(name):
    """Cleaning beat by beat drops what cleaning the whole series drops."""
    rr = beats(name)
    assert rolled(rr, window_s=3600) == pytest.approx(analyse([rr]).rmssd_ms)


def test_a_window_that_is_none_is_refused():
    with pytest.raises(Invalid):
        RollingRmssd(window_s=1)
