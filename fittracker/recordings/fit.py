"""FIT: the binary format of Garmin, Wahoo, Coros, Zwift and most others, by way of fitdecode.

What fitdecode leaves to us: the order of a checksum after its content, times of beats, pauses, and
the difference between a file that is cut and one that contradicts itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import fitdecode
from fitdecode.exceptions import FitEOFError, FitError, FitHeaderError

from fittracker.recordings.draft import Draft
from fittracker.recordings.fit_beats import RRClock, StrapMemory
from fittracker.recordings.fit_crc import crc16
from fittracker.recordings.fit_values import degrees, number, profile_values, pulse, raw_values, text, unix_ms
from fittracker.recordings.recording import Device, Lap, Point, Recording, Session
from fittracker.recordings.refusal import Defect, Limits, broken, refuse

# fitdecode trusts the bytes in places: what it then runs into is the file's fault.
FAULTS = (FitError, struct.error, ValueError, TypeError, LookupError, AssertionError, ArithmeticError)


def read_fit(data: bytes, limits: Limits) -> Recording:
    """Read one FIT file, or several that were chained.

    Raises `RecordingError` for a file without a FIT header or above the limits; any other fault is
    in `error`, beside what could be read before it.
    """
    draft = Draft(limits)
    messages = _Messages(draft)
    defect: Defect | None = None
    checksums = _Checksums(data)
    reader = fitdecode.FitReader(
        data,
        processor=None,
        check_crc=fitdecode.CrcCheck.DISABLED,
        error_handling=fitdecode.ErrorHandling.IGNORE,
    )
    try:
        for frame in reader:
            if frame.frame_type == fitdecode.FIT_FRAME_DATA:
                messages.take(frame)
            elif frame.frame_type == fitdecode.FIT_FRAME_HEADER:
                checksums.header(frame)
            elif frame.frame_type == fitdecode.FIT_FRAME_CRC:
                checksums.footer(frame)
    except FAULTS as fault:
        defect = _defect(fault, draft, headers=checksums.headers)
    finally:
        reader.close()
    messages.end()
    if defect is None and checksums.wrong:
        defect = broken("crc", f"the checksum is wrong in {checksums.wrong}", len(draft.points))
    return draft.finish("fit", defect)


def _defect(fault: Exception, draft: Draft, headers: int) -> Defect:
    """What the fault means. One before the first header leaves nothing to keep and is raised."""
    readable = len(draft.points)
    if not headers:
        raise refuse("header", "this is not a FIT file: its header cannot be read") from fault
    if isinstance(fault, FitEOFError):
        return broken("truncated", "the file is cut off", readable)
    if isinstance(fault, FitHeaderError):
        return broken("corrupt", "what follows the first file is no FIT file", readable)
    return broken("corrupt", f"the file is damaged ({str(fault) or type(fault).__name__})", readable)


class _Checksums:
    """Compares the checksums of each chained file, once over all of its bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._start = 0
        self._end = 0
        self.headers = 0
        self.wrong = ""

    def header(self, header: Any) -> None:
        self.headers += 1
        self._end = self._start + header.header_size + header.body_size
        if header.crc_matched is False:
            self.wrong = self.wrong or "the header"

    def footer(self, footer: Any) -> None:
        if crc16(self._data[self._start : self._end]) != footer.crc:
            self.wrong = self.wrong or "the file"
        self._start = self._end + 2


class _Messages:
    """Turns FIT messages into readings of the draft."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._intervals = RRClock()
        self._strap = StrapMemory()
        self._named = False
        self._readers: dict[str, Callable[[Any], None]] = {
            "record": self._record,
            "hrv": self._hrv,
            "hr": self._hr,
            "event": self._event,
            "lap": self._lap,
            "session": self._session,
            "sport": self._sport,
            "file_id": self._file_id,
            "device_info": self._device_info,
        }

    def take(self, message: Any) -> None:
        """One data message; those that say nothing about a workout are passed over."""
        reader = self._readers.get(message.name)
        if reader is not None:
            reader(message)

    def end(self) -> None:
        """No more messages: the intervals after the last record."""
        for interval in self._intervals.end():
            self._draft.add(self._draft.rr, interval)

    def _record(self, message: Any) -> None:
        values = profile_values(message)
        time_ms = unix_ms(values.get("timestamp"))
        for interval in self._intervals.record(time_ms):
            self._draft.add(self._draft.rr, interval)
        self._draft.add(self._draft.points, _point(time_ms, values))

    def _hrv(self, message: Any) -> None:
        """Up to five intervals in ms; 65535 is none."""
        times = raw_values(message).get("time")
        for ms in times if isinstance(times, tuple) else (times,):
            if ms is not None:
                self._intervals.interval(float(ms))

    def _hr(self, message: Any) -> None:
        for rate in self._strap.message(raw_values(message)):
            self._draft.add(self._draft.heart_rates, rate)

    def _event(self, message: Any) -> None:
        values = profile_values(message)
        if values.get("event") != "timer":
            return
        time_ms = unix_ms(values.get("timestamp"))
        kind = str(values.get("event_type"))
        if kind == "start":
            self._draft.timer_started(time_ms)
        elif kind.startswith("stop"):
            self._draft.timer_stopped(time_ms)

    def _lap(self, message: Any) -> None:
        values = profile_values(message)
        lap = Lap(
            **_totals(values),
            average_heart_rate=pulse(values.get("avg_heart_rate")),
            max_heart_rate=pulse(values.get("max_heart_rate")),
        )
        self._draft.add(self._draft.laps, lap)

    def _session(self, message: Any) -> None:
        values = profile_values(message)
        sport = text(values.get("sport")) or "generic"
        session = Session(sport=sport, sub_sport=text(values.get("sub_sport")), **_totals(values))
        self._draft.add(self._draft.sessions, session)

    def _sport(self, message: Any) -> None:
        """The sport that was chosen at the start: all there is in a file that was cut before its session."""
        self._draft.sport = self._draft.sport or text(profile_values(message).get("sport"))

    def _file_id(self, message: Any) -> None:
        values = profile_values(message)
        product = next(
            (values[name] for name in values if name == "product" or name.endswith("_product")), None
        )
        self._draft.device = Device(
            text(values.get("manufacturer")), text(product), text(values.get("product_name"))
        )
        self._draft.created_ms = unix_ms(values.get("time_created"))
        kind = values.get("type", "activity")
        if kind != "activity":
            self._draft.warnings.append(f"the file says it is a {kind}, not an activity")

    def _device_info(self, message: Any) -> None:
        """The name of the recording device itself, which some keep out of the file's head."""
        values = profile_values(message)
        name = text(values.get("product_name"))
        if name and not self._draft.device.name and values.get("device_index") in (0, "creator"):
            self._draft.device = Device(self._draft.device.manufacturer, self._draft.device.product, name)


def _point(time_ms: int | None, values: dict[str, Any]) -> Point:
    get = values.get
    cadence = number(get("cadence"))
    if cadence is not None:
        cadence += number(get("fractional_cadence")) or 0
    return Point(
        time_ms=time_ms,
        heart_rate=pulse(get("heart_rate")),
        lat=degrees(get("position_lat"), 90),
        lon=degrees(get("position_long"), 180),
        altitude_m=number(get("enhanced_altitude", get("altitude"))),
        speed_mps=number(get("enhanced_speed", get("speed"))),
        cadence_rpm=cadence,
        power_w=number(get("power")),
        distance_m=number(get("distance")),
        temperature_c=number(get("temperature")),
    )


def _totals(values: dict[str, Any]) -> dict[str, Any]:
    """What laps and sessions have in common."""
    return {
        "start_ms": unix_ms(values.get("start_time")),
        "elapsed_s": number(values.get("total_elapsed_time")),
        "moving_s": number(values.get("total_timer_time")),
        "distance_m": number(values.get("total_distance")),
        "calories_kcal": number(values.get("total_calories")),
    }
