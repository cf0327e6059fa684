"""What athletes did in coaching sessions: their repetitions and faults, as form analysis counts them.

Counting costs a dictionary: `rep` and `fault` only change memory. Once a second what has changed is written,
one document for each athlete and exercise with the figures so far, so that a write that is repeated changes
nothing; whoever begins one analysis after the other makes no more of them. A worker that is killed takes the
last second with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pymongo import ReplaceOne

from fittracker.background import beside
from fittracker.clock import Clock
from fittracker.ids import new_id
from fittracker.mongo import DATABASE_ERRORS, Database, Document
from fittracker.observability import logger

log = logger(__name__)

FLUSH_S: Final = 1.0
QUIET_S: Final = 600.0
"""An athlete who did nothing for so long is forgotten; what they do then is counted in a new document."""
KEPT: Final = timedelta(days=30)
"""By then it has become part of the summary of its session."""


@dataclass(slots=True)
class _Count:
    """What an athlete has done of one exercise so far, as this worker saw it."""

    session: str
    user: str
    exercise: str
    id: str = field(default_factory=new_id)
    reps: int = 0
    score: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    heard: float = 0.0
    changed: bool = True


@dataclass(slots=True)
class Done:
    """What an athlete has done of one exercise: repetitions, the sum of their scores, faults by code."""

    reps: int = 0
    score: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)


class Tally:
    """Counts what the athletes of this worker do, and reads what all workers have counted."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._tallies = database.session_tallies
        self._clock = clock
        self._counts: dict[tuple[str, str, str], _Count] = {}
        self._flushing = asyncio.Lock()

    # -- counting ------------------------------------------------------------------------------------

    def rep(self, session: str, athlete: str, *, exercise: str, score: float) -> None:
        """One repetition, with its score (0 to 100)."""
        count = self._count(session, athlete, exercise)
        count.reps += 1
        count.score += score

    def fault(self, session: str, athlete: str, *, exercise: str, code: str) -> None:
        """One fault; `code` is one of form analysis' own words."""
        self._count(session, athlete, exercise).faults[code] += 1

    def _count(self, session: str, athlete: str, exercise: str) -> _Count:
        key = (session, athlete, exercise)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(session, athlete, exercise)
        count.changed = True
        count.heard = self._clock.monotonic()
        return count

    # -- storing -------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write in the background; at the end once more."""
        try:
            async with beside(self._run(), "tally-flush"):
                yield
        finally:
            await self._try_to_flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            await self._try_to_flush()

    async def _try_to_flush(self) -> None:
        try:
            await self.flush()
        except DATABASE_ERRORS as error:
            log.warning("tally_not_stored", waiting=len(self._counts), reason=type(error).__name__)

    async def flush(self) -> None:
        """Write what has changed; what could not be written is tried again by the next flush."""
        async with self._flushing:
            changed = [each for each in self._counts.values() if each.changed]
            if changed:
                written = [
                    ReplaceOne({"_id": each.id}, self._document(each), upsert=True) for each in changed
                ]
                for each in changed:
                    each.changed = False
                try:
                    await self._tallies.bulk_write(written, ordered=False)
                except BaseException:
                    for each in changed:
                        each.changed = True
                    raise
            self._forget_quiet()

    def _document(self, count: _Count) -> Document:
        now = self._clock.utc()
        return {
            "_id": count.id,
            "session": count.session,
            "user": count.user,
            "exercise": count.exercise,
            "reps": count.reps,
            "score": count.score,
            "faults": dict(count.faults),
            "at": now,
            "expires_at": now + KEPT,
            "schema_version": 1,
        }

    def _forget_quiet(self) -> None:
        before = self._clock.monotonic() - QUIET_S
        for key, count in tuple(self._counts.items()):
            if not count.changed and count.heard < before:
                del self._counts[key]

    # -- reading -------------------------------------------------------------------------------------

    async def done(self, session: str, users: Sequence[str] | None = None) -> dict[str, dict[str, Done]]:
        """By athlete (all, or these) and exercise, what is stored of a session by all workers.

        It is at most a second old.
        """
        query: Document = (
            {"session": session} if users is None else {"session": session, "user": {"$in": users}}
        )
        found: dict[str, dict[str, Done]] = {}
        async for each in self._tallies.find(query):
            done = found.setdefault(each["user"], {}).setdefault(each["exercise"], Done())
            done.reps += each["reps"]
            done.score += each["score"]
            done.faults.update(each["faults"])
        return found
