"""Grants: an athlete lets a trainer see chosen kinds of data, perhaps until a date, and takes it back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from pymongo.errors import DuplicateKeyError

from fittracker.audit import Audit
from fittracker.blocks import Blocks
from fittracker.caller import SYSTEM, Caller
from fittracker.clock import Clock, rfc3339
from fittracker.control import Control, GrantEnded
from fittracker.errors import Invalid, NotFound
from fittracker.ids import is_id, new_id
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.redis import OUTAGES

log = logger(__name__)

KINDS: Final = ("heart_rate", "workouts", "nutrition", "measurements")
MOST: Final = 100
Listener = Callable[[str, str], Awaitable[None]]


class Grants:
    """Who may see what of whom. There is at most one grant in force from an athlete to a trainer."""

    def __init__(
        self, database: Database, blocks: Blocks, control: Control, audit: Audit, clock: Clock
    ) -> None:
        self._database = database
        self._blocks = blocks
        self._grants = database.grants
        self._users = database.users
        self._control = control
        self._audit = audit
        self._clock = clock
        self._listeners: list[Listener] = []
        blocks.when_added(self._blocked)

    def when_ended(self, listener: Listener) -> None:
        """Call `listener(athlete, trainer)` whenever a grant ends, before the other workers hear of it."""
        self._listeners.append(listener)

    # -- asking --------------------------------------------------------------------------------------

    async def allows(self, trainer: str, athlete: str, kind: str) -> bool:
        """Whether the trainer may see this kind of the athlete's data now."""
        query = {"athlete": athlete, "trainer": trainer, "data": kind, **self._in_force()}
        return await self._grants.find_one(query, {"_id": 1}) is not None

    async def granting(self, trainer: str, athletes: Sequence[str], kind: str) -> set[str]:
        """Those of the athletes who let this trainer see this kind of data now."""
        query = {"trainer": trainer, "athlete": {"$in": list(athletes)}, "data": kind, **self._in_force()}
        return {each["athlete"] async for each in self._grants.find(query, {"athlete": 1})}

    async def granted(self, athlete: str, trainers: Collection[str], kind: str) -> set[str]:
        """Those of the trainers who may see this kind of the athlete's data now."""
        query = {"athlete": athlete, "trainer": {"$in": list(trainers)}, "data": kind, **self._in_force()}
        return {each["trainer"] async for each in self._grants.find(query, {"trainer": 1})}

    async def tied(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pairs between whom there is a grant, given by either."""
        people = {"$in": list({each for pair in pairs for each in pair})}
        query = {"athlete": people, "trainer": people, **self._in_force()}
        found: set[tuple[str, str]] = set()
        async for each in self._grants.find(query, {"athlete": 1, "trainer": 1}):
            found |= {(each["athlete"], each["trainer"]), (each["trainer"], each["athlete"])}
        return found & set(pairs)

    async def kinds(self, trainer: str, athlete: str) -> frozenset[str]:
        """The kinds of the athlete's data that the trainer may see now."""
        query = {"athlete": athlete, "trainer": trainer, **self._in_force()}
        found = await self._grants.find_one(query, {"data": 1})
        return frozenset(found["data"] if found else ())

    async def of_user(self, user: str) -> list[Document]:
        """The grants in force that a person gave or was given, newest first, each with the other's name."""
        mine = {"$or": [{"athlete": user}, {"trainer": user}], **self._in_force()}
        found = await self._grants.find(mine, sort=[("created_at", -1)], limit=2 * MOST).to_list()
        people = {each[side] for each in found for side in ("athlete", "trainer")}
        names = {
            each["_id"]: each["name"]
            async for each in self._users.find({"_id": {"$in": list(people)}}, {"name": 1})
        }
        for each in found:
            each["athlete_name"] = names.get(each["athlete"], "")
            each["trainer_name"] = names.get(each["trainer"], "")
        return found

    def _in_force(self) -> Document:
        return {"active": True, "until": {"$not": {"$lte": self._clock.utc()}}}

    # -- giving and taking back ----------------------------------------------------------------------

    async def give(
        self,
        athlete: str,
        trainer: str,
        data: Sequence[str],
        until: datetime | None = None,
        *,
        caller: Caller,
    ) -> Document:
        """Let a trainer see these kinds of data; an earlier grant to the same trainer is replaced.

        NotFound where there is no such trainer (one who blocked the athlete, or whom the athlete blocked, is
        none), Invalid for a date in the past or an unknown kind.
        """
        self._check(athlete, trainer, data, until)
        known = {"_id": trainer, "role": "trainer", "disabled_at": None, "verified_at": {"$ne": None}}
        if not is_id(trainer) or await self._users.find_one(known, {"_id": 1}) is None:
            raise NotFound("There is no such trainer.")
        kinds = [kind for kind in KINDS if kind in data]
        try:
            before = await self._replace(athlete, trainer, kinds, until, caller)
        except DuplicateKeyError:  # two at once: the other one made it, this one changes it
            before = await self._replace(athlete, trainer, kinds, until, caller)
        if before is not None and not set(kinds).issuperset(before["data"]):
            await self._tell_ended(athlete, trainer)
        given = await self._grants.find_one({"athlete": athlete, "trainer": trainer, "active": True})
        if given is None:
            raise NotFound("The grant was ended meanwhile.")
        return given

    async def _replace(
        self, athlete: str, trainer: str, kinds: list[str], until: datetime | None, caller: Caller
    ) -> Document | None:
        """Make or change the grant in force; the one before, None where there was none."""

        async def work(session: Session) -> Document | None:
            # In here, because a block at this very moment must find the grant, or the grant find the block.
            if await self._blocks.between(athlete, trainer, session):
                raise NotFound("There is no such trainer.")
            before = await self._grants.find_one_and_update(
                {"athlete": athlete, "trainer": trainer, "active": True},
                {
                    "$set": {"data": kinds, "until": until},
                    "$setOnInsert": {"_id": new_id(), "created_at": self._clock.utc(), "schema_version": 1},
                },
                upsert=True,
                session=session,
            )
            end = None if until is None else rfc3339(until)
            detail = {"trainer": trainer, "data": kinds, "until": end}
            await self._audit.record("grant.given", caller, target=athlete, session=session, **detail)
            return before

        return await transact(self._database, work)

    def _check(self, athlete: str, trainer: str, data: Sequence[str], until: datetime | None) -> None:
        if athlete == trainer:
            raise Invalid("Nobody needs a grant to see their own data.", fields={"trainer": "is yourself"})
        if not data or not set(KINDS).issuperset(data):
            raise Invalid("There is no such kind of data.", fields={"data": "must be of " + ", ".join(KINDS)})
        if until is not None and until <= self._clock.utc():
            raise Invalid("A grant cannot end before it begins.", fields={"until": "lies in the past"})

    async def end(self, user: str, grant_id: str, *, caller: Caller) -> None:
        """End a grant, by the athlete who gave it or the trainer who has it; NotFound for everybody else."""
        found = None
        if is_id(grant_id):
            found = await self._close(
                {"_id": grant_id, "$or": [{"athlete": user}, {"trainer": user}], "active": True}, caller
            )
        if found is None:
            raise NotFound("There is no such grant.")
        await self._tell_ended(found["athlete"], found["trainer"])

    async def end_expired(self) -> int:
        """End the grants whose date has come, and tell everybody; how many there were."""
        return await self._close_all({"until": {"$lte": self._clock.utc()}}, SYSTEM)

    async def end_between(self, one: str, other: str, *, caller: Caller) -> int:
        """End what there is between two people, in either direction; how many there were."""
        pairs = [{"athlete": one, "trainer": other}, {"athlete": other, "trainer": one}]
        return await self._close_all({"$or": pairs}, caller)

    async def end_all(self, user: str, *, given: bool = True, had: bool = True, caller: Caller) -> int:
        """End those a person has `given` as an athlete, and those they `had` as a trainer; how many."""
        sides = [{side: user} for side, wanted in (("athlete", given), ("trainer", had)) if wanted]
        return await self._close_all({"$or": sides}, caller) if sides else 0

    async def _blocked(self, one: str, other: str, caller: Caller) -> None:
        await self.end_between(one, other, caller=caller)

    async def _close_all(self, query: Document, caller: Caller) -> int:
        ended = 0
        while found := await self._close({**query, "active": True}, caller):
            await self._tell_ended(found["athlete"], found["trainer"])
            ended += 1
        return ended

    async def _close(self, query: Document, caller: Caller) -> Document | None:
        """End one, if there is one."""

        async def work(session: Session) -> Document | None:
            found = await self._grants.find_one_and_update(
                query,
                {"$set": {"ended_at": self._clock.utc()}, "$unset": {"active": ""}},
                session=session,
            )
            if found is not None:
                target, detail = found["athlete"], {"trainer": found["trainer"]}
                await self._audit.record("grant.ended", caller, target=target, session=session, **detail)
            return found

        return await transact(self._database, work)

    async def _tell_ended(self, athlete: str, trainer: str) -> None:
        for listener in self._listeners:
            await listener(athlete, trainer)
        try:
            await self._control.tell(GrantEnded(athlete, trainer))
        except OUTAGES:
            log.warning("grant_end_not_told", athlete=athlete, trainer=trainer)
