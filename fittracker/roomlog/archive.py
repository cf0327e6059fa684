"""The archive: every event of every room in MongoDB, which is the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from fittracker.mongo import Database, Document
from fittracker.roomlog.record import Confirmed, Entry, Envelope, Place

DUPLICATE: Final = 11_000


class Archive:
    """What was said in all rooms."""

    def __init__(self, database: Database, envelope: Envelope) -> None:
        self._events = database.room_events
        self._newest = self._events.with_options(read_concern=ReadConcern("local"))
        self._envelope = envelope

    async def store(self, entries: Sequence[tuple[str, Entry]]) -> dict[str, Confirmed | None]:
        """Store events of rooms; those that are there already count as stored. A majority has them then.

        Gives, by id, those that are not stored as they were given: what is stored in their stead (the same
        event, in the place that it was given when it was sent before), or None where the number has gone to
        another event.
        """
        documents = [self._envelope.document(room, entry) for room, entry in entries]
        try:
            await self._events.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            faults = error.details["writeErrors"]
            # Written, and not confirmed by a majority, is not stored: written again it is a duplicate for
            # which MongoDB waits until a majority has the first one.
            if error.details["writeConcernErrors"] or any(fault["code"] != DUPLICATE for fault in faults):
                raise
            return await self._astray([entries[fault["index"]][1] for fault in faults])
        return {}

    async def _astray(self, refused: list[Entry]) -> dict[str, Confirmed | None]:
        there = await self.confirmed([entry.record.id for entry in refused])
        return {
            entry.record.id: found
            for entry in refused
            if (found := there.get(entry.record.id)) is None or found.place != entry.place
        }

    async def confirmed(self, events: Sequence[str]) -> dict[str, Confirmed]:
        """Where and when each of these events is stored; those that are not are left out."""
        found = self._events.find({"_id": {"$in": list(events)}}, {"epoch": 1, "seq": 1, "at": 1})
        return {each["_id"]: _confirmed(each) async for each in found}

    async def seen(self, events: Sequence[str]) -> set[str]:
        """Which of these events are written, though perhaps not yet by a majority."""
        found = self._newest.find({"_id": {"$in": list(events)}}, {"_id": 1})
        return {each["_id"] async for each in found}

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


def _confirmed(document: Document) -> Confirmed:
    place = Place(document["epoch"], document["seq"])
    return Confirmed(document["_id"], place, round(document["at"].timestamp() * 1_000))
