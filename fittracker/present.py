"""Who is there for others: not those who never verified, who are disabled, or who wait for their deletion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fittracker.ids import is_id
from fittracker.mongo import Collection

PRESENT: Final[Mapping[str, Any]] = {"disabled_at": None, "verified_at": {"$ne": None}}
"""The query that everybody meets who is there."""


async def is_present(users: Collection, user: str) -> bool:
    """Whether there is such a person; False for what is no id."""
    return is_id(user) and await users.find_one({"_id": user, **PRESENT}, {"_id": 1}) is not None


async def names(users: Collection, ids: Iterable[str]) -> dict[str, str]:
    """Names by id; who was deleted has none."""
    found = users.find({"_id": {"$in": list(set(ids))}}, {"name": 1})
    return {each["_id"]: each["name"] async for each in found}
