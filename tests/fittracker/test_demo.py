from __future__ import annotations

from itertools import pairwise

import pytest

from fittracker.alerts import AlertLimits
from fittracker.demo import Body, Heart, Second
from fittracker.hrv import analyse
from fittracker.pulse import Pulse

BODY = Body(resting=55, highest=185)


@pytest.fixture(scope="module")
def workout() -> list[Second]:
    return list(Heart(BODY, seed=7).workout())


def test_a_workout_lasts_about_twenty_minutes(workout: list[Second]) -> None:
    """Long enough to watch, short enough to see its end."""
    assert 15 * 60 < len(workout) < 25 * 60


def test_the_heart_rate_stays_within_the_body(workout: list[Second]) -> None:
    """Between rest and maximum, and it uses most of the range."""
    rates = [second.bpm for second in workout]
    assert min(rates) >= 50
    assert 160 <= max(rates) <= 187


def test_it_never_jumps(workout: list[Second]) -> None:
    """A heart takes time; the alert for jumps must stay silent."""
    assert max(abs(after.bpm - before.bpm) for before, after in pairwise(workout)) <= 6


def test_the_intervals_add_up_to_the_time(workout: list[Second]) -> None:
    """Beats are neither lost nor made up between two seconds."""
    beaten = sum(sum(second.rr) for second in workout) / 1000
    assert beaten == pytest.approx(len(workout), abs=2)


def test_intervals_and_heart_rate_agree(workout: list[Second]) -> None:
    """60,000 divided by the mean interval is the rate, over any minute."""
    for start in range(0, len(workout) - 60, 60):
        minute = workout[start : start + 60]
        intervals = [interval for second in minute for interval in second.rr]
        from_beats = 60_000 * len(intervals) / sum(intervals)
        assert from_beats == pytest.approx(sum(second.bpm for second in minute) / 60, abs=2.5)


def test_variability_fades_with_effort() -> None:
    """Tens of milliseconds at rest, a few near the maximum."""
    heart = Heart(BODY, seed=3)
    rest = [interval for _ in range(180) for interval in heart.second(0.05).rr]
    for _ in range(180):
        heart.second(0.92)
    hard = [interval for _ in range(180) for interval in heart.second(0.92).rr]
    rmssd_rest, rmssd_hard = analyse([rest]).rmssd_ms, analyse([hard]).rmssd_ms
    assert rmssd_rest is not None
    assert rmssd_hard is not None
    assert 15 < rmssd_rest < 90
    assert rmssd_hard < 6


def test_two_seeds_are_two_hearts_and_one_seed_is_one() -> None:
    """So that a test can be repeated and a demonstration does not march in step."""
    first, again, other = ([s.bpm for s in Heart(BODY, seed=seed).workout()] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_it_sets_off_no_alarm(workout: list[Second]) -> None:
    """A healthy heart at work: nothing irregular, nothing that jumps."""
    pulse = Pulse(None, AlertLimits(high=195, low=40))
    alerts = [
        alert
        for place, second in enumerate(workout)
        for alert in pulse.feed(1_700_000_000_000 + place * 1000, second.bpm, second.rr, True)
    ]
    assert alerts == []
