"""The live state of an athlete, and the alerts it sets off, on made-up and on real heart rates."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittracker.heart import Zones, maximum_rate
from fittracker.hrv import RollingRmssd
from fittracker.pulse import NOTHING, Alert, AlertLimits, Pulse
from tests.fittracker.recorded import beats, heart_rates

START = 1_700_000_000_000
OFF = AlertLimits(high=None, low=None, jump=None, irregular=False, lost_s=None)


def athlete(limits=None, maximum=180, resting=60, **own):
    zones = Zones.of_reserve(maximum, resting)
    return Pulse(zones, (limits or AlertLimits.of_person(maximum, resting)).with_own(own))


def play(pulse, series, contact=True, start=START, step=1000):
    """One heart rate a second; the alerts with the second in which they came."""
    return [
        (second, alert)
        for second, bpm in enumerate(series)
        for alert in pulse.feed(start + second * step, bpm, None, contact)
    ]


def kinds(found):
    return [alert.kind for _, alert in found]


def state(pulse):
    return (pulse.t, pulse.bpm, pulse.zone, pulse.hrr_pct, pulse.rmssd_ms, pulse.contact)


def test_a_sample_shows_its_zone_and_its_share_of_the_reserve():
    pulse = athlete()
    assert pulse.feed(START, 145, None, True) is NOTHING
    assert state(pulse) == (START, 145, 3, 70.8, None, True)


def test_before_the_first_sample_nothing_is_known():
    assert state(athlete()) == (0, 0, 0, None, None, None)


def test_without_a_resting_heart_rate_there_is_a_zone_but_no_reserve():
    pulse = Pulse(Zones.of_maximum(180), AlertLimits.of_person(180))
    pulse.feed(START, 150)
    assert (pulse.zone, pulse.hrr_pct, pulse.contact) == (4, None, None)


def test_without_zones_the_zone_stays_zero():
    pulse = Pulse(None, AlertLimits.of_person())
    pulse.feed(START, 150)
    assert (pulse.bpm, pulse.zone, pulse.hrr_pct) == (150, 0, None)


@settings(deadline=None)
@given(st.lists(st.integers(1, 230), min_size=1, max_size=50))
def test_live_zones_and_shares_are_those_of_the_zones(rates):
    zones = Zones.of_reserve(187.5, 52)
    pulse = Pulse(zones, OFF)
    for second, bpm in enumerate(rates, 1):
        pulse.feed(START + second * 1000, bpm)
        assert pulse.zone == zones.zone_of(bpm)
        assert pulse.hrr_pct == round(zones.reserve_percent(bpm), 1)


def test_a_repeated_or_overtaken_sample_changes_nothing():
    pulse = athlete()
    play(pulse, [120] * 20)
    before = state(pulse)
    for t_ms in (pulse.t, pulse.t - 1, START, 1):
        assert pulse.feed(t_ms, 60, [1000.0], False) is NOTHING
    assert state(pulse) == before
    assert play(pulse, [121] * 60, start=pulse.t + 1000) == []


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_samples_that_come_twice_or_too_late_leave_the_alerts_as_they_were(data):
    """The same series, once as it was and once with repetitions and latecomers strewn in."""
    rates = data.draw(st.lists(st.sampled_from([0, 35, 100, 150, 179, 185]), min_size=30, max_size=150))
    clean, strewn = athlete(), athlete()
    expected, found = [], []
    for second, bpm in enumerate(rates):
        t_ms = START + second * 1000
        expected += clean.feed(t_ms, bpm, [800.0])
        found += strewn.feed(t_ms, bpm, [800.0])
        late = data.draw(st.integers(0, second))
        found += strewn.feed(START + late * 1000, data.draw(st.sampled_from([0, 60, 200])), [300.0])
    assert found == expected
    assert state(strewn) == state(clean)


def test_rmssd_shows_after_half_a_minute_of_beats_and_follows_the_rolling_minute():
    rolling, pulse = RollingRmssd(), athlete()
    dice = random.Random(1)
    for second in range(120):
        rr = [round(dice.gauss(1000, 25))]
        rolling.push(rr[0])
        pulse.feed(START + second * 1000, 60, rr, True)
        expected = rolling.value()
        assert pulse.rmssd_ms == (None if expected is None else round(expected, 1))
    assert 30 < pulse.rmssd_ms < 40


def test_rmssd_is_no_longer_shown_when_the_beats_stop_coming():
    pulse = athlete()
    for second in range(60):
        pulse.feed(START + second * 1000, 60, [1000 + 20 * (second % 2)], True)
    assert pulse.rmssd_ms == 20
    play(pulse, [60] * 60, start=pulse.t + 1000)
    assert pulse.rmssd_ms == 20
    play(pulse, [60], start=pulse.t + 1000)
    assert pulse.rmssd_ms is None


def test_beats_on_both_sides_of_a_hole_are_not_differenced():
    """1000 before, 850 after: the step between them is nobody's variability."""
    pulse = athlete()
    for second in range(40):
        pulse.feed(START + second * 1000, 60, [1000], True)
    for second in range(50, 60):
        pulse.feed(START + second * 1000, 70, [850], True)
    assert pulse.rmssd_ms == 0


def test_what_a_sensor_sends_without_contact_is_no_heart_rate():
    pulse = athlete()
    pulse.feed(START, 120, None, True)
    pulse.feed(START + 1000, 118, None, False)
    assert state(pulse) == (START + 1000, 0, 0, None, None, False)
    pulse.feed(START + 2000, 119, None, True)
    assert (pulse.bpm, pulse.zone, pulse.contact) == (119, 0, True)


def test_a_heart_rate_of_zero_is_lost_contact():
    pulse = athlete()
    pulse.feed(START, 0)
    assert (pulse.contact, pulse.bpm, pulse.hrr_pct) == (False, 0, None)


# high and low


def test_a_high_heart_rate_is_told_once_it_lasts():
    found = play(athlete(high=170), [165, 168, 171, *[175] * 60])
    assert found == [(7, Alert("high", 175, 170, START + 2000))]


def test_the_high_limit_itself_is_allowed():
    assert play(athlete(high=170), [170] * 60) == []


def test_a_high_limit_that_is_off_is_never_told():
    assert play(athlete(high=None), range(150, 220)) == []


@pytest.mark.parametrize("spread", [1, 3, 5, 8])
def test_noise_around_the_high_limit_sets_off_one_alert(spread):
    """An hour right at the limit; without hysteresis there would be hundreds."""
    dice = random.Random(spread)
    found = play(athlete(high=170), [170 + dice.randint(-spread, spread) for _ in range(3600)])
    assert kinds(found) == ["high"]


def test_noise_well_below_the_limit_sets_off_none():
    dice = random.Random(1)
    assert play(athlete(high=170), [160 + dice.randint(-8, 8) for _ in range(3600)]) == []


def test_the_high_alert_comes_again_after_a_real_rest():
    interval = [*range(150, 175), *[175] * 40, *range(175, 140, -1), *[140] * 60]
    assert kinds(play(athlete(high=170), interval * 4)) == ["high"] * 4


def test_two_high_samples_with_a_long_hole_between_are_no_long_effort():
    pulse = athlete(high=170)
    assert play(pulse, [175, 175]) == []
    assert play(pulse, [175, 175], start=START + 600_000) == []


def test_a_thinned_recording_still_tells_a_high_heart_rate():
    """Watches that save room leave 10 s between samples."""
    assert kinds(play(athlete(high=170), [175] * 5, step=10_000)) == ["high"]


def test_losing_contact_starts_the_wait_for_a_high_heart_rate_anew():
    pulse = athlete(high=170)
    assert play(pulse, [175] * 4 + [0] + [175] * 4) == []


def test_a_slow_heart_is_told_after_half_a_minute():
    found = play(athlete(low=45), [*range(60, 44, -1), *[43] * 60])
    assert found == [(46, Alert("low", 43, 45, START + 16_000))]


def test_a_sensor_without_contact_is_not_a_slow_heart():
    assert "low" not in kinds(play(athlete(low=45), [60, 60, *[0] * 120]))
    assert "low" not in kinds(play(athlete(low=45), [30] * 120, contact=False))


@pytest.mark.parametrize("spread", [1, 3, 5])
def test_noise_around_the_low_limit_sets_off_one_alert(spread):
    dice = random.Random(spread)
    found = play(athlete(low=45), [44 + dice.randint(-spread, spread) for _ in range(3600)])
    assert kinds(found).count("low") == 1


# jump


def test_a_jump_that_no_heart_makes_is_told_at_once():
    found = play(athlete(), [100] * 10 + [140] * 10)
    assert found == [(10, Alert("jump", 140, 30, START + 10_000))]


def test_a_fall_is_a_jump_too():
    assert kinds(play(athlete(), [150] * 10 + [115] * 10)) == ["jump"]


def test_a_jump_in_three_steps_is_one_jump():
    assert kinds(play(athlete(), [100] * 10 + [112, 124, 136] + [136] * 10)) == ["jump"]


@pytest.mark.parametrize("gain", [1, 3, 5])
def test_a_sprint_is_no_jump(gain):
    """Five beats a second faster, second after second, is the most a heart does."""
    assert play(athlete(), [*range(90, 165, gain)], step=1000) == []


def test_a_sensor_that_jumps_to_and_fro_is_told_once():
    dice = random.Random(1)
    series = [dice.choice([90, 150]) for _ in range(1800)]
    assert kinds(play(athlete(), series)) == ["jump"]


def test_a_jump_after_a_quiet_minute_is_told_again():
    assert kinds(play(athlete(), ([100] * 80 + [140] * 80) * 2)) == ["jump"] * 3


def test_a_change_over_a_hole_or_a_loss_of_contact_is_no_jump():
    """Nobody knows how fast it was."""
    pulse = athlete()
    assert play(pulse, [100] * 5) == []
    assert play(pulse, [150] * 5, start=START + 12_000) == []
    assert play(pulse, [0, 0, 100, 100], start=START + 20_000) == []


def test_the_first_sample_is_no_jump_from_nothing():
    assert athlete().feed(1000, 150) is NOTHING


# lost


def test_lost_contact_is_told_after_five_seconds():
    found = play(athlete(), [120] * 5 + [0] * 60)
    assert found == [(10, Alert("lost", 0, 5, START + 5000))]


def test_contact_that_flickers_is_told_once():
    """Three samples lost, one there, over and over: no single loss lasts; then it stays away."""
    assert play(athlete(), ([0] * 3 + [120]) * 300) == []
    assert kinds(play(athlete(), ([0] * 8 + [120] * 3) * 100)) == ["lost"]


def test_contact_lost_again_after_it_was_back_is_told_again():
    assert kinds(play(athlete(), ([0] * 30 + [120] * 30) * 3)) == ["lost"] * 3


def test_silence_after_the_loss_does_not_hide_it():
    """A strap that reports the loss once and then says nothing."""
    pulse = athlete()
    play(pulse, [120, 120])
    pulse.feed(START + 2000, 0, None, False)
    assert pulse.silence(START + 6000) is NOTHING
    assert pulse.silence(START + 7000) == [Alert("lost", 0, 5, START + 2000)]
    assert pulse.silence(START + 8000) is NOTHING
    assert pulse.t == START + 2000


def test_silence_with_contact_is_not_lost_contact():
    """That the device is silent is `hr.stale`, and told elsewhere."""
    pulse = athlete()
    play(pulse, [120] * 5)
    assert pulse.silence(START + 600_000) is NOTHING
    assert athlete().silence(START) is NOTHING


def test_lost_contact_is_not_told_to_who_turned_it_off():
    pulse = athlete(lost_s=None)
    assert play(pulse, [120] * 5 + [0] * 60) == []
    assert pulse.silence(START + 600_000) is NOTHING


# irregular


def feed_beats(pulse, rr, bpm=None):
    """Each beat as a sample of its own; the alerts."""
    t_ms, found = START, []
    for interval in rr:
        t_ms += max(1, round(interval))
        rate = bpm or (round(60_000 / interval) if interval else 0)
        found += pulse.feed(t_ms, rate, [interval], True)
    return found


def test_an_irregular_pulse_is_hinted_at_once():
    """Half an hour of beats without order: one hint, after a window of 128 beats and two minutes."""
    dice = random.Random(1)
    found = feed_beats(athlete(), [dice.gauss(750, 120) for _ in range(2400)], bpm=80)
    assert [(alert.kind, alert.bpm, alert.limit) for alert in found] == [("irregular", 80, 0.1)]
    assert found[0].since > START + 90_000


def test_a_short_irregular_stretch_is_not_hinted_at():
    dice = random.Random(1)
    calm = [800 + dice.gauss(0, 15) for _ in range(400)]
    assert feed_beats(athlete(), calm + [dice.gauss(750, 120) for _ in range(64)] + calm, bpm=80) == []


def test_the_hint_can_be_turned_off():
    dice = random.Random(1)
    pulse = athlete(irregular=False)
    assert feed_beats(pulse, [dice.gauss(750, 120) for _ in range(2400)], bpm=80) == []


@pytest.mark.parametrize(
    "name",
    [
        "rest.txt",
        "rest-2.txt",
        "exercise-polar.hrm",
        "noisy-polar.hrm",
        "noisy-08012805.txt",
        "from-fit-garmin-edge530-ride-rr.txt",
        "from-fit-garmin-edge820-bike-rr.txt",
        "from-fit-garmin-fenix5-run-rr.txt",
    ],
)
def test_real_beats_set_off_no_hint_and_no_flood(name):
    """Every beat its own heart rate: as noisy as it can get. At most one alert of a kind in three minutes."""
    rr = beats(name)
    found = Counter(alert.kind for alert in feed_beats(athlete(maximum=200, resting=50), rr))
    assert found["irregular"] == 0
    assert found.total() <= 1 + sum(rr) / 180_000


# whole recordings

RECORDINGS = [
    "garmin-fenix2-run.fit",
    "garmin-edge530-ride-rr.fit",
    "garmin-edge800-indoor.fit",
    "garmin-fenix6-turbo.fit",
    "garmin-fenix6-swim.fit",
    "garmin-fr935-multisport-gaps.fit",
    "garmin-vivoactivehr-gym.fit",
    "stryd-run-devfields.fit",
]


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_real_workout_of_somebody_fit_for_it_is_not_an_alarm(name):
    """Limits of a 25-year-old: nothing but what a sensor did wrong may be told, and that once."""
    t_ms, bpm = heart_rates(name)
    pulse = athlete(maximum=maximum_rate(25).value, resting=50)
    found = Counter(alert.kind for t, rate in zip(t_ms, bpm, strict=True) for alert in pulse.feed(t, rate))
    assert found.keys() <= {"jump"}
    assert found["jump"] <= 1


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_real_workout_above_the_limit_is_told_a_few_times_and_not_all_the_time(name):
    """Limits of a 60-year-old on the same efforts: at most one alert in five minutes."""
    t_ms, bpm = heart_rates(name)
    pulse = athlete(maximum=maximum_rate(60).value, resting=50)
    alerts = [alert for t, rate in zip(t_ms, bpm, strict=True) for alert in pulse.feed(t, rate)]
    assert len(alerts) <= 1 + (t_ms[-1] - t_ms[0]) / 300_000
    for alert in alerts:
        assert t_ms[0] <= alert.since <= t_ms[-1]


@pytest.mark.parametrize("name", ["onelap-hr-all-zero.fit", "zwift-hr-all-zero.fit"])
def test_a_workout_without_a_strap_is_told_once_as_lost(name):
    t_ms, bpm = heart_rates(name)
    pulse = athlete()
    found = [alert.kind for t, rate in zip(t_ms, bpm, strict=True) for alert in pulse.feed(t, rate)]
    assert found == ["lost"]
