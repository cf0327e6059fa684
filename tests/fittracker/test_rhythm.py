"""The hint at an irregular pulse: what it finds, and what it must leave alone."""

import math
import random
from itertools import groupby, pairwise

import pytest

from fittracker.rhythm import WINDOW, Rhythm, entropy, turning_points
from tests.fittracker.recorded import beats


def judge(rr):
    rhythm = Rhythm()
    for interval in rr:
        rhythm.push(interval)
    return rhythm.irregular


def verdicts(rr):
    """The verdict after each interval."""
    rhythm, found = Rhythm(), []
    for interval in rr:
        rhythm.push(interval)
        found.append(rhythm.irregular)
    return found


def fibrillation(dice, count=2 * WINDOW):
    """Each beat independent of the one before: what atrial fibrillation looks like from outside.

    Twice the window, because some pairs happen to look like an extra beat and its pause.
    """
    return [min(1900, max(310, dice.gauss(700, 130))) for _ in range(count)]


def breathing(dice, beats_a_breath, depth, count=WINDOW):
    return [
        1000 + depth * math.sin(2 * math.pi * n / beats_a_breath) + dice.gauss(0, 12) for n in range(count)
    ]


def test_nothing_is_said_before_the_window_is_full():
    assert judge(fibrillation(random.Random(1), WINDOW - 1)) is None


def test_beats_without_any_order_are_irregular():
    found = [judge(fibrillation(random.Random(seed))) for seed in range(100)]
    assert found.count(True) >= 95


def test_a_steady_pulse_is_regular():
    dice = random.Random(2)
    assert judge([800 + dice.gauss(0, 15) for _ in range(WINDOW)]) is False


@pytest.mark.parametrize("beats_a_breath", [3.8, 4.5, 6, 8])
def test_deep_breathing_is_not_irregular_however_far_the_beats_swing(beats_a_breath):
    """A trained heart slows with each breath; the swing is as large as in fibrillation, but in order."""
    rr = breathing(random.Random(3), beats_a_breath, 180)
    assert max(abs(b - a) for a, b in pairwise(rr)) > 100
    assert judge(rr) is False


@pytest.mark.parametrize("pattern", [(800, 800, 520, 1080), (800, 800, 800, 800, 800, 520, 1080)])
def test_extra_beats_in_a_pattern_are_not_irregular(pattern):
    """Every fourth or seventh beat early, with its pause."""
    dice = random.Random(4)
    assert judge([pattern[n % len(pattern)] + dice.gauss(0, 8) for n in range(3 * WINDOW)]) is False


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_an_extra_beat_now_and_then_is_not_irregular(share):
    """Healthy hearts have them; left in, they would scatter like fibrillation."""
    dice = random.Random(6)
    rr = []
    while len(rr) < 10 * WINDOW:
        rr += [520, 1080] if dice.random() < share else [800 + dice.gauss(0, 15)]
    found = verdicts(rr)
    assert True not in found
    assert found[-1] is False


def test_a_heart_that_turns_faster_is_not_irregular():
    """From 800 to 600 ms at once: an early beat without a pause stays in, and one step is not scatter."""
    found = verdicts([800] * WINDOW + [600] * WINDOW)
    assert found[-1] is False
    assert True not in found


def test_what_lies_just_under_the_limit_changes_nobodys_mind():
    """Scatter between 0.08 and 0.1 of the mean: neither irregular nor regular."""
    dice = random.Random(7)
    rr = [dice.gauss(800, 51) for _ in range(WINDOW)]
    steps = [(b - a) ** 2 for a, b in pairwise(rr)]
    assert 0.08 < math.sqrt(sum(steps) / len(steps)) / (sum(rr) / len(rr)) < 0.1
    assert judge(rr) is None


def test_it_becomes_regular_again_when_the_beats_do():
    dice = random.Random(8)
    found = verdicts(fibrillation(dice, 256) + [800 + dice.gauss(0, 15) for _ in range(160)])
    assert True in found
    assert found[-1] is False


def without_extras(rr):
    """The intervals without each early beat that a pause follows."""
    kept, place = [], 0
    while place < len(rr):
        early = place + 1 < len(rr) and kept and rr[place] < 0.8 * kept[-1]
        if early and rr[place + 1] > 1.3 * rr[place]:
            place += 2
        else:
            kept.append(rr[place])
            place += 1
    return kept


def criterion(window):
    """All three measures from the window alone, in plain arithmetic."""
    squares = [(b - a) ** 2 for a, b in pairwise(window)]
    scatter = math.sqrt(sum(squares) / len(squares)) / (sum(window) / len(window))
    ordered = entropy(window) <= 0.7 or not 0.54 < turning_points(window) < 0.77
    if scatter <= 0.08 or ordered:
        return False
    return True if scatter > 0.1 else None


def test_running_sums_agree_with_the_window_after_many_beats():
    """Rhythms that come and go: the verdict is always that of the last full window by itself."""
    dice = random.Random(9)
    rr = []
    for n in range(60):
        rr += fibrillation(dice, 64) if n % 2 else breathing(dice, 5, 60, 64)
    kept = without_extras([round(interval * 32) / 32 for interval in rr])
    ends = range(WINDOW, len(kept) + 1, 32)
    expected = [criterion(kept[end - WINDOW : end]) for end in ends]
    assert {True, False} <= set(expected)
    assert [verdict for verdict, _ in groupby(verdicts(rr))] == [
        verdict for verdict, _ in groupby([None, *expected])
    ]


def test_intervals_that_no_heart_has_are_left_out():
    rhythm = Rhythm()
    for interval in (0, 65535, float("nan"), 250) * WINDOW:
        rhythm.push(interval)
    assert rhythm.irregular is None


def test_after_a_long_silence_it_starts_anew():
    rhythm = Rhythm()
    for interval in fibrillation(random.Random(1)):
        rhythm.push(interval)
    assert rhythm.irregular is True
    rhythm.clear()
    assert rhythm.irregular is None


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("rest.txt", 0),
        ("rest-2.txt", 0),
        ("exercise-polar.hrm", 0),
        ("noisy-polar.hrm", 0),
        ("from-fit-garmin-edge530-ride-rr.txt", 0),
        ("noisy-08012805.txt", 64),
    ],
)
def test_a_real_recording_without_arrhythmia_is_not_called_irregular(name, limit):
    """One has noisy stretches that pass; the alert waits for longer ones, so it keeps quiet there too."""
    assert verdicts(beats(name)).count(True) <= limit


def test_entropy_is_one_for_an_even_spread_and_zero_for_a_single_place():
    assert entropy(range(176)) == pytest.approx(1, abs=0.001)
    assert entropy([800] * WINDOW) == 0
    assert entropy([700] * 64 + [900] * 64) == pytest.approx(math.log(2) / math.log(16))


def test_turning_points_are_counted_at_the_inner_beats():
    assert turning_points([1, 2, 1, 2, 1]) == 1
    assert turning_points([1, 2, 3, 4, 5]) == 0
    assert turning_points([1, 2, 2, 1, 3]) == pytest.approx(1 / 3)
