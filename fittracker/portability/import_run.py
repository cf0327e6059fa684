"""One import, row by row: each is taken in, found to be there already, or refused with a reason.

It goes on after the last checkpoint when its worker died; the few rows in between are found to be there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC
from itertools import groupby
from typing import Any, Final, TypeVar

import msgspec

from fittracker.belongings import BELONGINGS, MEASUREMENTS, PROFILE, SAMPLES, STREAMS, WORKOUTS
from fittracker.clock import Clock
from fittracker.errors import Failure, Invalid
from fittracker.jobs import Lease
from fittracker.measurements import Measurements
from fittracker.mongo import Database, Document
from fittracker.portability.opening import NotOurs, Opened, lines, source_of
from fittracker.portability.profiles import take_profile
from fittracker.portability.rows import (
    MeasurementRow,
    SamplesRow,
    StreamRow,
    WorkoutRow,
    check_measurement,
    check_samples,
    check_stream,
)
from fittracker.portability.taking import HeartRate
from fittracker.telemetry import AHEAD_MS
from fittracker.users import Users
from fittracker.workouts import Workouts

T = TypeVar("T")

ORDER: Final = tuple(each.exported for each in (MEASUREMENTS, PROFILE, STREAMS, SAMPLES, WORKOUTS))
"""The profile follows the measurements; samples need their stream, workouts their samples."""
KNOWN: Final = frozenset(each.exported for each in BELONGINGS if each.exported)
GROUP: Final = 200
"""So many rows are read and stored together."""
MOST_TOLD: Final = 100
_UNREADABLE: Final = "It is not a row of an export."


class ImportRun:
    """Takes one archive into one account."""

    def __init__(
        self,
        database: Database,
        users: Users,
        workouts: Workouts,
        measurements: Measurements,
        clock: Clock,
        lease: Lease,
        opened: Opened,
    ) -> None:
        self._users = users
        self._measurements = measurements
        self._clock = clock
        self._lease = lease
        self._opened = opened
        self._heart = HeartRate(database, workouts, lease.user)
        state = lease.state
        self._file: int = state.get("file", 0)
        self._row: int = state.get("row", 0)
        self._imported: dict[str, int] = state.get("imported", {})
        self._skipped: dict[str, int] = state.get("skipped", {})
        self._refused: int = state.get("refused", 0)
        self._problems: list[Document] = state.get("problems", [])

    async def take_all(self) -> Document:
        """What came of it: `{imported: {file: rows}, skipped, refused, problems, left_out}`."""
        names = self._opened.names
        wanted = sorted(
            (name for name in names if source_of(name) in ORDER),
            key=lambda name: (ORDER.index(source_of(name) or ""), name),
        )
        left_out = sorted({source_of(name) or "" for name in names} & KNOWN - {*ORDER})
        if self._file == self._row == 0:
            for name in names:
                if source_of(name) not in KNOWN:
                    self._refuse(name, 0, "There is no such file in an export.")
        for place, name in enumerate(wanted):
            if place >= self._file:
                await self._take_file(name, place, len(wanted))
                self._file, self._row = place + 1, 0
                await self._checkpoint(len(wanted))
        return {**self._state, "left_out": left_out}

    async def _take_file(self, name: str, place: int, count: int) -> None:
        try:
            content = await asyncio.to_thread(self._opened.read, name)
        except NotOurs as refusal:
            self._refuse(name, 0, str(refusal))
            return
        if source_of(name) == PROFILE.exported:
            await self._take_profile(name, content)
            return
        rows = list(lines(content))
        while self._row < len(rows):
            await self._take_rows(name, rows[self._row : self._row + GROUP])
            self._row += GROUP
            await self._checkpoint(count, self._row / len(rows))

    async def _take_profile(self, name: str, content: bytes) -> None:
        try:
            changed = await take_profile(self._users, self._lease.user, content)
        except (msgspec.DecodeError, RecursionError):
            self._refuse(name, 1, "It is not the profile of an export.")
        except Failure as failure:
            self._refuse(name, 1, failure.detail)
        else:
            self._count(self._imported if changed else self._skipped, PROFILE.exported)

    # -- rows ----------------------------------------------------------------------------------------

    async def _take_rows(self, name: str, rows: Sequence[bytes]) -> None:
        source = source_of(name)
        if source == SAMPLES.exported:
            await self._take_samples(name, rows)
            return
        for number, line in enumerate(rows, self._row + 1):
            try:
                if source == STREAMS.exported:
                    fresh = await self._take_stream(line)
                elif source == MEASUREMENTS.exported:
                    fresh = await self._take_measurement(line)
                else:
                    fresh = await self._heart.take_workout(_read(line, WorkoutRow))
            except Failure as failure:
                self._refuse(name, number, failure.detail)
            else:
                self._count(self._imported if fresh else self._skipped, str(source))

    async def _take_stream(self, line: bytes) -> bool:
        row, now = _read(line, StreamRow), self._clock.utc()
        return await self._heart.take_stream(row, check_stream(row, now), now)

    async def _take_measurement(self, line: bytes) -> bool:
        row = _read(line, MeasurementRow)
        check_measurement(row)
        moment = row.at.astimezone(UTC)
        return await self._measurements.restore(self._lease.user, row.kind, row.value, moment, row.note)

    async def _take_samples(self, name: str, lines_: Sequence[bytes]) -> None:
        """A group of batches: read beside the loop, for one may hold an hour, and stored stream by stream."""
        latest = self._clock.now_ms() + AHEAD_MS
        checked = await asyncio.to_thread(_each, lines_, lambda line: _samples(line, latest))
        good: list[tuple[int, SamplesRow]] = []
        for number, found in enumerate(checked, self._row + 1):
            if isinstance(found, Failure):
                self._refuse(name, number, found.detail)
            else:
                good.append((number, found))
        for _, group in groupby(good, key=lambda each: each[1].stream):
            numbered = list(group)
            reason = "The samples do not follow those that are stored."
            try:
                outcomes = await self._heart.take_samples([row for _, row in numbered])
            except Failure as failure:
                outcomes, reason = [None] * len(numbered), failure.detail
            for (number, _), fresh in zip(numbered, outcomes, strict=True):
                if fresh is None:
                    self._refuse(name, number, reason)
                else:
                    self._count(self._imported if fresh else self._skipped, SAMPLES.exported)

    # -- what came of it -----------------------------------------------------------------------------

    @staticmethod
    def _count(counts: dict[str, int], source: str) -> None:
        counts[source] = counts.get(source, 0) + 1

    def _refuse(self, name: str, row: int, reason: str) -> None:
        """Tell which row it was, of the first hundred; names of members are strangers' texts."""
        self._refused += 1
        if len(self._problems) < MOST_TOLD:
            shown = "".join(each for each in name if each.isprintable())[:100]
            self._problems.append({"file": shown, "row": row or None, "reason": reason})

    @property
    def _state(self) -> Document:
        return {
            "imported": self._imported,
            "skipped": self._skipped,
            "refused": self._refused,
            "problems": self._problems,
        }

    async def _checkpoint(self, files: int, share: float = 0.0) -> None:
        done = (self._file + share) / max(files, 1)
        state = {**self._state, "file": self._file, "row": self._row}
        await self._lease.checkpoint(min(done, 0.99), state)


def _read(line: bytes, kind: type[T]) -> T:
    """A row; Invalid for what is none of this kind, which is where operators and wrong types end."""
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(_UNREADABLE) from error


def _samples(line: bytes, latest_ms: int) -> SamplesRow:
    row = _read(line, SamplesRow)
    check_samples(row, latest_ms)
    return row


def _each(rows: Sequence[bytes], read: Callable[[bytes], Any]) -> list[Any]:
    """What reading each of them gave: a row, or the failure."""
    found: list[Any] = []
    for line in rows:
        try:
            found.append(read(line))
        except Failure as failure:
            found.append(failure)
    return found
