"""What an export is made of: a person's documents, collection by collection, as rows of plain JSON values.

Only the fields that `fittracker.belongings` allows leave. Rows come in the order of their keys, and from a
key on, so that an export that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from fittracker.belongings import BELONGINGS, MESSAGES, PROFILE, SAMPLES, Belonging
from fittracker.chat.message import SAID, ChatMessage
from fittracker.clock import rfc3339
from fittracker.mongo import Database, Document
from fittracker.roomlog.record import Envelope

# Samples are most of it by far: they come last, so that what is small is safe early.
EXPORTED: Final = (
    *(each for each in BELONGINGS if each.exported and each is not SAMPLES),
    SAMPLES,
)
Key = Any
"""What orders the rows of a source: the id of a document, or [stream, first seq] of a batch."""


class Sources:
    """The documents of all people, one person at a time."""

    def __init__(self, database: Database, envelope: Envelope) -> None:
        """`envelope` opens what was said in rooms."""
        self._database = database
        self._envelope = envelope

    async def count(self, user: str) -> int:
        """How many rows there are, about."""
        found = [
            await self._database[each.collection].count_documents(belonging_to(each, user))
            for each in EXPORTED
        ]
        return sum(found)

    async def rows(
        self, source: Belonging, user: str, after: Key | None
    ) -> AsyncIterator[tuple[Key, Document]]:
        """The rows of one collection behind a key, with their keys."""
        origins = await self._origins(user)
        async for key, document in self._found(source, user, after):
            yield key, _row(source, user, document, origins)

    def _found(self, source: Belonging, user: str, after: Key | None) -> AsyncIterator[tuple[Key, Document]]:
        if source is SAMPLES:
            return self._samples(user, after)
        if source is MESSAGES:
            return self._messages(user, after)
        return self._documents(source, user, after)

    async def _messages(self, user: str, after: Key | None) -> AsyncIterator[tuple[Key, Document]]:
        """What they said and did not delete, in the order of ids; what cannot be unsealed is left out."""
        query = belonging_to(MESSAGES, user)
        if after is not None:
            query = {"$and": [query, {"_id": {"$gt": after}}]}
        cursor = self._database.room_events.find(query, {"overlay": 0}, sort=[("_id", 1)])
        async for document in cursor.allow_disk_use(True):
            kept = self._envelope.kept_or_blank(document)
            if kept.entry.record.data:
                said = msgspec.json.decode(kept.entry.record.data, type=ChatMessage)
                if not said.deleted:
                    yield document["_id"], {**document, **msgspec.structs.asdict(said)}

    async def _documents(
        self, source: Belonging, user: str, after: Key | None
    ) -> AsyncIterator[tuple[Key, Document]]:
        query = belonging_to(source, user)
        if after is not None:
            query = {"$and": [query, {"_id": {"$gt": after}}]}
        fields = dict.fromkeys((*roots(source), "imported"), 1)
        cursor = self._database[source.collection].find(query, fields, sort=[("_id", 1)])
        async for document in cursor.allow_disk_use(True):
            yield document["_id"], document

    async def _samples(self, user: str, after: Key | None) -> AsyncIterator[tuple[Key, Document]]:
        """Stream by stream, by the order of the ids of batches, which needs no sorting."""
        fields = dict.fromkeys(roots(SAMPLES), 1)
        begun = {} if after is None else {"_id": {"$gte": after[0]}}
        streams = self._database.heart_streams.find({"user": user, **begun}, {"_id": 1}, sort=[("_id", 1)])
        async for stream in streams:
            name = stream["_id"]
            first = after[1] if after is not None and after[0] == name else -1
            span = {"$gt": {"s": name, "n": first}, "$lte": {"s": name, "n": 2**62}}
            batches = self._database.heart_batches.find({"_id": span}, fields, sort=[("_id", 1)])
            async for batch in batches.batch_size(50):
                yield [name, batch["_id"]["n"]], batch

    async def _origins(self, user: str) -> dict[str, str]:
        """Which streams came by an import, and what they were called where they were recorded."""
        query = {"user": user, "imported": {"$exists": True}}
        found = self._database.heart_streams.find(query, {"imported.origin": 1})
        return {each["_id"]: each["imported"]["origin"] async for each in found}


def belonging_to(source: Belonging, user: str) -> Document:
    """The query for what is this person's, or names them."""
    if source is MESSAGES:
        return {"by": user, "kind": SAID}
    fields = (*(source.exported_for or source.owners), *source.named)
    return {fields[0]: user} if len(fields) == 1 else {"$or": [{field: user} for field in fields]}


def roots(source: Belonging) -> set[str]:
    """The top-level fields that have to be read."""
    wanted = {field.partition(".")[0] for field in source.fields}
    if source.named:
        wanted |= {*source.owners, *source.named}
    return wanted


def _row(source: Belonging, user: str, document: Document, origins: Mapping[str, str]) -> Document:
    picked = pick(document, source.fields)
    if source is SAMPLES:
        stream = document["_id"]["s"]
        return {"stream": origins.get(stream, stream), "from": int(document["_id"]["n"]), **plain(picked)}
    row: Document = plain(picked)
    if source is not PROFILE:
        row = {"id": str(origins.get(document["_id"], document["_id"])), **row}
    if "stream" in row:
        row["stream"] = origins.get(row["stream"], row["stream"])
    if source.named:
        row["part"] = source.owners[0] if document.get(source.owners[0]) == user else "member"
        row["named_in"] = [field for field in source.named if user in (document.get(field) or ())]
    return row


def pick(document: Mapping[str, Any], fields: tuple[str, ...]) -> Document:
    """These fields of a document; `a.b` is field b of the document in a."""
    found: Document = {}
    for field in fields:
        name, _, below = field.partition(".")
        if name not in document:
            continue
        value = document[name]
        if not below:
            found[name] = value
        elif isinstance(value, dict):
            found.setdefault(name, {}).update(pick(value, (below,)))
    return found


def plain(value: Any) -> Any:
    """As JSON has it: moments as RFC 3339, the driver's integers as integers."""
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return value
