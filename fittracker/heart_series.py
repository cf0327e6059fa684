"""Stored heart rate, read back: of one stream, or of a person over a span of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from fittracker.errors import Invalid, TooLarge
from fittracker.mongo import Database, Document
from fittracker.series import resample

Resolution = Literal["raw", "1s", "10s", "60s"]
RESOLUTIONS: Final = {"1s": 1, "10s": 10, "60s": 60}
# A span is read into memory before it is thinned: a day at 1 Hz is 86,400 samples.
MOST_SAMPLES: Final = 400_000
PAGE: Final = 5_000


@dataclass(slots=True)
class Series:
    """Samples by row: times in unix ms, heart rates in bpm, RR intervals in ms where the device told them."""

    t: list[int] = field(default_factory=list)
    bpm: list[int] = field(default_factory=list)
    rr: list[Sequence[float] | None] = field(default_factory=list)

    def add(self, batch: Document) -> None:
        """Append a stored batch. A sample without contact has heart rate 0, whatever the sensor said."""
        self.t += map(int, batch["t"])  # the driver's Int64 is an int to all but the JSON encoder
        contact = batch.get("contact")
        if contact is None:
            self.bpm += batch["bpm"]
        else:
            pairs = zip(batch["bpm"], contact, strict=True)
            self.bpm += [0 if held is False else rate for rate, held in pairs]
        self.rr += batch.get("rr") or [None] * len(batch["t"])
        if len(self.t) > MOST_SAMPLES:
            raise TooLarge("Too many samples at once; ask for a shorter span.")

    def items(self, resolution: Resolution) -> list[dict[str, Any]]:
        """The samples as REST shows them: every one, or the mean of each bucket of 1, 10 or 60 s."""
        if resolution == "raw":
            rows = zip(self.t, self.bpm, self.rr, strict=True)
            return [{"t": t, "bpm": bpm, "rr": rr} if rr else {"t": t, "bpm": bpm} for t, bpm, rr in rows]
        return resample(self.t, self.bpm, self.rr, RESOLUTIONS[resolution])


class HeartSeries:
    """The reading side of telemetry."""

    def __init__(self, database: Database) -> None:
        self._batches = database.heart_batches

    async def of_stream(self, stream_id: str) -> Series:
        """All that is stored of a stream, in the order the device numbered it."""
        span = {"$gte": {"s": stream_id, "n": 0}, "$lte": {"s": stream_id, "n": 2**62}}
        series = Series()
        async for batch in self._batches.find({"_id": span}, sort=[("_id", 1)]):
            series.add(batch)
        return series

    async def of_user(
        self, user: str, from_ms: int, to_ms: int, resolution: Resolution, cursor: int | None
    ) -> tuple[list[dict[str, Any]], int | None]:
        """A person's samples in [from, to), by time, at most 5,000 a page, and where the next page starts."""
        if to_ms <= from_ms:
            raise Invalid("The span is empty.", fields={"to": "must be after from"})
        start = from_ms if cursor is None else cursor
        if not from_ms <= start < to_ms:
            raise Invalid("The cursor belongs to another span.", fields={"cursor": "is not valid here"})
        query = {"user": user, "until_t": {"$gte": start}, "from_t": {"$lt": to_ms}}
        series = Series()
        async for batch in self._batches.find(query, sort=[("until_t", 1)]):
            series.add(batch)
        inside = sorted(
            (row for row in zip(series.t, series.bpm, series.rr, strict=True) if start <= row[0] < to_ms),
            key=lambda row: row[0],
        )
        page = Series([row[0] for row in inside], [row[1] for row in inside], [row[2] for row in inside])
        items = page.items(resolution)
        if len(items) <= PAGE:
            return items, None
        # A page ends between two times, so that the next one neither repeats nor skips a sample.
        following = items[PAGE]["t"]
        kept = [item for item in items[:PAGE] if item["t"] < following]
        return (kept, following) if kept else (items, None)
