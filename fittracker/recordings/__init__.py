"""Recordings of watches, bike computers and phones: FIT, TCX and GPX into one `Recording`.

`read` is for tools and processes of their own; a server hands files to a `RecordingReader`.
"""

from fittracker.recordings.pool import RecordingReader
from fittracker.recordings.reading import read
from fittracker.recordings.recording import (
    RR,
    Device,
    HeartRate,
    Lap,
    Pause,
    Point,
    Recording,
    Sample,
    Session,
)
from fittracker.recordings.refusal import DEFAULT_LIMITS, Defect, Limits, RecordingError

__all__ = [
    "DEFAULT_LIMITS",
    "RR",
    "Defect",
    "Device",
    "HeartRate",
    "Lap",
    "Limits",
    "Pause",
    "Point",
    "Recording",
    "RecordingError",
    "RecordingReader",
    "Sample",
    "Session",
    "read",
]
