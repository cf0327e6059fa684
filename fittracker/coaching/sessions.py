"""Coaching sessions: a trainer, the athletes they invited, and which of them came.

Being invited lets an athlete in and shows nothing of them. By entering (joining the room, or opening a stream
for the session) they agree to be seen by everybody in it for as long as it lasts: see
docs/decisions/session-consent.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fittracker.blocks import Blocks
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.coaching.entrance import OPEN_STATES, Entrance
from fittracker.coaching.life import Life
from fittracker.control import Control, MembershipEnded, Message, RoomEnded
from fittracker.errors import Invalid, NotFound
from fittracker.grants import Grants
from fittracker.ids import is_id, new_id
from fittracker.limits import Bucket, Limits
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.paging import Cursor
from fittracker.present import PRESENT
from fittracker.redis import OUTAGES

log = logger(__name__)

MOST_CAPACITY: Final = 1_000
MOST_AN_HOUR: Final = 100
"""New sessions of one trainer: each may invite a thousand people."""
FURTHEST: Final = timedelta(days=366)
LONGEST_S: Final = 6 * 3_600.0
Parted = Callable[[str, str], Awaitable[None]]
Invited = Callable[[Document, Sequence[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of a session."""

    user: str
    name: str
    role: str


class Coaching:
    """The coaching sessions of all trainers."""

    def __init__(
        self,
        database: Database,
        grants: Grants,
        blocks: Blocks,
        control: Control,
        limits: Limits,
        clock: Clock,
        *,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._sessions = database.coaching_sessions
        self._users = database.users
        self._grants = grants
        self._blocks = blocks
        self._control = control
        self._limits = limits
        self._clock = clock
        self.entrance = Entrance(self._sessions)
        self.life = Life(self._sessions, clock, longest_s=longest_s)
        self._parted: list[Parted] = []
        self._invited: list[Invited] = []
        grants.when_ended(self.part)
        blocks.when_added(self._blocked)

    def when_parted(self, listener: Parted) -> None:
        """Call `listener(session, user)` whenever somebody leaves a session, while their sockets are in."""
        self._parted.append(listener)

    def when_invited(self, listener: Invited) -> None:
        """Call `listener(session, users)` with those who were invited."""
        self._invited.append(listener)

    # -- creating and reading ------------------------------------------------------------------------

    async def create(
        self,
        trainer: str,
        *,
        title: str,
        capacity: int,
        athletes: Sequence[str] = (),
        starts_at: datetime | None = None,
    ) -> Document:
        """A new session: live at once, or planned where it starts later.

        Invalid where the athletes are more than the capacity, or one is nobody, not verified, or blocked;
        RateLimited after 100 new ones in an hour.
        """
        invited = list(dict.fromkeys(athletes))
        now = self._clock.utc()
        if not 1 <= capacity <= MOST_CAPACITY:
            raise Invalid(
                "The capacity is not possible.", fields={"capacity": f"must be 1 to {MOST_CAPACITY}"}
            )
        if len(invited) > capacity:
            raise Invalid("There are more athletes than places.", fields={"athletes": "exceed the capacity"})
        if starts_at is not None and not now - timedelta(days=1) <= starts_at <= now + FURTHEST:
            raise Invalid("The start is not possible.", fields={"starts_at": "must lie within a year"})
        if trainer in invited:
            place = f"athletes.{invited.index(trainer)}"
            raise Invalid("Trainers are in their sessions anyway.", fields={place: "is yourself"})
        missing = await self.unknown(trainer, invited)
        if missing:
            raise Invalid(
                "There is somebody among the athletes whom nobody knows.",
                fields={f"athletes.{invited.index(each)}": "is not known" for each in sorted(missing)},
            )
        await self._limits.spend(Bucket("sessions", trainer, MOST_AN_HOUR, 3_600.0))
        made = await self.store(trainer, title, capacity, invited, starts_at)
        await self.tell_invited(made, invited)
        return made

    async def unknown(self, trainer: str, users: Sequence[str]) -> set[str]:
        """Those of these whom the trainer cannot invite: nobody, not verified, disabled, or blocked."""
        known = {"_id": {"$in": list(users)}, **PRESENT}
        there = {each["_id"] async for each in self._users.find(known, {"_id": 1})}
        return set(users) - there | await self._blocks.among(trainer, users)

    async def tell_invited(self, session: Document, users: Sequence[str]) -> None:
        """These were invited to a session."""
        for listener in self._invited:
            await listener(session, users)

    async def store(
        self,
        trainer: str,
        title: str,
        capacity: int,
        athletes: list[str],
        starts_at: datetime | None,
        entered: Sequence[str] = (),
    ) -> Document:
        """Store a session whose athletes are known to exist; `entered`: those who have agreed already."""
        now = self._clock.utc()
        document: Document = {
            "_id": new_id(),
            "trainer": trainer,
            "title": title,
            **self.life.beginning(starts_at),
            "capacity": capacity,
            "athletes": athletes,
            "entered": list(entered),
            "created_at": now,
            "version": 1,
            "schema_version": 1,
        }
        await self._sessions.insert_one(document)
        return document

    async def get(self, user: str, session_id: str) -> Document:
        """A session this person belongs to; NotFound for all others."""
        found = await self._sessions.find_one(self._mine(user, session_id)) if is_id(session_id) else None
        if found is None:
            raise NotFound("There is no such session.")
        return found

    async def page(self, user: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """The sessions this person gives or takes part in, newest first, and the cursor of the next page."""
        query: Document = {"$or": [{"trainer": user}, {"athletes": user}]}
        return await Cursor("created_at").page(self._sessions, query, limit, cursor)

    # -- who belongs ---------------------------------------------------------------------------------

    async def belongs(self, session: str, user: str) -> bool:
        """Whether this person is the trainer or an athlete of a session that is not over."""
        return await self.entrance.belongs(session, user)

    async def leads(self, session: str, user: str) -> bool:
        """Whether this person is, or was, its trainer."""
        led = {"_id": session, "trainer": user}
        return is_id(session) and await self._sessions.find_one(led, {"_id": 1}) is not None

    async def took_part(self, session: str, user: str) -> bool:
        """Whether this person is, or was at its end, the trainer or an athlete of a session."""
        mine = self._mine(user, session)
        return is_id(session) and await self._sessions.find_one(mine, {"_id": 1}) is not None

    async def enter(self, session: str, user: str) -> bool:
        """Go in: from now on everybody in the session may see this athlete. False as for `belongs`."""
        return await self.entrance.enter(session, user)

    async def people(self, session: str) -> list[Person]:
        """The trainer and the athletes, by name."""
        found = await self._sessions.find_one({"_id": session}, {"trainer": 1, "athletes": 1})
        if found is None:
            return []
        ids = [found["trainer"], *found["athletes"]]
        people = self._users.find({"_id": {"$in": ids}}, {"name": 1, "role": 1}, sort=[("name", 1)])
        return [Person(each["_id"], each["name"], each["role"]) async for each in people]

    async def sharing(self, athlete: str, others: Collection[str]) -> set[str]:
        """Those of the others who are in a session that is going on and that the athlete has entered."""
        people = list(others)
        query: Document = {
            "entered": athlete,
            "state": {"$in": ["live", "paused"]},
            "$or": [{"trainer": {"$in": people}}, {"athletes": {"$in": people}}],
        }
        members: Document = {"trainer": 1, "athletes": {"$setIntersection": ["$athletes", people]}}
        found: set[str] = set()
        async for each in self._sessions.find(query, members):
            found |= {each["trainer"], *each["athletes"]}
        return found & set(people)

    async def tied(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those pairs of which the second is met by the first in a session that is not over.

        As in `introduced`: a trainer by whom they invited, whoever has entered by everybody in it.
        """
        people = list({each for pair in pairs for each in pair})
        some = {"$in": people}
        query: Document = {"state": {"$in": OPEN_STATES}, "$or": [{"trainer": some}, {"athletes": some}]}
        members: Document = {
            "trainer": 1,
            "athletes": {"$setIntersection": ["$athletes", people]},
            "entered": {"$setIntersection": [{"$ifNull": ["$entered", []]}, people]},
        }
        found: set[tuple[str, str]] = set()
        async for each in self._sessions.find(query, members):
            seeing, seen = {each["trainer"], *each["athletes"]}, {each["trainer"], *each["entered"]}
            found |= {pair for pair in pairs if pair[0] in seeing and pair[1] in seen}
        return found

    async def introduced(self, viewer: str, users: Collection[str]) -> set[str]:
        """Those of the users whom the viewer meets in a session that is not over.

        As the trainer who invited the viewer, or as an athlete who has entered: being invited shows nothing.
        """
        people = list(users)
        mine: Document = {
            "state": {"$in": OPEN_STATES},
            "$or": [{"trainer": viewer}, {"athletes": viewer}],
        }
        entered = {"$setIntersection": [{"$ifNull": ["$entered", []]}, people]}
        met: set[str] = set()
        async for each in self._sessions.find(mine, {"trainer": 1, "entered": entered}):
            met |= {each["trainer"], *each["entered"]}
        return met & set(people)

    async def _blocked(self, one: str, other: str, _caller: Caller) -> None:
        """Grants between the two are over by now: neither stays in a session of the other's."""
        await self.part(one, other)
        await self.part(other, one)

    async def part(self, athlete: str, trainer: str) -> None:
        """A grant ended or shrank: without a look at heart rate the athlete leaves the trainer's sessions."""
        if await self._grants.allows(trainer, athlete, "heart_rate"):
            return
        query: Document = {"trainer": trainer, "athletes": athlete, "state": {"$in": OPEN_STATES}}
        for each in await self._sessions.find(query, {"_id": 1}).to_list():
            await self._sessions.update_one(
                {"_id": each["_id"]}, {"$pull": {"athletes": athlete, "entered": athlete}}
            )
            await self.tell_parted(each["_id"], athlete)

    async def leave_all(self, athlete: str) -> None:
        """Somebody closes their account: they are in no session any more that is not over."""
        theirs: Document = {"athletes": athlete, "state": {"$in": OPEN_STATES}}
        out = {"$pull": {"athletes": athlete, "entered": athlete}}
        while found := await self._sessions.find_one_and_update(theirs, out):
            await self.tell_parted(found["_id"], athlete)

    async def tell_parted(self, session: str, user: str) -> None:
        """Somebody was taken out of a session: tell those in it, then let their sockets out everywhere."""
        for listener in self._parted:
            await listener(session, user)
        await self._tell(MembershipEnded(f"session:{session}", user))

    async def close_room(self, session: Document) -> None:
        """A session that has ended: let everybody out of its room, everywhere."""
        if session["state"] == "ended":
            people = [session["trainer"], *session["athletes"]]
            await self._tell(RoomEnded(f"session:{session['_id']}", people))

    async def _tell(self, message: Message) -> None:
        try:
            await self._control.tell(message)
        except OUTAGES:
            log.warning("membership_end_not_told", message=type(message).__name__)

    @staticmethod
    def _mine(user: str, session: str) -> Document:
        return {"_id": session, "$or": [{"trainer": user}, {"athletes": user}]}
