"""GPX: tracks of points, with heart rate and the like in whatever extension the writer chose."""

from __future__ import annotations

from typing import Any, Final

from fittracker.recordings.draft import Draft
from fittracker.recordings.recording import Device, Point
from fittracker.recordings.text_values import read_number, read_pulse, read_time

ROOT: Final = "gpx"

# By local name, lower case: extensions of Garmin (1 and 2), Cluetrust, Strava, Amazfit and others.
_POINT: Final = {
    "ele": "altitude_m",
    "speed": "speed_mps",
    "cad": "cadence_rpm",
    "cadence": "cadence_rpm",
    "power": "power_w",
    "watts": "power_w",
    "powerinwatts": "power_w",
    "distance": "distance_m",
    "atemp": "temperature_c",
    "temp": "temperature_c",
}
_PULSE: Final = ("hr", "heartrate")


class GpxElements:
    """Fills a draft from the tracks of a GPX file. Waypoints and routes were not recorded: passed over."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._point: dict[str, Any] | None = None

    def opened(self, path: list[str], attributes: dict[str, str]) -> None:
        """See `markup.Elements`."""
        name = path[-1]
        if name == ROOT and len(path) == 1:
            self._draft.device = Device(name=attributes.get("creator") or None)
        elif name == "trkseg":
            # "If the receiver was turned off, start a new segment": the next point ends the pause.
            self._draft.track_interrupted()
        elif name == "trkpt":
            self._point = {
                "lat": read_number(self._draft, "lat", attributes.get("lat", "")),
                "lon": read_number(self._draft, "lon", attributes.get("lon", "")),
            }

    def closed(self, path: list[str], text: str) -> None:
        """See `markup.Elements`."""
        name = path[-1]
        if name == "trkpt":
            self._end_point()
        elif self._point is not None:
            self._point_value(name.lower(), text)
        elif path[-2:] == ["trk", "type"] and text and not text.isdigit():
            self._draft.sport = self._draft.sport or text.lower()

    def _point_value(self, name: str, text: str) -> None:
        point = self._point
        if point is None:
            return
        if name == "time":
            point["time_ms"] = read_time(self._draft, text)
        elif name in _PULSE:
            point["heart_rate"] = read_pulse(self._draft, text)
        elif name in _POINT:
            point[_POINT[name]] = read_number(self._draft, _POINT[name], text)

    def _end_point(self) -> None:
        self._draft.add_track_point(Point(**(self._point or {})))
        self._point = None
