"""Who is heard by whom under a post: everybody who is there and has no block with the one who reads."""

from __future__ import annotations

from collections.abc import Sequence

from fittracker.blocks import Blocks
from fittracker.mongo import Database, Document
from fittracker.present import PRESENT


class Voices:
    """Those who like and comment, with the eyes of one."""

    def __init__(self, database: Database, blocks: Blocks) -> None:
        self._users = database.users
        self._blocks = blocks

    async def heard(self, viewer: str, rows: Sequence[Document]) -> list[Document]:
        """Those of the rows (with `user`) that the viewer is shown, each with `name`."""
        users = list({each["user"] for each in rows})
        blocked = await self._blocks.among(viewer, users)
        people = self._users.find({"_id": {"$in": users}, **PRESENT}, {"name": 1})
        known = {each["_id"]: each["name"] async for each in people if each["_id"] not in blocked}
        return [{**each, "name": known[each["user"]]} for each in rows if each["user"] in known]
