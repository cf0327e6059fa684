"""Batches of heart rate on their way into MongoDB: many streams in one command, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import Counter

from fittracker.mongo import DATABASE_ERRORS, DURABLE, Database, Document
from fittracker.observability import logger
from fittracker.stream import Stream

log = logger(__name__)

DUPLICATE: Final = 11_000
CHUNK_DOCUMENTS: Final = 2_000
CHUNK_BYTES: Final = 8_000_000

stored = Counter("fittracker_heart_samples_stored", "Heart-rate samples written, majority and journal")
failed = Counter("fittracker_heart_flush_failures", "Writes of heart rate that MongoDB did not confirm")


class Batches:
    """Writes what streams have in the air, and lands it."""

    def __init__(self, database: Database, settled: Callable[[int], None]) -> None:
        """`settled` is told how many samples need not be held any more."""
        self._database = database
        self._batches = database.heart_batches
        self._settled = settled

    async def highest(self, stream_id: str) -> int:
        """The highest seq that a majority has stored; 0 for none."""
        newest = await self._batches.find_one(
            {"_id": {"$gte": {"s": stream_id, "n": 0}, "$lte": {"s": stream_id, "n": 2**62}}},
            sort=[("_id", -1)],
            projection={"to": 1},
        )
        return int(newest["to"]) if newest else 0

    async def write(self, flying: list[Stream]) -> bool:
        """Store the flying batch of each stream; False where not all of it is confirmed."""
        confirmed = True
        for chunk in _chunks(flying):
            confirmed = await self._try(chunk) and confirmed
        return confirmed

    async def _try(self, chunk: list[Stream]) -> bool:
        try:
            return await self._insert(chunk)
        except DATABASE_ERRORS as error:
            failed.inc()
            log.warning("heart_flush_failed", streams=len(chunk), reason=type(error).__name__)
        except Exception:
            # A defect must not end the flush of everybody: the stream that has it shows when each goes alone.
            failed.inc()
            log.exception("heart_flush_broken", streams=len(chunk))
            for stream in chunk if len(chunk) > 1 else ():
                await self._try([stream])
        return False

    async def _insert(self, chunk: list[Stream]) -> bool:
        """One insert, unordered. A raw command: insert_many costs twice the CPU for the same bytes."""
        answer: Document = await self._database.command(
            {
                "insert": self._batches.name,
                "documents": [stream.flying for stream in chunk],
                "ordered": False,
                "writeConcern": DURABLE.document,
            }
        )
        refused = {each["index"]: each for each in answer.get("writeErrors", ())}
        if "writeConcernError" in answer:
            # Written, but not yet on a majority: only a majority read can tell, as for a duplicate.
            log.warning("heart_flush_unconfirmed", reason=answer["writeConcernError"].get("errmsg", ""))
            refused = {place: {"code": DUPLICATE} for place in range(len(chunk))} | refused
        landed = sum(stream.landed() for place, stream in enumerate(chunk) if place not in refused)
        stored.inc(landed)
        self._settled(landed)
        confirmed = True
        for place, error in refused.items():
            confirmed = await self._settle(chunk[place], error) and confirmed
        return confirmed

    async def _settle(self, stream: Stream, error: Document) -> bool:
        """A batch was refused: it is stored already, or another worker stored what comes next."""
        if error.get("code") != DUPLICATE:
            log.error("heart_batch_refused", stream=stream.id, code=error.get("code"))
            return False
        highest = await self.highest(stream.id)
        batch = stream.flying
        if batch is None or highest < batch["_id"]["n"]:
            return False  # a duplicate that no majority has yet: it stays flying and is tried again
        self._settled(stream.trim(highest))
        return True


def _chunks(streams: list[Stream]) -> Iterator[list[Stream]]:
    """Streams in groups whose batches fit into one command, which has the same limit as a document."""
    chunk: list[Stream] = []
    size = 0
    for stream in streams:
        if chunk and (len(chunk) >= CHUNK_DOCUMENTS or size + stream.flying_bytes > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(stream)
        size += stream.flying_bytes
    if chunk:
        yield chunk
