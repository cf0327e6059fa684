"""What a recording says about itself, and the samples of a replay."""

from __future__ import annotations

from fittracker.recordings import (
    DEFAULT_LIMITS,
    RR,
    HeartRate,
    Point,
    Recording,
    Sample,
)
from fittracker.recordings.draft import Draft

T = 1_700_000_000_000


def recording(
    points: list[Point], rr: list[RR] | None = None, strap: list[HeartRate] | None = None
) -> Recording:
    draft = Draft(DEFAULT_LIMITS)
    draft.points, draft.rr, draft.heart_rates = points, rr or [], strap or []
    return draft.finish("fit")


def beats(*pulses: tuple[int, int | None]) -> list[Point]:
    return [Point(time_ms=T + second * 1000, heart_rate=bpm) for second, bpm in pulses]


def test_samples_are_the_points_with_a_heart_rate_in_time_order() -> None:
    """Devices write points late; a point without time cannot be placed."""
    replay = recording([*beats((2, 102), (0, 100), (1, None)), Point(heart_rate=99)])
    assert list(replay.samples()) == [Sample(T, 100, [], True), Sample(T + 2000, 102, [], True)]


def test_a_heart_rate_of_zero_is_a_sample_without_contact() -> None:
    """It is told, so that whoever watches knows that the strap slipped."""
    assert [sample.contact for sample in recording(beats((0, 100), (1, 0))).samples()] == [True, False]


def test_intervals_go_with_the_sample_in_whose_second_they_fall() -> None:
    """The latest at or before them; those before the first sample with the first."""
    rr = [RR(T - 100, 590), RR(T + 400, 600), RR(T + 999, 610), RR(T + 1000, 620), RR(T + 4000, 630)]
    samples = list(recording(beats((0, 100), (1, 100), (2, None)), rr).samples())
    assert [sample.rr for sample in samples] == [[590, 600, 610], [620, 630]]


def test_intervals_of_a_pause_go_with_no_sample() -> None:
    """They stay in the recording."""
    replay = recording(beats((0, 100), (100, 100)), [RR(T + 15_000, 600), RR(T + 15_001, 610), RR(None, 620)])
    assert [sample.rr for sample in replay.samples()] == [[600], []]
    assert len(replay.rr) == 3


def test_the_memory_of_the_strap_stands_in_where_the_points_have_no_heart_rate() -> None:
    """From the first point to the end of the last one's second, without the beat that fills a message up."""
    strap = [
        HeartRate(T + ms, bpm)
        for ms, bpm in ((-1, 90), (0, 91), (700, 92), (700, 92), (1999, 93), (2000, 94))
    ]
    for points in (beats((0, None), (1, None)), beats((0, 0), (1, 0))):
        samples = recording(points, strap=[*strap, HeartRate(None, 95)]).samples()
        assert [(sample.t_ms - T, sample.bpm) for sample in samples] == [(0, 91), (700, 92), (1999, 93)]


def test_the_heart_rate_of_the_points_comes_before_that_of_the_strap() -> None:
    """The watch has merged what it trusts."""
    replay = recording(beats((0, 100), (1, None)), strap=[HeartRate(T + 500, 90)])
    assert [sample.bpm for sample in replay.samples()] == [100]


def test_the_memory_of_a_strap_without_points_is_replayed_whole() -> None:
    """Nothing says when the activity began."""
    replay = recording([], strap=[HeartRate(T, 90), HeartRate(T + 700, 91)])
    assert [sample.bpm for sample in replay.samples()] == [90, 91]


def test_a_recording_lasts_from_its_first_point_to_its_last() -> None:
    """In any order; without times there is no duration."""
    assert recording(beats((5, None), (0, None), (3, None))).duration_s == 5
    assert recording([Point()]).duration_s is None
    assert list(recording([]).samples()) == []
