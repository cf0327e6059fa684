"""Workouts: what a stream of heart rate comes to, and how its owner reads it again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument

from fittracker.clock import Clock
from fittracker.errors import Failure, NotFound
from fittracker.heart_series import HeartSeries, Resolution, Series
from fittracker.ids import is_id
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.paging import Cursor
from fittracker.physiology import Physiology
from fittracker.series import curve
from fittracker.summary import summarise

log = logger(__name__)

NEWEST: Final = Cursor("started_at")
SWEEP: Final = 100
ABANDONED_S: Final = 60
Listener = Callable[[Document], Awaitable[None]]


class Workouts:
    """The workouts of all people, one person at a time."""

    def __init__(self, database: Database, clock: Clock, series: HeartSeries, *, idle_s: float) -> None:
        self._workouts = database.workouts
        self._streams = database.heart_streams
        self._clock = clock
        self._series = series
        self._idle_s = idle_s
        self._listeners: list[Listener] = []

    def when_made(self, listener: Listener) -> None:
        """Call `listener(workout)` for each workout that is made; it must bear being called again for one."""
        self._listeners.append(listener)

    # -- reading -------------------------------------------------------------------------------------

    async def get(self, user: str, workout_id: str) -> Document:
        """One workout of this person; NotFound for everybody else's."""
        found = (
            await self._workouts.find_one({"_id": workout_id, "user": user}) if is_id(workout_id) else None
        )
        if found is None:
            raise NotFound("There is no such workout.")
        return found

    async def page(self, user: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """This person's workouts, newest first, and the cursor of the next page."""
        return await NEWEST.page(self._workouts, {"user": user}, limit, cursor)

    async def heart_rate(self, user: str, workout_id: str, resolution: Resolution) -> list[dict[str, Any]]:
        """The samples of a workout, whole; none where it was not recorded live."""
        workout = await self.get(user, workout_id)
        stream = workout.get("stream")
        series = await self._series.of_stream(stream) if stream else Series()
        return series.items(resolution)

    # -- ending a stream -----------------------------------------------------------------------------

    async def finish(self, stream_id: str, user: str) -> Document | None:
        """End a stream; the workout it became, or None where it never had a sample.

        Doing it twice gives the same workout. Everything accepted must be stored before: see Telemetry.store.
        """
        stream = await self._streams.find_one_and_update(
            {"_id": stream_id, "user": user},
            [{"$set": {"closed_at": {"$ifNull": ["$closed_at", self._clock.utc()]}}}],
            return_document=ReturnDocument.AFTER,
        )
        if stream is None:
            raise NotFound("There is no such stream.")
        if stream["workout"] is not None:
            return await self.get(user, stream["workout"]) if stream["workout"] else None
        return await self._make(stream)

    async def of_closed_stream(self, stream_id: str, user: str) -> Document | None:
        """The workout of a stream that was closed before; NotFound where there is none of this person's."""
        found = await self._streams.find_one({"_id": stream_id, "user": user}, {"closed_at": 1})
        if found is None or found["closed_at"] is None:
            raise NotFound("Open this stream first; another connection may have taken it.")
        return await self.finish(stream_id, user)

    async def _make(self, stream: Document) -> Document | None:
        series = await self._series.of_stream(stream["_id"])
        workout: Document | None = None
        if series.t:
            # A long recording takes many milliseconds to sum up: not on the loop.
            workout = await asyncio.to_thread(_workout, stream, series, self._clock.utc())
            # The id follows from the stream: whoever comes second changes nothing.
            await self._workouts.update_one({"_id": workout["_id"]}, {"$setOnInsert": workout}, upsert=True)
        await self._streams.update_one(
            {"_id": stream["_id"]}, {"$set": {"workout": workout["_id"] if workout else ""}}
        )
        if workout is not None:
            for listener in self._listeners:
                await listener(workout)
        return workout

    async def finish_silent(self) -> list[Document]:
        """End the streams that nobody has heard of for 10 minutes, wherever their worker went.

        Also those that were closed by a worker which died before the workout was made. The workouts made.
        """
        now = self._clock.utc()
        silent = now - timedelta(seconds=self._idle_s)
        await self._streams.update_many(
            {"closed_at": None, "seen_at": {"$lt": silent}}, {"$set": {"closed_at": now}}
        )
        abandoned = now - timedelta(seconds=ABANDONED_S)
        made = []
        query = {"workout": None, "closed_at": {"$lt": abandoned, "$ne": None}}
        async for stream in self._streams.find(query, limit=SWEEP):
            try:
                workout = await self._make(stream)
            except Failure as failure:
                # One that is too long to be summed up must not keep all others from becoming workouts.
                log.warning("workout_not_made", stream=stream["_id"], reason=failure.detail)
                continue
            if workout is not None:
                made.append(workout)
        return made


def _workout(stream: Document, series: Series, now: datetime) -> Document:
    person = Physiology.from_document(stream["physiology"])
    summary = summarise(
        series.t,
        series.bpm,
        series.rr,
        zones=person.zones,
        sex=person.sex,
        birth_age=person.age,
        weight_kg=person.weight_kg,
        resting=person.resting,
        maximum=person.maximum,
    )
    return {
        "_id": hashlib.sha256(stream["_id"].encode()).hexdigest()[:24],
        "user": stream["user"],
        "stream": stream["_id"],
        "session": stream["session"],
        "sport": stream["sport"],
        "device": stream["device"],
        "source": "live",
        "started_at": _moment(min(series.t)),
        "ended_at": _moment(max(series.t)),
        "duration_s": summary.duration_s,
        "summary": summary.as_dict(),
        "curve": [{"seconds": best.seconds, "bpm": best.bpm} for best in curve(series.t, series.bpm)],
        "zones": person.zones.bounds if person.zones else None,
        "created_at": now,
        "schema_version": 1,
    }


def empty_summary() -> dict[str, Any]:
    """The summary of a stream that never had a sample."""
    return summarise([], [], []).as_dict()


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
