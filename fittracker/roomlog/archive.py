"""The archive: every event of every room in MongoDB, which is the truth."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from fittracker.mongo import Database, Document
from fittracker.roomlog.record import Confirmed, Entry, Envelope, Kept, Place, Record, Spot

DUPLICATE: Final = 11_000
MOST_COUNTED: Final = 1_000
_BARE: Final[Document] = {"overlay": 0, "people": 0}
"""Without what was laid over events: it may be much, and who reads on does not need it."""


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

    async def between(self, room: str, epoch: str, first: int, last: int) -> list[Entry]:
        """The events with these numbers of this epoch that are here and can be read."""
        span: Document = {"room": room, "seq": {"$gte": first, "$lte": last}}
        found = await self._events.find(span, _BARE, sort=[("seq", 1)], limit=last - first + 1).to_list()
        kept = [self._envelope.kept_or_blank(each) for each in found if each["epoch"] == epoch]
        return [each.entry for each in kept if each.entry.record.data]

    async def before(self, room: str, kind: str, seq: int | None, limit: int) -> list[Entry]:
        """Up to `limit` events of one kind with lower numbers, the newest of them, in order."""
        query: Document = {"room": room, "kind": kind}
        if seq is not None:
            query["seq"] = {"$lt": seq}
        found = await self._events.find(query, _BARE, sort=[("seq", -1)], limit=limit).to_list()
        return [self._envelope.entry(each) for each in reversed(found)]

    async def page(self, room: str, kind: str, seq: int | None, limit: int) -> list[Kept]:
        """The same, with all that became of them; without data (b"") where their key is gone."""
        query: Document = {"room": room, "kind": kind}
        if seq is not None:
            query["seq"] = {"$lt": seq}
        found = await self._events.find(query, sort=[("seq", -1)], limit=limit).to_list()
        return [self._envelope.kept_or_blank(each) for each in reversed(found)]

    # -- of many rooms at once -----------------------------------------------------------------------

    async def newest(self, rooms: Collection[str], kind: str) -> dict[str, Kept]:
        """The newest event of a kind in each of these rooms; those without one are left out."""
        found = await self._each(
            [
                {"$match": {"room": room, "kind": kind}},
                {"$sort": {"seq": -1}},
                {"$limit": 1},
            ]
            for room in rooms
        )
        return {each["room"]: self._envelope.kept_or_blank(each) for each in found}

    async def count_after(
        self, places: Mapping[str, int], kind: str, *, but_by: str, most: int
    ) -> dict[str, int]:
        """For each room how many events of a kind have higher numbers and are not by this person.

        Counting ends at `most`, and where 1,000 were looked at: somebody may have said a million themselves.
        """
        found = await self._each(
            [
                {"$match": {"room": room, "kind": kind, "seq": {"$gt": seq}}},
                {"$sort": {"seq": -1}},
                {"$limit": MOST_COUNTED},
                {"$match": {"by": {"$ne": but_by}}},
                {"$limit": most},
                {"$group": {"_id": "$room", "count": {"$sum": 1}}},
            ]
            for room, seq in places.items()
        )
        counted = {each["_id"]: int(each["count"]) for each in found}
        return {room: counted.get(room, 0) for room in places}

    async def _each(self, pipelines: Iterable[list[Document]]) -> list[Document]:
        """What all of these give, by one command: each alone costs a worker as much as all of them."""
        first, *others = [*pipelines] or [[]]
        if not first:
            return []
        unions = [{"$unionWith": {"coll": self._events.name, "pipeline": each}} for each in others]
        return await (await self._events.aggregate([*first, *unions])).to_list()

    async def holds(self, event: str, room: str, kind: str) -> bool:
        """Whether this event of this kind was said in this room; also where it was only just written."""
        query = {"_id": event, "room": room, "kind": kind}
        return await self._newest.find_one(query, {"_id": 1}) is not None

    # -- amending ------------------------------------------------------------------------------------

    async def find(self, event: str) -> Kept | None:
        """An event that is stored on a majority; without data (b"") where its key is gone."""
        found = await self._events.find_one({"_id": event})
        return None if found is None else self._envelope.kept_or_blank(found)

    async def find_some(self, query: Document, limit: int) -> list[Kept]:
        """Some events of which this is true; without data where they cannot be unsealed any more."""
        found = await self._events.find(query, limit=limit).to_list()
        return [self._envelope.kept_or_blank(each) for each in found]

    async def spots(self, query: Document, limit: int) -> list[Spot]:
        """Where some events are of which this is true."""
        fields = {"room": 1, "seq": 1, "kind": 1, "at": 1}
        found = await self._events.find(query, fields, limit=limit).to_list()
        return [
            Spot(each["_id"], each["room"], each["seq"], each["kind"], round(each["at"].timestamp() * 1_000))
            for each in found
        ]

    async def rewrite(self, kept: Kept, record: Record, *, bare: bool = False) -> bool:
        """Let it say something else, `bare` without what lay over it; False where it has changed since."""
        what: Document = {"sealed": self._envelope.sealed(record), "by": record.by or None}
        change: Document = {"$set": what}
        if bare:
            change["$unset"] = {"overlay": "", "people": ""}
        return await self._change(kept, change)

    async def lay_over(self, kept: Kept, overlay: bytes | None, people: Sequence[str]) -> bool:
        """Lay something over it that these people have to do with; False where it has changed since."""
        if overlay is None:
            return await self._change(kept, {"$unset": {"overlay": "", "people": ""}})
        what = {"overlay": self._envelope.cover(overlay), "people": list(people)}
        return await self._change(kept, {"$set": what})

    async def _change(self, kept: Kept, change: Document) -> bool:
        # An event that was never amended has no version.
        same = {"_id": kept.entry.record.id, "version": kept.version or None}
        changed = await self._events.update_one(same, {**change, "$inc": {"version": 1}})
        return bool(changed.modified_count)

    async def retire(self, event: str, record: Record) -> None:
        """Leave nothing of it but its number: it is of no kind and by nobody any more."""
        what: Document = {"sealed": self._envelope.sealed(record), "by": None, "kind": ""}
        change: Document = {"$set": what, "$unset": {"overlay": "", "people": ""}, "$inc": {"version": 1}}
        await self._events.update_one({"_id": event}, change)

    async def remove_retired(self, room: str, below: int) -> None:
        """Delete what is left of older events of which nothing but the number was to stay."""
        await self._events.delete_many({"room": room, "kind": "", "seq": {"$lt": below}})

    async def remove(self, events: Sequence[str]) -> int:
        """Delete events for good; their numbers are a gap from now on."""
        gone = await self._events.delete_many({"_id": {"$in": list(events)}})
        return gone.deleted_count


def _confirmed(document: Document) -> Confirmed:
    place = Place(document["epoch"], document["seq"])
    return Confirmed(document["_id"], place, round(document["at"].timestamp() * 1_000))
