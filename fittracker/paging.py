"""Pages of a long list: keyset cursors, which stay right while people add and delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fittracker.errors import BadRequest
from fittracker.ids import is_id
from fittracker.mongo import Collection, Document

LARGEST: Final = 100
_LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Newest first by a time field, then by id, so that two of one millisecond keep their order."""

    time_field: str

    async def page(
        self,
        collection: Collection,
        query: Document,
        limit: int,
        cursor: str | None,
        *,
        shown: Mapping[str, Any] | None = None,
    ) -> tuple[list[Document], str | None]:
        """Up to `limit` (at most 100) documents and the next page's cursor; BadRequest for a forged one.

        `shown`: which fields are read (a projection with the time field in it), where not all are.
        """
        limit = max(1, min(limit, LARGEST))
        if cursor is not None:
            query = {"$and": [query, self._after(cursor)]}
        newest = [(self.time_field, -1), ("_id", -1)]
        found = await collection.find(query, shown, sort=newest, limit=limit + 1).to_list()
        if len(found) <= limit:
            return found, None
        return found[:limit], self.behind(found[limit - 1])

    def behind(self, last: Document) -> str:
        """The cursor of what follows a document."""
        return f"{round(last[self.time_field].timestamp() * 1000)}-{last['_id']}"

    def _after(self, cursor: str) -> Document:
        ms, _, last = cursor.partition("-")
        if not (ms.isascii() and ms.isdecimal() and len(ms) < 16 and int(ms) <= _LATEST_MS and is_id(last)):
            raise BadRequest("The cursor was not made by this server.")
        moment = datetime.fromtimestamp(int(ms) / 1000, UTC)
        return {"$or": [{self.time_field: {"$lt": moment}}, {self.time_field: moment, "_id": {"$lt": last}}]}
