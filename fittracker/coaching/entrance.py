"""The door of coaching sessions: who may go in. When a room fills, many are looked up together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Collection as Some
from typing import Final

from fittracker.herd import Herd
from fittracker.ids import is_id
from fittracker.mongo import Collection, Document

OPEN_STATES: Final = ("planned", "live", "paused")

Visit = tuple[str, str]
"""A session and a person."""
Listener = Callable[[str, set[str]], Awaitable[None]]


class Entrance:
    """Asks MongoDB each time: whoever was taken out of a session a moment ago stays out."""

    def __init__(self, sessions: Collection) -> None:
        self._sessions = sessions
        self._looking: Herd[Visit, bool] = Herd(self._look)
        self._entering: Herd[Visit, bool] = Herd(self._enter)
        self._listeners: list[Listener] = []

    def when_entered(self, listener: Listener) -> None:
        """Call `listener(session, users)` with those who have entered for the first time."""
        self._listeners.append(listener)

    async def belongs(self, session: str, user: str) -> bool:
        """Whether this person is the trainer or an athlete of a session that is not over."""
        return is_id(session) and await self._looking.ask((session, user))

    async def enter(self, session: str, user: str) -> bool:
        """Go in: from now on everybody in the session may see this athlete. False as for `belongs`."""
        return is_id(session) and await self._entering.ask((session, user))

    async def _look(self, visits: list[Visit]) -> Mapping[Visit, bool]:
        found = await self._find(visits)
        return {visit: _member(found, *visit) for visit in visits}

    async def _enter(self, visits: list[Visit]) -> Mapping[Visit, bool]:
        found = await self._find(visits)
        for session, document in found.items():
            new = {user for place, user in visits if place == session and user in document["athletes"]}
            new -= set(document["entered"])
            if new and (first := await self._note(session, new)):
                for listener in self._listeners:
                    await listener(session, first)
        return {visit: _member(found, *visit) for visit in visits}

    async def _find(self, visits: list[Visit]) -> dict[str, Document]:
        """The sessions; of their athletes only those who are asked about, of up to a thousand."""
        users = [user for _, user in visits]
        found = self._sessions.find(
            {"_id": {"$in": list({session for session, _ in visits})}, "state": {"$in": OPEN_STATES}},
            {
                "trainer": 1,
                "athletes": {"$setIntersection": ["$athletes", users]},
                "entered": {"$setIntersection": [{"$ifNull": ["$entered", []]}, users]},
            },
        )
        return {each["_id"]: each for each in await found.to_list()}

    async def _note(self, session: str, users: Some[str]) -> set[str]:
        """They have entered; only those who are athletes of the session at this moment.

        Those who had not before: of several workers that note the same person, one is told so.
        """
        athletes: Document = {"$setIntersection": ["$athletes", list(users)]}
        before: Document = {"$ifNull": ["$entered", []]}
        found = await self._sessions.find_one_and_update(
            {"_id": session, "state": {"$in": OPEN_STATES}},
            [{"$set": {"entered": {"$setUnion": [before, athletes]}}}],
            {"athletes": {"$setIntersection": ["$athletes", list(users)]}, "entered": before},
        )
        return set() if found is None else set(found["athletes"]) - set(found["entered"])


def _member(found: dict[str, Document], session: str, user: str) -> bool:
    document = found.get(session)
    return document is not None and (document["trainer"] == user or user in document["athletes"])
