"""Rotating keys: all that is sealed is sealed anew with the first key, so that older ones can be removed.

It reads and writes piece by piece while the workers go on. A piece that somebody changed meanwhile was sealed
by them; so it may be interrupted, and done again, and does nothing where nothing is left to do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo import UpdateOne

from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.roomlog.log import RoomLog
from fittracker.roomlog.shedding import Shedding
from fittracker.sealing import Purpose, Seal, Unsealable

log = logger(__name__)

STEP: Final = 500


@dataclass(frozen=True, slots=True)
class Place:
    """Where something sealed rests: a field (a dot leads into it) of a collection."""

    collection: str
    field: str
    purpose: Purpose

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.collection}.{self.field}"


PLACES: Final = (
    Place("room_events", "sealed", "rooms"),
    Place("room_events", "overlay", "rooms"),
    Place("mails", "letter", "mail"),
    Place("users", "totp.key", "totp"),
    Place("users", "totp_pending.key", "totp"),
    Place("idempotency_keys", "answer", "idempotency"),
    Place("push_subscriptions", "sealed", "push"),
)
WINDOWS: Final = "windows in Redis"


@dataclass(slots=True)
class Count:
    """Of one place: what was sealed anew, what nobody can open any more, what has still another key."""

    name: str
    renewed: int = 0
    unreadable: int = 0
    left: int = 0


class Rotation:
    """Seals everything anew."""

    def __init__(
        self, database: Database, keys: Sequence[tuple[str, str]], room_log: RoomLog, shedding: Shedding
    ) -> None:
        self._database = database
        self._keys = keys
        self._log = room_log
        self._shedding = shedding

    async def rotate(self) -> AsyncIterator[Count]:
        """Place by place; what was counted there."""
        for place in PLACES:
            yield await self._renew(place)
        yield await self._shed()

    async def _renew(self, place: Place) -> Count:
        seal, count = Seal(self._keys, place.purpose), Count(place.name)
        collection = self._database[place.collection]
        stale: Document = {f"{place.field}.kid": {"$exists": True, "$ne": seal.first}}
        query, fields = stale, {place.field: 1}
        while found := await collection.find(query, fields, sort=[("_id", 1)], limit=STEP).to_list():
            writes = []
            for each in found:
                sealed = _inside(each, place.field)
                try:
                    fresh = seal.close(seal.open(sealed))
                except Unsealable:
                    count.unreadable += 1
                    continue
                same = {"_id": each["_id"], f"{place.field}.data": sealed["data"]}
                writes.append(UpdateOne(same, {"$set": {place.field: fresh}}))
            if writes:
                count.renewed += (await collection.bulk_write(writes, ordered=False)).modified_count
            query = {**stale, "_id": {"$gt": found[-1]["_id"]}}
        count.left = await collection.count_documents(stale) - count.unreadable
        return count

    async def _shed(self) -> Count:
        """Windows hold copies: those with an older key go, and MongoDB is asked instead."""
        count = Count(WINDOWS)
        while await self._log.sweep(older_than_ms=0):
            pass  # what waits for MongoDB has no copy yet
        count.renewed, count.left = await self._shedding.shed()
        return count


def _inside(document: Document, field: str) -> Document:
    value: Any = document
    for name in field.split("."):
        value = value[name]
    found: Document = value
    return found
