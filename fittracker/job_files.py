"""Files that jobs take in and give out: zips, cut into chunks that expire with the job.

Not GridFS: its chunks carry no date, so that MongoDB could let the entry of a file expire, but never its
bytes. Here every chunk has its own end, and one that is written twice is written once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from pymongo.errors import DuplicateKeyError

from fittracker.clock import Clock
from fittracker.jobs import LeaseLost
from fittracker.mongo import Database

CHUNK_BYTES: Final = 1 << 20
KEPT: Final = timedelta(days=4)
"""A little longer than a job: it may take a while until it is done."""


class JobFiles:
    """One file a job, in numbered chunks of any size below 16 MB."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._chunks = database.job_files
        self._clock = clock

    async def put(self, job: str, user: str, number: int, data: bytes, *, attempt: int = 0) -> None:
        """Store a chunk; the same number again replaces it.

        Who tries for the third time may replace what the second has written, and never the reverse: a worker
        that was thought dead gets LeaseLost.
        """
        until = self._clock.utc() + KEPT
        chunk = {"user": user, "attempt": attempt, "data": data, "expires_at": until}
        place = {"_id": {"job": job, "n": number}, "attempt": {"$lte": attempt}}
        try:
            await self._chunks.replace_one(place, chunk, upsert=True)
        except DuplicateKeyError as error:
            raise LeaseLost from error

    async def read(self, job: str) -> AsyncIterator[bytes]:
        """The chunks of a file, in their order, one at a time."""
        span = {"$gte": {"job": job, "n": 0}, "$lt": {"job": job, "n": 2**31}}
        # The next few are fetched while one is sent: not all of them, they may be many megabytes each.
        async for chunk in self._chunks.find({"_id": span}, {"data": 1}, sort=[("_id", 1)], batch_size=2):
            yield chunk["data"]

    async def drop(self, job: str) -> None:
        """Delete a file."""
        span = {"$gte": {"job": job, "n": 0}, "$lt": {"job": job, "n": 2**31}}
        await self._chunks.delete_many({"_id": span})
