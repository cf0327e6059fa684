"""Reading the audit log: newest first, by who did it, to whom, what, from where and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from fittracker.errors import BadRequest
from fittracker.mongo import Database, Document
from fittracker.paging import LARGEST

SKEW: Final = timedelta(minutes=1)
"""How far the clocks of two workers may differ: entries are in the order of their numbers."""
FILTERS: Final = ("event", "actor", "target", "address", "request")
_HIGHEST: Final = 2**53


class AuditReading:
    """The audit log as an administrator reads it."""

    def __init__(self, database: Database) -> None:
        self._entries = database.audit

    async def page(
        self,
        filters: Mapping[str, Any],
        since: datetime | None,
        until: datetime | None,
        limit: int,
        cursor: str | None,
    ) -> tuple[list[Document], str | None]:
        """Up to `limit` entries of [since, until) that match all filters, and the cursor of the next page.

        BadRequest for a cursor that this server did not make.
        """
        limit = max(1, min(limit, LARGEST))
        query: Document = {name: filters[name] for name in FILTERS if filters.get(name) is not None}
        numbers = await self._numbers(since, until)
        if cursor is not None:
            numbers["$lt"] = min(numbers.get("$lt", _HIGHEST), _number(cursor))
        moments = {name: moment for name, moment in (("$gte", since), ("$lt", until)) if moment is not None}
        query |= {"_id": numbers} if numbers else {}
        query |= {"at": moments} if moments else {}
        found = await self._entries.find(query, sort=[("_id", -1)], limit=limit + 1).to_list()
        return found[:limit], str(found[limit - 1]["_id"]) if len(found) > limit else None

    async def _numbers(self, since: datetime | None, until: datetime | None) -> Document:
        """The numbers between which everything of that time lies, so that no more is looked through."""
        numbers: Document = {}
        if since is not None:
            first = await self._entries.find_one({"at": {"$gte": since - SKEW}}, {"_id": 1}, sort=[("at", 1)])
            numbers["$gte"] = first["_id"] if first else _HIGHEST
        if until is not None:
            last = await self._entries.find_one({"at": {"$lt": until + SKEW}}, {"_id": 1}, sort=[("at", -1)])
            numbers["$lt"] = last["_id"] + 1 if last else 0
        return numbers


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 16):
        raise BadRequest("The cursor was not made by this server.")
    return int(cursor)
