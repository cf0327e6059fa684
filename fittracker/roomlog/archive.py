"""The archive: every event of every room in MongoDB, which is the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from fittracker.mongo import Database, Document
from fittracker.roomlog.record import Entry, Envelope, Place

DUPLICATE: Final = 11_000


class Archive:
    """What was said in all rooms."""

    def __init__(self, database: Database, envelope: Envelope) -> None:
        self._events = database.room_events
        self._newest = self._events.with_options(read_concern=ReadConcern("local"))
        self._envelope = envelope

    async def store(self, entries: Sequence[tuple[str, Entry]]) -> list[tuple[str, Entry]]:
        """Store events of rooms; those that are there already count as stored.

        Gives those whose number has gone to another event: they are not stored.
        """
        documents = [self._envelope.document(room, entry) for room, entry in entries]
        try:
            await self._events.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            faults = error.details["writeErrors"]
            if any(fault["code"] != DUPLICATE for fault in faults):
                raise
            return await self._misplaced([entries[fault["index"]] for fault in faults])
        return []

    async def _misplaced(self, refused: list[tuple[str, Entry]]) -> list[tuple[str, Entry]]:
        ids = [entry.record.id for _, entry in refused]
        there = {each["_id"] async for each in self._events.find({"_id": {"$in": ids}}, {"_id": 1})}
        return [(room, entry) for room, entry in refused if entry.record.id not in there]

    async def placed(self, event: str) -> Place | None:
        """Where an event is stored; None where it is not."""
        found = await self._events.find_one({"_id": event}, {"epoch": 1, "seq": 1})
        return None if found is None else Place(found["epoch"], found["seq"])

    async def seen(self, event: str) -> bool:
        """Whether an event is written, though perhaps not yet by a majority."""
        return await self._newest.find_one({"_id": event}, {"_id": 1}) is not None

    async def highest(self, room: str) -> int:
        """The highest number of a room; 0 where nothing was ever said."""
        found = await self._events.find_one({"room": room}, {"seq": 1}, sort=[("seq", -1)])
        return 0 if found is None else int(found["seq"])

    async def between(self, room: str, epoch: str, first: int, last: int) -> list[Entry] | None:
        """The events with these numbers of this epoch, all of them, or None."""
        span: Document = {"room": room, "seq": {"$gte": first, "$lte": last}}
        found = await self._events.find(span, sort=[("seq", 1)], limit=last - first + 1).to_list()
        entries = [self._envelope.entry(each) for each in found if each["epoch"] == epoch]
        return entries if len(entries) == last - first + 1 else None

    async def before(self, room: str, kind: str, seq: int | None, limit: int) -> list[Entry]:
        """Up to `limit` events of one kind with lower numbers, the newest of them, in order."""
        query: Document = {"room": room, "kind": kind}
        if seq is not None:
            query["seq"] = {"$lt": seq}
        found = await self._events.find(query, sort=[("seq", -1)], limit=limit).to_list()
        return [self._envelope.entry(each) for each in reversed(found)]

    async def holds(self, event: str, room: str, kind: str) -> bool:
        """Whether this event of this kind was said in this room; also where it was only just written."""
        query = {"_id": event, "room": room, "kind": kind}
        return await self._newest.find_one(query, {"_id": 1}) is not None
