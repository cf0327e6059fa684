"""A recording: what a watch, a bike computer or a strap wrote down, whatever the file format.

SI units throughout. Times are unix milliseconds where `Recording.dated`; a device that had lost
its date leaves milliseconds since it was switched on.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from fittracker.recordings.refusal import Defect

Format = Literal["fit", "tcx", "gpx"]

# Devices that save space write a point every few seconds. A beat further from any sample than this
# fell into a pause, and a replay must not hand a minute of beats to one sample.
RR_REACH_MS = 15_000


class Point(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """One reading of the sensors; None is "not measured". A heart rate of 0 is a sensor without contact."""

    time_ms: int | None = None
    heart_rate: int | None = None
    lat: float | None = None
    """Degrees, WGS 84."""
    lon: float | None = None
    altitude_m: float | None = None
    speed_mps: float | None = None
    cadence_rpm: float | None = None
    """Revolutions of the crank, or strides (two steps) a minute."""
    power_w: float | None = None
    distance_m: float | None = None
    """Since the start."""
    temperature_c: float | None = None


class HeartRate(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A heart rate that a strap kept by itself, at the beat it belongs to."""

    time_ms: int | None
    bpm: int


class RR(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The milliseconds between two beats. The time, of the second one, is an estimate to a second or two."""

    time_ms: int | None
    ms: float


class Lap(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """One lap; `elapsed_s` includes pauses, `moving_s` does not."""

    start_ms: int | None = None
    elapsed_s: float | None = None
    moving_s: float | None = None
    distance_m: float | None = None
    calories_kcal: float | None = None
    average_heart_rate: int | None = None
    max_heart_rate: int | None = None


class Session(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """One sport of a recording: a triathlon has three, and the transitions between them."""

    sport: str
    sub_sport: str | None = None
    start_ms: int | None = None
    elapsed_s: float | None = None
    moving_s: float | None = None
    distance_m: float | None = None
    calories_kcal: float | None = None


class Pause(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The timer stood still from `start_ms` to `end_ms`."""

    start_ms: int
    end_ms: int


class Device(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What recorded it; names as FIT has them (`garmin`, `edge_530`), numbers where it has none."""

    manufacturer: str | None = None
    product: str | None = None
    name: str | None = None


class Sample(NamedTuple):
    """What a wearable would have sent: `bpm` 0 without contact, RR intervals in ms, oldest first."""

    t_ms: int
    bpm: int
    rr: list[float]
    contact: bool


class Recording(msgspec.Struct, frozen=True, tag="recording", array_like=True, kw_only=True):
    """Everything that was read from one file. `error` is what was wrong with it, where the rest was kept."""

    format: Format
    points: list[Point]
    laps: list[Lap]
    pauses: list[Pause]
    sessions: list[Session]
    rr: list[RR]
    heart_rates: list[HeartRate]
    """Kept by the strap and sent later, as after a swim; the same beats may also be in the points."""
    device: Device
    sport: str | None
    """`multisport` where there are several."""
    started_at: datetime | None
    dated: bool
    warnings: list[str]
    error: Defect | None

    @property
    def duration_s(self) -> float | None:
        """Seconds from the first to the last point, pauses included; None where no point has a time."""
        times = [point.time_ms for point in self.points if point.time_ms is not None]
        return (max(times) - min(times)) / 1000 if times else None

    def samples(self) -> Iterator[Sample]:
        """The recording as a wearable would have streamed it, in time order.

        The RR intervals go with the latest sample at or before their beat; those of a pause go with none.
        """
        pulses = self._pulses()
        times = [time_ms for time_ms, _ in pulses]
        carried: dict[int, list[float]] = {}
        for interval in self.rr if times else ():
            if interval.time_ms is None:
                continue
            at = max(bisect_right(times, interval.time_ms) - 1, 0)
            if abs(interval.time_ms - times[at]) <= RR_REACH_MS:
                carried.setdefault(at, []).append(interval.ms)
        for index, (time_ms, bpm) in enumerate(pulses):
            yield Sample(time_ms, bpm, carried.get(index, []), bpm > 0)

    def _pulses(self) -> list[tuple[int, int]]:
        """Time and heart rate, in time order: of the points, or of the strap where no point has any."""
        measured = [
            (point.time_ms, point.heart_rate)
            for point in self.points
            if point.time_ms is not None and point.heart_rate is not None
        ]
        if self.heart_rates and not any(bpm for _, bpm in measured):
            measured = self._kept_by_strap()
        return sorted(measured, key=lambda pulse: pulse[0])

    def _kept_by_strap(self) -> list[tuple[int, int]]:
        """The strap's own heart rates from the first point to the last.

        A strap keeps counting before the start and after the end, and fills its last message up by
        repeating the last beat.
        """
        times = [point.time_ms for point in self.points if point.time_ms is not None]
        first, last = (min(times), max(times) + 999) if times else (-math.inf, math.inf)
        pulses: list[tuple[int, int]] = []
        for pulse in self.heart_rates:
            if pulse.time_ms is None or not first <= pulse.time_ms <= last:
                continue
            if not pulses or pulses[-1][0] != pulse.time_ms:
                pulses.append((pulse.time_ms, pulse.bpm))
        return pulses
