"""A recording in the making."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fittracker.recordings import Lap, Limits, Pause, Point, RecordingError, Session
from fittracker.recordings.draft import Draft
from fittracker.recordings.refusal import Defect

T = 1_700_000_000_000


@pytest.fixture
def draft() -> Draft:
    return Draft(Limits(max_readings=10))


def test_readings_of_every_kind_count_towards_the_limit(draft: Draft) -> None:
    """A file of a million laps is as much a bomb as one of a million points."""
    for _ in range(5):
        draft.add(draft.points, Point())
        draft.add(draft.laps, Lap())
    with pytest.raises(RecordingError) as caught:
        draft.add(draft.sessions, Session(sport="running"))
    assert caught.value.reason == "oversize"
    assert draft.sessions == []


def test_a_pause_lasts_from_the_first_stop_to_the_first_start(draft: Draft) -> None:
    """A stop of a clock that was never started is one too; the stop at the end is none."""
    draft.timer_stopped(T)
    draft.timer_stopped(T + 1)
    draft.timer_started(T + 2)
    draft.timer_started(T + 3)
    draft.timer_stopped(T + 4)
    assert draft.finish("fit").pauses == [Pause(T, T + 2)]


def test_a_pause_without_duration_is_none(draft: Draft) -> None:
    """Nor is one that ends before it begins."""
    draft.timer_stopped(T)
    draft.timer_started(T)
    draft.timer_stopped(T)
    draft.timer_started(T - 1)
    draft.timer_stopped(None)
    draft.timer_started(T)
    assert draft.finish("fit").pauses == []


def test_the_start_is_the_first_date_there_is(draft: Draft) -> None:
    """A point's, else a session's, else a lap's, else the file's."""
    draft.created_ms = T + 3_250
    assert draft.finish("fit").started_at == datetime(2023, 11, 14, 22, 13, 23, 250_000, UTC)
    draft.laps.append(Lap(start_ms=T + 2_000))
    assert draft.finish("fit").started_at == datetime(2023, 11, 14, 22, 13, 22, tzinfo=UTC)
    draft.sessions.append(Session(sport="running", start_ms=T + 1_000))
    assert draft.finish("fit").started_at == datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)
    draft.points.append(Point(time_ms=T))
    assert draft.finish("fit").started_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_one_sport_with_its_transitions_is_that_sport(draft: Draft) -> None:
    """The sport that was chosen at the start counts only where no session says otherwise."""
    draft.sport = "cycling"
    assert draft.finish("fit").sport == "cycling"
    draft.sessions += [Session(sport="running"), Session(sport="transition"), Session(sport="running")]
    assert draft.finish("fit").sport == "running"
    draft.sessions.append(Session(sport="swimming"))
    assert draft.finish("fit").sport == "multisport"


def test_garbage_in_a_damaged_file_is_blanked_and_counted(draft: Draft) -> None:
    """In a good one a year between two points is what it is: tracks that somebody merged."""
    year = 365 * 86_400_000
    points = [Point(time_ms=T), Point(time_ms=T + 1), Point(time_ms=T + year, heart_rate=250), Point()]
    draft.points = list(points)
    assert draft.finish("gpx").points == points

    damaged = draft.finish("gpx", Defect("corrupt", "damaged", 4))
    assert damaged.points == [points[0], points[1], Point(), Point()]
    assert damaged.warnings == ["points that the damage made senseless and that were left blank: 1"]
