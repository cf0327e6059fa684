"""Conversations: of two people, of whom there is one for each two, and of groups that somebody owns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from pymongo.errors import DuplicateKeyError

from fittracker.clock import Clock
from fittracker.errors import Invalid, NotFound
from fittracker.ids import is_id, new_id
from fittracker.limits import Bucket, Limits
from fittracker.mongo import Database, Document
from fittracker.paging import Cursor
from fittracker.people import People

Kind = Literal["direct", "group"]
MOST_MEMBERS: Final = 1_000
MOST_AN_HOUR: Final = 100
"""New conversations of one person."""


class Conversations:
    """All conversations. The order of `members` is that in which they came."""

    def __init__(self, database: Database, people: People, limits: Limits, clock: Clock) -> None:
        self._conversations = database.conversations
        self._people = people
        self._limits = limits
        self._clock = clock

    # -- making --------------------------------------------------------------------------------------

    async def begin(self, user: str, kind: Kind, others: Sequence[str], title: str | None) -> Document:
        """A conversation with others: with one the one that there is, or a new one; a new group with many.

        Invalid where the others are too few or too many, where a group has no title or two people have one;
        NotFound where one of them is nobody, has a block with this person, or is not to be found; RateLimited
        after 100 new ones in an hour.
        """
        wanted = [each for each in dict.fromkeys(others) if each != user]
        if kind == "direct":
            return await self._direct(user, wanted, title)
        if title is None:
            raise Invalid("A group has a title.", fields={"title": "is required"})
        if len(wanted) >= MOST_MEMBERS:
            raise Invalid("Too many for a group.", fields={"members": f"must be below {MOST_MEMBERS:,}"})
        await self.check_reachable(user, wanted)
        await self._limits.spend(Bucket("conversations", user, MOST_AN_HOUR, 3_600.0))
        group = self._new("group", [user, *wanted]) | {"title": title, "owner": user}
        await self._conversations.insert_one(group)
        return group

    async def _direct(self, user: str, wanted: list[str], title: str | None) -> Document:
        if len(wanted) != 1:
            raise Invalid("It takes one other person.", fields={"members": "must be one other person"})
        if title is not None:
            raise Invalid("Two people need no title.", fields={"title": "is for groups"})
        await self.check_reachable(user, wanted)
        pair = " ".join(sorted((user, wanted[0])))
        found = await self._conversations.find_one({"pair": pair})
        if found is not None:
            return found
        await self._limits.spend(Bucket("conversations", user, MOST_AN_HOUR, 3_600.0))
        made = self._new("direct", [user, *wanted]) | {"pair": pair}
        try:
            await self._conversations.insert_one(made)
        except DuplicateKeyError:  # the other one began it at this very moment
            return await self._found({"pair": pair})
        return made

    async def check_reachable(self, user: str, others: Sequence[str]) -> None:
        """NotFound unless this person may write to all of these."""
        if set(others) - await self._people.reachable(user, others):
            raise NotFound("There is no such person.")

    def _new(self, kind: Kind, members: list[str]) -> Document:
        now = self._clock.utc()
        return {
            "_id": new_id(),
            "kind": kind,
            "title": None,
            "owner": None,
            "members": members,
            "created_at": now,
            "last_at": now,
            "schema_version": 1,
        }

    # -- reading -------------------------------------------------------------------------------------

    async def get(self, user: str, conversation: str) -> Document:
        """One that this person belongs to; NotFound for all others."""
        if not is_id(conversation):
            raise NotFound("There is no such conversation.")
        return await self._found({"_id": conversation, "members": user})

    async def owns(self, conversation: str, user: str) -> bool:
        """Whether this group is this person's."""
        mine = {"_id": conversation, "owner": user}
        return is_id(conversation) and await self._conversations.find_one(mine, {"_id": 1}) is not None

    async def page(self, user: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """Those that this person belongs to, the last used first, and the cursor of the next page."""
        return await Cursor("last_at").page(self._conversations, {"members": user}, limit, cursor)

    async def _found(self, query: Document) -> Document:
        found = await self._conversations.find_one(query)
        if found is None:
            raise NotFound("There is no such conversation.")
        return found
