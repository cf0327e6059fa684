"""Beats in FIT files: RR intervals without a time of their own, and heart rates that a strap sent later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fittracker.recordings.fit_values import unix_ms
from fittracker.recordings.recording import RR, HeartRate

TICKS_PER_S = 1024
"""Of the clock inside a strap."""


class RRClock:
    """Gives RR intervals a time.

    FIT's `hrv` messages carry none: all that is known is between which two records they were
    written. The intervals after a record are added up from its time, and none goes past the next one.
    """

    def __init__(self) -> None:
        self._waiting: list[float] = []
        self._last_ms: int | None = None

    def interval(self, ms: float) -> None:
        """One interval, in the order of the file."""
        self._waiting.append(ms)

    def record(self, time_ms: int | None) -> Iterator[RR]:
        """A record was written: the intervals before it, with their times."""
        if time_ms is None:
            return
        yield from self._place(time_ms)
        self._last_ms = time_ms

    def end(self) -> Iterator[RR]:
        """The file ends: the intervals after the last record."""
        yield from self._place(None)

    def _place(self, until_ms: int | None) -> Iterator[RR]:
        waiting, self._waiting = self._waiting, []
        if self._last_ms is not None:
            at: float | None = self._last_ms
        else:
            at = None if until_ms is None else until_ms - sum(waiting)
        for ms in waiting:
            if at is None:
                yield RR(None, ms)
                continue
            at += ms
            yield RR(round(at if until_ms is None else min(at, until_ms - 1)), ms)


class StrapMemory:
    """Reads `hr` messages: what a strap counted where no radio reaches, such as under water.

    The first message ties the strap's clock (1/1024 s, 32 bits) to FIT time. Those after it hold eight
    heart rates and only the last 12 bits of their ticks, each less than 4 s after the one before.
    Our own reading, because fitdecode counts the 12 bits from zero instead of from the first message's ticks.
    """

    def __init__(self) -> None:
        self._start_ms: float | None = None
        self._start_ticks = 0
        self._ticks = 0

    def message(self, raw: dict[str, Any]) -> Iterator[HeartRate]:
        """The heart rates of one message, from its raw values by name."""
        rates = _series(raw.get("filtered_bpm"))
        for ticks, bpm in zip(self._clock(raw), rates, strict=False):
            if bpm is not None:
                yield HeartRate(self._time_ms(ticks), bpm)

    def _clock(self, raw: dict[str, Any]) -> list[int]:
        """The ticks of each heart rate of the message."""
        absolute = [ticks for ticks in _series(raw.get("event_timestamp")) if ticks is not None]
        if not absolute:
            return list(self._unpack(_series(raw.get("event_timestamp_12"))))
        start_ms = unix_ms(raw.get("timestamp"))
        if start_ms is not None:
            fraction = raw.get("fractional_timestamp")
            self._start_ms = start_ms + (fraction if isinstance(fraction, int) else 0) * 1000 / 32768
            self._start_ticks = absolute[0]
        self._ticks = absolute[-1]
        return absolute

    def _unpack(self, packed: list[Any]) -> Iterator[int]:
        """Two times of 12 bits in three bytes, the low byte first."""
        for low, middle, high in zip(packed[::3], packed[1::3], packed[2::3], strict=False):
            for ticks in (low | (middle & 0xF) << 8, middle >> 4 | high << 4):
                self._ticks += (ticks - self._ticks) & 0xFFF
                yield self._ticks

    def _time_ms(self, ticks: int) -> int | None:
        if self._start_ms is None:
            return None
        return round(self._start_ms + ((ticks - self._start_ticks) & 0xFFFFFFFF) * 1000 / TICKS_PER_S)


def _series(value: Any) -> list[Any]:
    """A field that holds one value or several."""
    if value is None:
        return []
    return list(value) if isinstance(value, tuple) else [value]
