"""What a session came to for one athlete, out of what is stored: heart rate, repetitions, faults, cues.

Heart rate of a session is that of its streams: what was pushed while they were shown there, and what a device
kept and sent later, by the time it was measured. A stream that goes on after the end is cut there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from fittracker.coaching.cues import CUE
from fittracker.coaching.tally import Done
from fittracker.coaching.voice import ms
from fittracker.errors import Failure
from fittracker.heart_series import Series
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.physiology import Physiology
from fittracker.summary import summarise

log = logger(__name__)

AT_THE_END: Final = 2**62


class Heart(msgspec.Struct):
    """An athlete's heart in a session: seconds from the first to the last sample, and in zones 1 to 5."""

    samples: int
    duration_s: float
    avg_bpm: float | None
    max_bpm: int | None
    min_bpm: int | None
    zones_s: list[float] | None
    trimp: float | None
    kcal: float | None


class Exercise(msgspec.Struct):
    """What form analysis counted of one exercise: repetitions, their mean score, faults by code."""

    reps: int
    score: float | None
    faults: dict[str, int]


class AthleteSummary(msgspec.Struct):
    """What a session came to for one athlete. `cues` by kind, with those for everybody.

    `feedback` is counted by severity. `workouts` are those that the streams became; `complete` is false while
    one of them still runs.
    """

    user: str
    name: str
    heart: Heart | None
    reps: int
    faults: int
    exercises: dict[str, Exercise]
    cues: dict[str, int]
    feedback: dict[str, int]
    workouts: list[str]
    complete: bool


class Showing:
    """Computes it."""

    def __init__(self, database: Database) -> None:
        self._streams = database.heart_streams
        self._batches = database.heart_batches
        self._cues = database.session_cues

    async def of(self, session: Document, user: str, name: str, done: Mapping[str, Done]) -> AthleteSummary:
        """For one athlete of an ended session; `done` is what was counted of theirs."""
        streams = await self._streams.find(
            {"session": session["_id"], "user": user}, sort=[("opened_at", 1)]
        ).to_list()
        exercises = {exercise: _exercise(each) for exercise, each in sorted(done.items())}
        cues, feedback = await self._told(session["_id"], user)
        return AthleteSummary(
            user=user,
            name=name,
            heart=await self._heart(session, streams),
            reps=sum(each.reps for each in exercises.values()),
            faults=sum(sum(each.faults.values()) for each in exercises.values()),
            exercises=exercises,
            cues=cues,
            feedback=feedback,
            workouts=[each["workout"] for each in streams if each["workout"]],
            complete=all(each["workout"] is not None for each in streams),
        )

    async def _told(self, session: str, user: str) -> tuple[dict[str, int], dict[str, int]]:
        cues: Counter[str] = Counter()
        feedback: Counter[str] = Counter()
        query = {"session": session, "said": True, "to": {"$in": [None, user]}}
        async for each in self._cues.find(query, {"event": 1, "kind": 1}):
            (cues if each["event"] == CUE else feedback)[each["kind"]] += 1
        return dict(cues), dict(feedback)

    async def _heart(self, session: Document, streams: list[Document]) -> Heart | None:
        series = Series()
        try:
            for stream in streams:
                await self._read(session, stream, series)
            # A long recording takes many milliseconds to sum up: not on the loop.
            return await asyncio.to_thread(_sum_up, series, streams[-1]["physiology"]) if series.t else None
        except Failure as failure:
            # Such as more than four days of samples. The others must be summed up all the same.
            log.warning("session_heart_left_out", session=session["_id"], reason=failure.detail)
            return None

    async def _read(self, session: Document, stream: Document, series: Series) -> None:
        """Add what of a stream belongs to the session."""
        began, ended = ms(session.get("started_at")) or 0, ms(session.get("ended_at")) or AT_THE_END
        number = stream["_id"]
        # Who comes early is shown while the session is planned, and warms up: that is not the session yet.
        early = (ms(stream["opened_at"]) or 0) < began
        span = {"$gte": {"s": number, "n": 0}, "$lte": {"s": number, "n": AT_THE_END}}
        async for batch in self._batches.find({"_id": span}, sort=[("_id", 1)]):
            if batch["session"] == session["_id"]:
                series.add(_within(batch, began, AT_THE_END) if early else batch)
            elif batch["from_t"] <= ended and batch["until_t"] >= began:
                series.add(_within(batch, began, ended))


def _within(batch: Document, began: int, ended: int) -> Document:
    """The samples of a batch that were measured in this time."""
    places = [place for place, t in enumerate(batch["t"]) if began <= t <= ended]
    columns = ("t", "bpm", "rr", "contact")
    return {name: [batch[name][place] for place in places] for name in columns if batch.get(name)}


def _exercise(done: Done) -> Exercise:
    score = round(done.score / done.reps, 1) if done.reps else None
    return Exercise(done.reps, score, dict(sorted(done.faults.items())))


def _sum_up(series: Series, physiology: dict[str, Any]) -> Heart:
    person = Physiology.from_document(physiology)
    found = summarise(
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
    return Heart(**{name: getattr(found, name) for name in Heart.__struct_fields__})
