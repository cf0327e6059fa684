"""Who belongs to a conversation, and may speak there now. Many who ask together are answered by one look.

Nothing is remembered: whoever was removed, or blocked, a moment ago is refused by the next command.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fittracker.errors import Forbidden
from fittracker.herd import Herd
from fittracker.ids import is_id
from fittracker.mongo import Database, Document
from fittracker.present import PRESENT

Visit = tuple[str, str]
"""A conversation and a person."""
_ALONE: Final = "Nobody can be written to here any more."


@dataclass(frozen=True, slots=True)
class Seat:
    """A member's place. `heard`: somebody is there who wants to hear them."""

    heard: bool


class Seats:
    """Asks MongoDB each time."""

    def __init__(self, database: Database) -> None:
        self._conversations = database.conversations
        self._users = database.users
        self._blocks = database.blocks
        self._belonging: Herd[Visit, bool] = Herd(self._belong)
        self._seating: Herd[Visit, Seat | None] = Herd(self._seat)

    async def belongs(self, conversation: str, user: str) -> bool:
        """Whether this person is a member."""
        return is_id(conversation) and await self._belonging.ask((conversation, user))

    async def speaks(self, conversation: str, user: str) -> bool:
        """Whether this person is a member and may speak; False for who is none.

        Forbidden in a conversation of two where one has blocked the other or the other one is gone: which
        of these it is, nobody is told.
        """
        seat = await self._seating.ask((conversation, user)) if is_id(conversation) else None
        if seat is not None and not seat.heard:
            raise Forbidden(_ALONE)
        return seat is not None

    async def tied(self, pairs: Collection[Visit]) -> set[Visit]:
        """Those pairs of people who are in a conversation together."""
        viewers, users = {one for one, _ in pairs}, {other for _, other in pairs}
        both = [{"members": {"$in": list(viewers)}}, {"members": {"$in": list(users)}}]
        members: Document = {"members": {"$setIntersection": ["$members", list(viewers | users)]}}
        found: set[Visit] = set()
        async for each in self._conversations.find({"$and": both}, members):
            here = set(each["members"])
            found |= {pair for pair in pairs if here.issuperset(pair)}
        return found

    async def _belong(self, visits: list[Visit]) -> Mapping[Visit, bool]:
        found = await self._find(visits)
        return {(place, user): place in found and user in found[place]["members"] for place, user in visits}

    async def _seat(self, visits: list[Visit]) -> Mapping[Visit, Seat | None]:
        found = await self._find(visits)
        pairs = {
            (user, _other(found[place], user))
            for place, user in visits
            if place in found and found[place]["kind"] == "direct"
        }
        unheard = await self._unheard(pairs) if pairs else set()

        def seat(place: str, user: str) -> Seat | None:
            document = found.get(place)
            if document is None or user not in document["members"]:
                return None
            direct = document["kind"] == "direct"
            return Seat(heard=not direct or (user, _other(document, user)) not in unheard)

        return {(place, user): seat(place, user) for place, user in visits}

    async def _find(self, visits: list[Visit]) -> dict[str, Document]:
        """The conversations; of the members only those who are asked about, of up to a thousand."""
        users = list({user for _, user in visits})
        asked = {"$setIntersection": ["$members", users]}
        fields: Document = {"kind": 1, "pair": 1, "members": asked}
        query = {"_id": {"$in": list({place for place, _ in visits})}}
        return {each["_id"]: each async for each in self._conversations.find(query, fields)}

    async def _unheard(self, pairs: set[Visit]) -> set[Visit]:
        """The pairs of which one has blocked the other, or of which the second is not there."""
        either: list[dict[str, Any]] = []
        for one, other in pairs:
            either += [{"user": one, "other": other}, {"user": other, "other": one}]
        query = {"$or": either}
        blocks = {
            (each["user"], each["other"]) async for each in self._blocks.find(query, {"user": 1, "other": 1})
        }
        others = {"_id": {"$in": list({other for _, other in pairs})}, **PRESENT}
        there = {each["_id"] async for each in self._users.find(others, {"_id": 1})}
        return {
            (one, other)
            for one, other in pairs
            if (one, other) in blocks or (other, one) in blocks or other not in there
        }


def _other(conversation: Document, user: str) -> str:
    """The other one of two; they are named in `pair` for as long as the conversation lives."""
    one, _, other = str(conversation["pair"]).partition(" ")
    return other if user == one else one
