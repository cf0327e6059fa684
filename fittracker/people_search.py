"""Finding people by name, and by nothing else: only those who show their profile to everybody."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import msgspec

from fittracker.blocks import Blocks
from fittracker.errors import BadRequest
from fittracker.ids import is_id
from fittracker.mongo import Database, Document
from fittracker.paging import LARGEST
from fittracker.present import PRESENT
from fittracker.search_words import beginning_with, search_field

LONGEST_QUERY: Final = 80
LONGEST_CURSOR: Final = 1_000
PATIENCE_MS: Final = 2_000
"""A search that takes longer is given up: Unavailable."""
_SHOWN: Final = {"name": 1, "role": 1, "created_at": 1, "search.name": 1}


class PeopleSearch:
    """Searches all people with the eyes of one."""

    def __init__(self, database: Database, blocks: Blocks) -> None:
        self._users = database.users
        self._blocks = blocks

    async def find(
        self, viewer: str, query: str, limit: int, cursor: str | None
    ) -> tuple[list[Document], str | None]:
        """Those whose names have words beginning as the words of the query, by name; and the next cursor.

        Not the viewer, and nobody who is private, blocked in either direction, or not there. BadRequest for a
        cursor that we did not make.
        """
        words = beginning_with(query)
        if not words:
            return [], None
        public = {"_id": {"$ne": viewer}, **PRESENT, "preferences.privacy.profile": {"$in": [None, "public"]}}
        limit = max(1, min(limit, LARGEST))
        found: list[Document] = []
        after = None if cursor is None else _after(cursor)
        while len(found) <= limit:
            conditions = [public, *words, *([after] if after else [])]
            some = await self._some({"$and": conditions}, limit + 1)
            blocked = await self._blocks.among(viewer, [each["_id"] for each in some])
            found += [each for each in some if each["_id"] not in blocked]
            if len(some) <= limit:
                break
            after = _behind(some[-1]["search"]["name"], some[-1]["_id"])
        following = _cursor(found[limit - 1]) if len(found) > limit else None
        return found[:limit], following

    async def _some(self, query: Document, limit: int) -> list[Document]:
        by_name = [("search.name", 1), ("_id", 1)]
        search = self._users.find(query, _SHOWN, sort=by_name, limit=limit, max_time_ms=PATIENCE_MS)
        return await search.to_list()

    async def index_names(self) -> int:
        """Give those who were stored before there was a search what they are found by; how many.

        Again is harmless, also by several workers at once: a name that changes meanwhile is not touched.
        """
        count = 0
        async for each in self._users.find({"search.name": None}, {"name": 1}):
            unfound = {"_id": each["_id"], "name": each["name"], "search.name": None}
            changed = await self._users.update_one(unfound, {"$set": {"search": search_field(each["name"])}})
            count += changed.modified_count
        return count


def _behind(name: str, user: str) -> Document:
    return {"$or": [{"search.name": {"$gt": name}}, {"search.name": name, "_id": {"$gt": user}}]}


def _cursor(last: Document) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([last["search"]["name"], last["_id"]])).decode()


def _after(cursor: str) -> Document:
    try:
        place: Any = msgspec.json.decode(base64.urlsafe_b64decode(cursor.encode()), type=tuple[str, str])
    except (binascii.Error, msgspec.DecodeError, UnicodeEncodeError, ValueError) as error:
        raise BadRequest("The cursor was not made by this server.") from error
    name, user = place
    if not is_id(user):
        raise BadRequest("The cursor was not made by this server.")
    return _behind(name, user)
