"""TCX: Garmin's Training Center XML. A point needs no position: pool swims and gyms have none."""

from __future__ import annotations

from typing import Any, Final

from fittracker.recordings.draft import Draft
from fittracker.recordings.recording import Device, Lap, Point, Session
from fittracker.recordings.text_values import read_number, read_pulse, read_time

ROOT: Final = "TrainingCenterDatabase"
SPORTS: Final = {"biking": "cycling", "other": "generic"}
"""Names of TCX for which FIT, whose names we use, has another."""

_POINT: Final = {
    "LatitudeDegrees": "lat",
    "LongitudeDegrees": "lon",
    "AltitudeMeters": "altitude_m",
    "DistanceMeters": "distance_m",
    "Cadence": "cadence_rpm",
    "RunCadence": "cadence_rpm",
    "Speed": "speed_mps",
    "Watts": "power_w",
}
_LAP: Final = {
    "TotalTimeSeconds": "moving_s",
    "DistanceMeters": "distance_m",
    "Calories": "calories_kcal",
}
_LAP_PULSE: Final = {"AverageHeartRateBpm": "average_heart_rate", "MaximumHeartRateBpm": "max_heart_rate"}


class TcxElements:
    """Fills a draft from the recorded part of a TCX file. Courses and workouts are plans: passed over."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._point: dict[str, Any] | None = None
        self._lap: dict[str, Any] | None = None
        self._tracks_in_lap = 0

    def opened(self, path: list[str], attributes: dict[str, str]) -> None:
        """See `markup.Elements`."""
        name = path[-1]
        if not _recorded(path):
            return
        if name == "Activity":
            sport = attributes.get("Sport", "").lower()
            session = Session(sport=SPORTS.get(sport, sport) or "generic")
            self._draft.add(self._draft.sessions, session)
        elif name == "Lap":
            self._lap = {"start_ms": read_time(self._draft, attributes.get("StartTime", ""))}
            self._tracks_in_lap = 0
        elif name == "Track":
            self._tracks_in_lap += 1
            # A second track in a lap is what Garmin writes when the timer was stopped in between.
            if self._tracks_in_lap > 1:
                self._draft.track_interrupted()
        elif name == "Trackpoint":
            self._point = {}

    def closed(self, path: list[str], text: str) -> None:
        """See `markup.Elements`."""
        name = path[-1]
        if not _recorded(path):
            return
        if name == "Trackpoint":
            self._end_point()
        elif name == "Lap":
            self._end_lap()
        elif self._point is not None:
            self._point_value(path, text)
        elif self._lap is not None:
            self._lap_value(path, text)
        elif path[-2:] == ["Creator", "Name"]:
            self._draft.device = Device(name=text or None)

    def _point_value(self, path: list[str], text: str) -> None:
        point, name = self._point, path[-1]
        if point is None:
            return
        if name == "Time":
            point["time_ms"] = read_time(self._draft, text)
        elif path[-2:] == ["HeartRateBpm", "Value"]:
            point["heart_rate"] = read_pulse(self._draft, text)
        elif name in _POINT:
            point[_POINT[name]] = read_number(self._draft, _POINT[name], text)

    def _end_point(self) -> None:
        self._draft.add_track_point(Point(**(self._point or {})))
        self._point = None

    def _lap_value(self, path: list[str], text: str) -> None:
        lap, parent, name = self._lap, path[-2], path[-1]
        if lap is None:
            return
        if parent == "Lap" and name in _LAP:
            lap[_LAP[name]] = read_number(self._draft, _LAP[name], text)
        elif name == "Value" and parent in _LAP_PULSE:
            lap[_LAP_PULSE[parent]] = read_pulse(self._draft, text)

    def _end_lap(self) -> None:
        self._draft.add(self._draft.laps, Lap(**(self._lap or {})))
        self._lap = None


def _recorded(path: list[str]) -> bool:
    """Inside of what was recorded. A multisport session has transitions beside its activities."""
    return len(path) > 1 and path[1] == "Activities"
