"""Who may know whether somebody is online: decided here for the command, the events and the lists of rooms.

Whom one may not know of is offline, the same as nobody. By default that is known to those with whom one
shares something: a grant, a coaching session, a conversation. Where people meet in a room they see each
other, unless one of them blocked the other; who wants to be seen online by nobody (`private`) is shown in
coaching sessions alone, for going in there is agreeing to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from fittracker.blocks import Blocks
from fittracker.herd import Herd
from fittracker.ids import is_id
from fittracker.mongo import Database
from fittracker.preferences import visibility
from fittracker.present import PRESENT

AGREED: Final = "session"
"""The kind of rooms in which everybody who is there has agreed to be seen."""

Pair = tuple[str, str]
"""Who looks, and at whom."""
Tie = Callable[[Collection[Pair]], Awaitable[set[Pair]]]
"""Those of the pairs who share something, each asked about in one query for all."""
Question = tuple[str, frozenset[str], bool]
"""Who looks, at whom, and whether in a room where everybody has agreed to be seen."""


class Discretion:
    """What people may know of each other's being there. Many who ask at once are answered together."""

    def __init__(
        self, database: Database, blocks: Blocks, *, contacts: Collection[Tie], followers: Collection[Tie]
    ) -> None:
        """What makes two people close enough; for who shows it to followers, `followers` besides."""
        self._users = database.users
        self._blocks = blocks
        self._ties = {"contacts": tuple(contacts), "followers": (*contacts, *followers)}
        self._asking: Herd[Question, set[str]] = Herd(self._answer)

    # -- online at all -------------------------------------------------------------------------------

    async def visible(self, viewer: str, users: Collection[str]) -> set[str]:
        """Those of the people of whom the viewer may know whether they are online."""
        pairs = [(viewer, user) for user in users]
        return {user for _, user in await self.knowing(pairs)}

    async def knowing(self, pairs: Collection[Pair]) -> set[Pair]:
        """Those pairs of which the first may know whether the second is online."""
        asked = {pair for pair in pairs if is_id(pair[1])}
        if not asked:
            return set()
        people = await self._chosen({user for _, user in asked})
        blocked = await self._blocks.pairs({one for one, _ in asked}, people)
        known: set[Pair] = set()
        open_: dict[str, set[Pair]] = {}
        for viewer, user in asked:
            if user not in people or (viewer, user) in blocked:
                continue
            if viewer == user or people[user] == "public":
                known.add((viewer, user))
            else:
                open_.setdefault(people[user], set()).add((viewer, user))
        for word, some in open_.items():
            for tie in self._ties.get(word, ()):
                known |= await tie(some - known)
        return known

    async def _chosen(self, users: Collection[str]) -> dict[str, str]:
        """What those of the people who are there have chosen."""
        found = self._users.find(
            {"_id": {"$in": list(users)}, **PRESENT}, {"preferences.privacy.presence": 1}
        )
        return {each["_id"]: visibility({"preferences": {}, **each}, "presence") async for each in found}

    # -- in a room -----------------------------------------------------------------------------------

    async def hidden(self, viewer: str, users: Collection[str], kind: str) -> set[str]:
        """Those of the people in a room of this kind whom the viewer does not see there."""
        others = frozenset(users) - {viewer}
        return await self._asking.ask((viewer, others, kind == AGREED)) if others else set()

    async def hidden_pairs(
        self, viewers: Collection[str], users: Collection[str], *, agreed: bool
    ) -> set[Pair]:
        """The same for many: pairs of a viewer and somebody whom they do not see."""
        found = await self._blocks.pairs(viewers, users)
        if not agreed:
            private = await self._private(users)
            found |= {(viewer, user) for viewer in viewers for user in private if viewer != user}
        return found

    async def _private(self, users: Collection[str]) -> set[str]:
        query = {"_id": {"$in": list(users)}, "preferences.privacy.presence": "private"}
        return {each["_id"] async for each in self._users.find(query, {"_id": 1})}

    async def _answer(self, questions: list[Question]) -> Mapping[Question, set[str]]:
        viewers = {viewer for viewer, _, _ in questions}
        users = frozenset().union(*(some for _, some, _ in questions))
        blocked = await self._blocks.pairs(viewers, users)
        unagreed = frozenset().union(*(some for _, some, agreed in questions if not agreed))
        private = await self._private(unagreed) if unagreed else set()
        return {
            (viewer, some, agreed): {user for user in some if (viewer, user) in blocked}
            | (set() if agreed else some & private)
            for viewer, some, agreed in questions
        }
