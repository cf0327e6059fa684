"""Progress: an append-only list of what somebody has done, and a total that always equals its sum.

What is reported has a `client_id` and counts once. What a workout is worth is counted again whenever it is
looked at: the difference to what was counted of it is appended, so that an edit, a deletion or a second look
each lead to the right total.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec
from pymongo import ReturnDocument

from fittracker.announcer import Announcer
from fittracker.challenges.board import Board, Standing
from fittracker.challenges.challenges import Challenges
from fittracker.challenges.metrics import MOST_TOTAL, parts_of, score, shown
from fittracker.challenges.ranks import Ranks
from fittracker.clock import Clock
from fittracker.errors import Conflict, Failure, Forbidden, Invalid, NotFound, TooLarge
from fittracker.informing import Informing
from fittracker.mongo import DATABASE_ERRORS, Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.together import Together

log = logger(__name__)

PROGRESSED: Final = "challenge.progress"
LOOKED_BACK: Final = timedelta(minutes=15)
"""Workouts of the last quarter of an hour are looked at once more: their worker may have died."""
GROUP: Final = 500


class Progressed(msgspec.Struct):
    """One's own total in a challenge has changed; said to all devices of that person."""

    challenge: str
    total: float
    goal: float | None
    reached: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Somebody reports so much (thousandths)."""

    client_id: str
    value: int


@dataclass(frozen=True, slots=True)
class Worth:
    """A workout is worth so much (thousandths) now; 0 where it is gone, or does not count any more."""

    workout: str
    value: int


Wish = Report | Worth


class Progress:
    """What everybody has done in all challenges."""

    def __init__(
        self,
        database: Database,
        challenges: Challenges,
        board: Board,
        ranks: Ranks,
        announcer: Announcer,
        informing: Informing,
        clock: Clock,
    ) -> None:
        self._database = database
        self._challenges = database.challenges
        self._members = database.challenge_members
        self._entries = database.challenge_progress
        self._workouts = database.workouts
        self._looking = challenges
        self._board = board
        self._ranks = ranks
        self._announcer = announcer
        self._informing = informing
        self._clock = clock
        self._together: Together[tuple[str, str], Wish, int] = Together(self._carry_out)

    # -- reporting -----------------------------------------------------------------------------------

    async def report(self, user: str, challenge: str, value: float, client_id: str) -> float:
        """Add to one's total in a challenge that counts what is reported; the total after it.

        The same `client_id` again adds nothing. NotFound for a challenge that the user may not look at,
        Invalid for one that counts workouts and for an impossible value, Forbidden for who does not take
        part, Conflict where it does not run.
        """
        parts = parts_of(value)
        found = await self._looking.get(user, challenge)
        if found["metric"] != "custom":
            raise Invalid("This challenge counts workouts.", fields={"challenge": "is not custom"})
        if found["mine"] is None:
            raise Forbidden("You do not take part in this challenge.")
        return shown(await self._together.ask((challenge, user), Report(client_id, parts)))

    # -- counting workouts ---------------------------------------------------------------------------

    async def made(self, workout: Document) -> None:
        """Somebody has a new workout. What cannot be counted now is counted when it is looked back."""
        try:
            await self.count([workout])
        except DATABASE_ERRORS as error:
            log.warning("workout_not_counted", workout=workout["_id"], reason=type(error).__name__)

    async def count(self, workouts: Sequence[Document]) -> None:
        """Count these workouts wherever their people take part; counted before, they change nothing."""
        people = list({each["user"] for each in workouts})
        query = {"user": {"$in": people}, "derived": True, "closed": False, "left_at": None}
        members = await self._members.find(query, {"user": 1, "challenge": 1}).to_list()
        if not members:
            return
        ids = list({each["challenge"] for each in members})
        challenges = {each["_id"]: each async for each in self._challenges.find({"_id": {"$in": ids}})}
        for member in members:
            challenge = challenges.get(member["challenge"])
            if challenge is None:
                continue
            for workout in workouts:
                if workout["user"] == member["user"]:
                    await self._count(challenge, member["user"], workout)

    async def _count(self, challenge: Document, user: str, workout: Document) -> None:
        within = challenge["starts_at"] <= workout["started_at"] < challenge["ends_at"]
        value = score(challenge["metric"], workout) if within else 0
        await self._worth(challenge["_id"], user, Worth(workout["_id"], value))

    async def _worth(self, challenge: str, user: str, worth: Worth) -> None:
        try:
            await self._together.ask((challenge, user), worth)
        except (Conflict, NotFound):
            log.debug("workout_not_counted", challenge=challenge)  # it closed, or they left, at this moment

    async def recount(self, challenge: Document, user: str) -> None:
        """Count all of somebody's workouts in a challenge, and take away what is not there any more."""
        if challenge["metric"] == "custom":
            return
        span = {"$gte": challenge["starts_at"], "$lt": challenge["ends_at"]}
        seen = set()
        async for workout in self._workouts.find({"user": user, "started_at": span}, {"curve": 0}):
            seen.add(workout["_id"])
            await self._count(challenge, user, workout)
        counted = {"challenge": challenge["_id"], "user": user}
        for gone in set(await self._entries.distinct("workout", counted)) - seen - {None}:
            await self._worth(challenge["_id"], user, Worth(gone, 0))

    async def look_back(self) -> int:
        """Count the workouts that were made lately once more; how many were looked at."""
        since = {"created_at": {"$gte": self._clock.utc() - LOOKED_BACK}}
        count, group = 0, []
        async for workout in self._workouts.find(since, {"curve": 0}):
            group.append(workout)
            if len(group) >= GROUP:
                await self.count(group)
                group = []
            count += 1
        if group:
            await self.count(group)
        return count

    # -- writing -------------------------------------------------------------------------------------

    async def _carry_out(self, key: tuple[str, str], wishes: Sequence[Wish]) -> list[int | Failure]:
        """All that somebody does in a challenge at once, in one transaction; their total after it."""
        challenge, user = key

        async def work(session: Session) -> tuple[list[int | Failure], Document | None, Document]:
            found = await self._challenges.find_one({"_id": challenge}, session=session)
            member = await self._members.find_one({"challenge": challenge, "user": user}, session=session)
            if found is None or member is None or member["left_at"] is not None:
                raise NotFound("There is no such challenge.")
            entries, outcomes = await self._entries_of(found, member, wishes, session)
            changed = await self._append(member, entries, session) if entries else None
            total = changed["total"] if changed else member["total"]
            told = None if changed is None else {**changed, "before": member["total"]}
            return [each or total for each in outcomes], told, found

        outcomes, changed, found = await transact(self._database, work)
        if changed is not None:
            await self._tell(found, changed)
        return outcomes

    async def _entries_of(
        self, challenge: Document, member: Document, wishes: Sequence[Wish], session: Session
    ) -> tuple[list[Document], list[Failure | None]]:
        """What has to be appended, and the failures of those wishes that cannot be."""
        name, user = challenge["_id"], member["user"]
        ids = [_name(name, user, each.client_id) for each in wishes if isinstance(each, Report)]
        workouts = [each.workout for each in wishes if isinstance(each, Worth)]
        known = {
            "$or": [{"_id": {"$in": ids}}, {"challenge": name, "user": user, "workout": {"$in": workouts}}]
        }
        there = await self._entries.find(known, session=session).to_list()
        done = {each["_id"] for each in there}
        worth, times = Counter[str](), Counter[str]()
        for each in there:
            if each["workout"] is not None:
                worth[each["workout"]] += each["value"]
                times[each["workout"]] += 1
        entries: list[Document] = []
        outcomes: list[Failure | None] = []
        for wish in wishes:
            entry_id, value, workout = self._entry(name, user, wish, worth, times)
            failure = None
            if value and entry_id not in done:
                failure = self._refusal(challenge, member, wish)
                if failure is None:
                    done.add(entry_id)
                    entries.append(self._document(entry_id, challenge, user, value, workout))
                    if workout is not None:
                        worth[workout] += value
                        times[workout] += 1
            outcomes.append(failure)
        return entries, outcomes

    @staticmethod
    def _entry(
        challenge: str, user: str, wish: Wish, worth: Mapping[str, int], times: Mapping[str, int]
    ) -> tuple[str, int, str | None]:
        """The id that follows from what is wished, by how much the total changes, and for which workout."""
        if isinstance(wish, Report):
            return _name(challenge, user, wish.client_id), wish.value, None
        number = times.get(wish.workout, 0)
        difference = wish.value - worth.get(wish.workout, 0)
        return _name(challenge, user, f"workout {wish.workout} {number}"), difference, wish.workout

    def _refusal(self, challenge: Document, member: Document, wish: Wish) -> Failure | None:
        if member["closed"]:
            return Conflict("This challenge is over.")
        if isinstance(wish, Report):
            if not challenge["starts_at"] <= self._clock.utc() < challenge["ends_at"]:
                return Conflict("This challenge does not run at the moment.")
            if member["total"] + wish.value > MOST_TOTAL:
                return TooLarge("So much cannot be counted.")
        return None

    def _document(
        self, name: str, challenge: Document, user: str, value: int, workout: str | None
    ) -> Document:
        return {
            "_id": name,
            "challenge": challenge["_id"],
            "user": user,
            "value": value,
            "source": "reported" if workout is None else "workout",
            "workout": workout,
            "at": self._clock.utc(),
            "schema_version": 1,
        }

    async def _append(self, member: Document, entries: list[Document], session: Session) -> Document:
        """The total first: two workers who append for the same person meet here, and one begins again."""
        added = sum(each["value"] for each in entries)
        changed = await self._members.find_one_and_update(
            {"_id": member["_id"], "closed": False, "left_at": None},
            {"$inc": {"total": added, "changes": 1}, "$set": {"reached_at": self._clock.utc()}},
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if changed is None:
            raise Conflict("This challenge is over.")
        await self._entries.insert_many(entries, session=session)
        return changed

    # -- telling -------------------------------------------------------------------------------------

    async def _tell(self, challenge: Document, member: Document) -> None:
        await self._board.put(Standing.of(member))
        name, user, goal = challenge["_id"], member["user"], challenge["goal"]
        reached = goal is not None and member["total"] >= goal
        event = Progressed(name, shown(member["total"]), None if goal is None else shown(goal), reached)
        self._announcer.tell(f"user:{user}", PROGRESSED, event)
        self._ranks.telling.note(name)
        if goal is not None and member["before"] < goal <= member["total"]:
            subject = f"challenge:{name}"
            await self._informing.tell(
                user, "challenge", event="challenge.reached", key=f"challenge.reached {name}", subject=subject
            )


def _name(challenge: str, user: str, what: str) -> str:
    return hashlib.sha256(f"{challenge} {user} {what}".encode()).hexdigest()[:24]
