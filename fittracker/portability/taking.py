"""Heart rate out of an export, stored for whoever imports it.

Its new ids follow from the old ones and from the person, so taking the same in twice changes nothing.

What was recorded in this very account is found by its old id and left as it is; what came by an earlier
import is gone on with where that stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from fittracker.errors import Invalid
from fittracker.mongo import Database, Document
from fittracker.physiology import Physiology
from fittracker.portability.rows import SamplesRow, StreamRow, WorkoutRow, batch_of
from fittracker.workouts import Workouts

_SPACE: Final = UUID("5d1c2c0e-6a52-4d0b-9c6b-2f0f6c1f7a31")


class HeartRate:
    """Takes in the streams, samples and workouts of one person."""

    def __init__(self, database: Database, workouts: Workouts, user: str) -> None:
        self._streams = database.heart_streams
        self._batches = database.heart_batches
        self._workouts = workouts
        self._user = user
        self._stream = ""
        self._target: str | None = None
        self._stored = 0

    async def take_stream(self, row: StreamRow, physiology: Physiology, now: datetime) -> bool:
        """Whether the stream is new here. Its samples follow; until then it is one without a workout."""
        if await self._find(row.id) is not None:
            return False
        moments = [each for each in (row.closed_at, row.seen_at, row.opened_at) if each is not None]
        document: Document = {
            "user": self._user,
            "session": None,
            "sport": row.sport,
            "device": row.device,
            "opened_at": row.opened_at,
            "seen_at": row.seen_at or row.opened_at,
            "closed_at": min(moments[0], now),
            "workout": "",
            "physiology": physiology.as_document(),
            "imported": {"origin": row.id, "at": now},
            "schema_version": 1,
        }
        done = await self._streams.update_one(
            {"_id": self._derived(row.id)}, {"$setOnInsert": document}, upsert=True
        )
        return done.upserted_id is not None

    async def take_samples(self, rows: Sequence[SamplesRow]) -> list[bool | None]:
        """Store batches of one stream, in order: for each whether it is new.

        None for one that does not follow what is stored: two batches would hold the same sample. Invalid
        where there is no such stream.
        """
        stream = rows[0].stream
        if stream != self._stream:
            await self._turn_to(stream)
        if self._target is None:
            return [False] * len(rows)
        fresh: list[Document] = []
        outcomes: list[bool | None] = []
        for row in rows:
            follows = row.first == self._stored + 1
            outcomes.append(False if row.to <= self._stored else follows or None)
            if outcomes[-1]:
                fresh.append(batch_of(row, self._target, self._user))
                self._stored = row.to
        if fresh:
            await self._batches.insert_many(fresh)
        return outcomes

    async def _turn_to(self, stream: str) -> None:
        """Another stream: what of it is stored. One that was recorded here takes nothing in."""
        found = await self._find(stream)
        if found is None:
            raise Invalid("Its stream is not in the export.")
        self._stream = stream
        self._target = found["_id"] if "imported" in found else None
        span = {"$gte": {"s": found["_id"], "n": 0}, "$lte": {"s": found["_id"], "n": 2**62}}
        newest = await self._batches.find_one({"_id": span}, {"to": 1}, sort=[("_id", -1)])
        self._stored = newest["to"] if newest else 0

    async def take_workout(self, row: WorkoutRow) -> bool:
        """Whether it was made, from its stored samples; Invalid where there are none."""
        stream = await self._find(row.stream)
        if stream is None:
            raise Invalid("Its heart rate is not in the export.")
        if stream["workout"]:
            return False
        await self._streams.update_one(
            {"_id": stream["_id"], "user": self._user, "workout": ""}, {"$set": {"workout": None}}
        )
        made = await self._workouts.finish(stream["_id"], self._user)
        if made is None:
            raise Invalid("Its heart rate has no samples.")
        return True

    async def _find(self, origin: str) -> Document | None:
        """The stream of this person that was, or was once, called so."""
        ids = [origin, self._derived(origin)]
        query = {"_id": {"$in": ids}, "user": self._user}
        return await self._streams.find_one(query, {"imported": 1, "workout": 1})

    def _derived(self, origin: str) -> str:
        return str(uuid5(_SPACE, f"{self._user} {origin}"))
