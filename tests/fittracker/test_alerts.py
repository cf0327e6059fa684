"""The limits of a person, and the hysteresis that keeps alerts from flapping."""

import random

import msgspec
import pytest

from fittracker.alerts import Alert, AlertLimits, Episode
from fittracker.errors import Invalid
from fittracker.heart import maximum_rate


def test_the_high_limit_of_those_who_set_none_is_their_highest_heart_rate():
    assert AlertLimits.of_person(maximum_rate(40).value).high == 180
    assert AlertLimits.of_person(maximum_rate(40, measured=193).value).high == 193


def test_nobody_is_held_to_a_high_limit_that_is_only_guessed():
    assert AlertLimits.of_person().high is None


@pytest.mark.parametrize(("resting", "low"), [(None, 40), (60, 40), (45, 40), (42, 37), (22, 20)])
def test_the_low_limit_gives_way_to_a_slow_heart(resting, low):
    assert AlertLimits.of_person(180, resting).low == low


def test_own_limits_take_the_place_of_the_defaults_and_none_turns_one_off():
    limits = AlertLimits.of_person(180).with_own({"high": 150, "low": None, "irregular": False})
    assert limits.as_dict() == {"high": 150, "low": None, "jump": 30, "irregular": False, "lost_s": 5}


@pytest.mark.parametrize(
    ("own", "field"),
    [
        ({"hihg": 150}, "hihg"),
        ({"high": 30}, "high"),
        ({"low": 10}, "low"),
        ({"jump": 3}, "jump"),
        ({"lost_s": 0}, "lost_s"),
        ({"high": 100, "low": 95}, "high"),
    ],
)
def test_limits_that_make_no_sense_are_refused_by_name(own, field):
    with pytest.raises(Invalid) as refused:
        AlertLimits.of_person(180).with_own(own)
    assert refused.value.fields.keys() == {field}


def test_an_alert_has_the_shape_of_the_protocol():
    alert = Alert("high", 185, 180, 1_700_000_000_000)
    wanted = {"kind": "high", "bpm": 185, "limit": 180, "since": 1_700_000_000_000}
    assert msgspec.to_builtins(alert) == wanted


def steps(episode, series, limit=180, margin=5):
    """The seconds at which the alert is given, for one heart rate a second."""
    return [
        second
        for second, bpm in enumerate(series, 1)
        if episode.step(second * 1000, on=bpm > limit, off=bpm <= limit - margin)
    ]


def test_an_alert_is_given_once_the_limit_was_passed_for_the_hold_time():
    episode = Episode(5000, 30_000)
    assert steps(episode, [170, 181, *[185] * 60]) == [7]
    assert episode.since == 2000


def test_a_short_visit_above_the_limit_is_no_alert():
    assert steps(Episode(5000, 30_000), ([185] * 4 + [170] * 3) * 20) == []


def test_a_dip_within_the_margin_does_not_start_the_wait_anew():
    assert steps(Episode(5000, 30_000), [185, 178, 185, 178, 185, 178, 185]) == [7]


def test_the_alert_is_given_only_while_the_limit_is_passed():
    """The wait ends within the margin: it is given with the next beat above the limit."""
    assert steps(Episode(5000, 30_000), [185, 178, 178, 178, 178, 178, 178, 185]) == [8]


def test_it_is_not_given_again_before_the_heart_was_calm_for_the_rearm_time():
    calm = [170] * 29
    assert steps(Episode(5000, 30_000), [185] * 10 + calm + [185] * 10) == [6]


def test_it_is_given_again_after_the_rearm_time():
    calm = [170] * 31
    assert steps(Episode(5000, 30_000), [185] * 10 + calm + [185] * 10) == [6, 47]


def test_noise_around_the_limit_sets_off_one_alert_and_no_more():
    """An hour at the limit, with beats up to 8 bpm to both sides."""
    dice = random.Random(1)
    for spread in (2, 4, 8):
        series = [180 + dice.randint(-spread, spread) for _ in range(3600)]
        assert len(steps(Episode(5000, 30_000), series)) == 1


def test_an_interruption_starts_a_wait_anew_but_keeps_what_was_given():
    episode = Episode(5000, 30_000)
    episode.step(1000, on=True, off=False)
    episode.interrupt()
    assert episode.idle
    assert not episode.step(6000, on=True, off=False)
    assert episode.step(11_000, on=True, off=False)
    episode.interrupt()
    assert not episode.idle
    assert not episode.step(60_000, on=True, off=False)


def test_an_interruption_starts_the_rearming_anew():
    episode = Episode(0, 30_000)
    assert episode.step(1000, on=True, off=False)
    episode.step(2000, on=False, off=True)
    episode.interrupt()
    episode.step(33_000, on=False, off=True)
    assert episode.given
