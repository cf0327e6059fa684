"""A recording in the making: what the three formats fill, point by point, within the limits."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from statistics import median_low
from typing import TypeVar

import msgspec

from fittracker.recordings.recording import (
    RR,
    Device,
    Format,
    HeartRate,
    Lap,
    Pause,
    Point,
    Recording,
    Session,
)
from fittracker.recordings.refusal import Defect, Limits, refuse

# Recorded time starts in 1995: FIT seconds below it count from when the device was switched on.
FIRST_DATE_MS = 788_918_400_000
# No recording is longer than a month.
LONGEST_MS = 31 * 86_400_000

Reading = TypeVar("Reading", Point, Lap, Pause, Session, RR, HeartRate)


class Draft:
    """Collects readings; `finish` makes the recording. Raises `RecordingError` (oversize) above the limit."""

    def __init__(self, limits: Limits) -> None:
        self.points: list[Point] = []
        self.laps: list[Lap] = []
        self.pauses: list[Pause] = []
        self.sessions: list[Session] = []
        self.rr: list[RR] = []
        self.heart_rates: list[HeartRate] = []
        self.device = Device()
        self.sport: str | None = None
        self.created_ms: int | None = None
        self.warnings: list[str] = []
        self.unreadable_values = 0
        self._stopped_ms: int | None = None
        self._last_ms: int | None = None
        self._limit = limits.max_readings
        self._left = limits.max_readings

    def add(self, readings: list[Reading], reading: Reading) -> None:
        """Append to one of the lists above."""
        self._left -= 1
        if self._left < 0:
            raise refuse("oversize", f"the recording holds more than {self._limit:,} readings")
        readings.append(reading)

    def add_track_point(self, point: Point) -> None:
        """A point of a format without timer events: where there is a point, the timer runs."""
        if point.time_ms is not None:
            self.timer_started(point.time_ms)
            self._last_ms = point.time_ms
        self.add(self.points, point)

    def track_interrupted(self) -> None:
        """Such a format begins a new piece of track: a pause from the last point to the next."""
        self.timer_stopped(self._last_ms)

    def timer_stopped(self, time_ms: int | None) -> None:
        """A pause begins, unless one has begun already."""
        if self._stopped_ms is None:
            self._stopped_ms = time_ms

    def timer_started(self, time_ms: int | None) -> None:
        """The pause ends, if there is one. The stop at the very end has no start after it and is none."""
        if self._stopped_ms is not None and time_ms is not None and time_ms > self._stopped_ms:
            self.add(self.pauses, Pause(self._stopped_ms, time_ms))
        self._stopped_ms = None

    def finish(self, file_format: Format, error: Defect | None = None) -> Recording:
        """The recording of what was collected."""
        dated = self._date_points()
        if error:
            self._blank_garbage()
        if self.unreadable_values:
            self.warnings.append(f"values that could not be read and were left out: {self.unreadable_values}")
        return Recording(
            format=file_format,
            points=self.points,
            laps=self.laps,
            pauses=self.pauses,
            sessions=self.sessions,
            rr=self.rr,
            heart_rates=self.heart_rates,
            device=self.device,
            sport=self._sport(),
            started_at=self._started_at(),
            dated=dated,
            warnings=self.warnings,
            error=error,
        )

    def _date_points(self) -> bool:
        """Whether the times are dates.

        One clock for all points: in a dated recording, one without a date loses its time.
        """
        undated = [i for i, point in enumerate(self.points) if _undated(point.time_ms)]
        if not undated:
            return True
        if len(undated) == sum(point.time_ms is not None for point in self.points):
            self.warnings.append("the device had no date: times count from when it was switched on")
            return False
        for index in undated:
            self.points[index] = msgspec.structs.replace(self.points[index], time_ms=None)
        self.warnings.append(f"points without a usable time: {len(undated)}")
        return True

    def _blank_garbage(self) -> None:
        """In a damaged file, points decades away from the rest were read from the wrong bytes.

        They stay, blank, so that the count of what could be read is the count of the points.
        """
        times = [point.time_ms for point in self.points if point.time_ms is not None]
        middle = median_low(times) if times else 0
        garbage = [
            index
            for index, point in enumerate(self.points)
            if point.time_ms is not None and abs(point.time_ms - middle) > LONGEST_MS
        ]
        for index in garbage:
            self.points[index] = Point()
        if garbage:
            self.warnings.append(
                f"points that the damage made senseless and that were left blank: {len(garbage)}"
            )

    def _sport(self) -> str | None:
        sports = {session.sport for session in self.sessions if session.sport != "transition"}
        if len(sports) > 1:
            return "multisport"
        return sports.pop() if sports else self.sport

    def _started_at(self) -> datetime | None:
        """The first point with a date; without any, the first session or lap, then the file."""
        points = (point.time_ms for point in self.points)
        sessions = (session.start_ms for session in self.sessions)
        laps = (lap.start_ms for lap in self.laps)
        for time_ms in chain(points, sessions, laps, (self.created_ms,)):
            if time_ms is not None and not _undated(time_ms):
                return datetime.fromtimestamp(time_ms // 1000, UTC).replace(microsecond=time_ms % 1000 * 1000)
        return None


def _undated(time_ms: int | None) -> bool:
    return time_ms is not None and time_ms < FIRST_DATE_MS
