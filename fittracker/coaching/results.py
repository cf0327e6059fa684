"""What a session came to: summed up once it has ended, told to its people, and kept.

Whoever ends a session sums it up a moment later, when the last samples and repetitions of all workers are
stored. If that worker dies, another one does it: the session says that it has yet to be done. What still ran
at the end, or came later from a device that had kept it, is added when the stream has become a workout.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
from pymongo import ReturnDocument

from fittracker.background import Background
from fittracker.clock import Clock
from fittracker.coaching.life import LEASE, lasted_s
from fittracker.coaching.sessions import Coaching
from fittracker.coaching.showing import AthleteSummary, Showing
from fittracker.coaching.tally import FLUSH_S, Tally
from fittracker.coaching.voice import ms
from fittracker.errors import Conflict, Failure
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.present import names
from fittracker.roomlog.log import RoomLog

log = logger(__name__)

ENDED: Final = "session.ended"
MOST_TOLD: Final = 100
"""So many athletes the trainer is told of at the end; all are in `GET /sessions/{id}/summary`."""
TOGETHER: Final = 100
"""So many are told at once: what is said together is stored together."""
LOOK_AGAIN: Final = timedelta(minutes=1)
GIVE_UP: Final = timedelta(days=7)
"""A device may bring what it kept until so long after the end."""
SWEEP: Final = 100
KEPT: Final = timedelta(days=7)
"""So long what devices were told is in the logs of their rooms."""


class SessionSummary(msgspec.Struct):
    """What a session came to. The trainer sees all athletes, an athlete only themselves; `count` is all.

    `duration_s` leaves pauses out. `complete` is false while something of it may still come. Times unix ms.
    """

    session: str
    title: str
    trainer: str
    started_at: int | None
    ended_at: int | None
    duration_s: float
    reason: str | None
    count: int
    complete: bool
    athletes: list[AthleteSummary]


class SessionEnded(msgspec.Struct):
    """The session is over; what it came to, for the trainer of all athletes, for an athlete their own."""

    session: str
    summary: SessionSummary


class Results:
    """Makes, tells, keeps and shows the summaries of all sessions."""

    def __init__(
        self,
        database: Database,
        coaching: Coaching,
        tally: Tally,
        room_log: RoomLog,
        clock: Clock,
        *,
        hr_flush_s: float,
    ) -> None:
        self._sessions = database.coaching_sessions
        self._results = database.session_results
        self._workouts = database.workouts
        self._users = database.users
        self._coaching = coaching
        self._tally = tally
        self._room_log = room_log
        self._concluding = Background()
        self._closing = asyncio.Event()
        self._clock = clock
        self._showing = Showing(database)
        self._settle_s = hr_flush_s + FLUSH_S + 0.1

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sum up what ends; at the end of the block at once, for then all that this worker has is stored."""
        async with self._concluding:
            try:
                yield
            finally:
                self._closing.set()

    async def idle(self) -> None:
        """Wait until all that ended here so far is summed up."""
        await self._concluding.idle()

    # -- at the end ----------------------------------------------------------------------------------

    async def changed(self, session: Document) -> None:
        """A session is in another state: once it has ended, it is summed up, and nobody waits for that."""
        if session["state"] == "ended":
            self._concluding.spawn(self._soon(session), f"sum-up-{session['_id']}")

    async def _soon(self, session: Document) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), self._settle_s)
        await self.conclude(session)

    async def conclude(self, session: Document) -> None:
        """Sum up an ended session, tell its people, and note that it is done. Again is the same."""
        done = await self._tally.done(session["_id"])
        users = list(session.get("entered", ()))
        known = await names(self._users, users)
        made = []
        for user in users:
            if user in known:
                made.append(await self._make(session, user, known[user], done.get(user, {})))
                await self._hold(session)
        for start in range(0, len(made), TOGETHER):
            some = made[start : start + TOGETHER]
            await asyncio.gather(*(self._tell(session, each.user, [each]) for each in some))
            await self._hold(session)
        made.sort(key=lambda each: (each.name, each.user))
        await self._tell(session, session["trainer"], made)
        await self._sessions.update_one({"_id": session["_id"]}, {"$set": {"concluded": True}})

    async def _make(self, session: Document, user: str, name: str, done: Mapping[str, Any]) -> AthleteSummary:
        found = await self._showing.of(session, user, name, done)
        kept = {each: value for each, value in msgspec.to_builtins(found).items() if each not in _ASIDE}
        now = self._clock.utc()
        old = now - session["ended_at"] > GIVE_UP
        result: Document = {
            "session": session["_id"],
            "user": user,
            "ended_at": session["ended_at"],
            **kept,
            "complete": found.complete or old,
            # For what a device brings later, it is looked at once more when everything has become workouts.
            "look_at": None if found.complete or old else now + LOOK_AGAIN,
            "at": now,
            "schema_version": 1,
        }
        await self._results.update_one({"_id": _id(session["_id"], user)}, {"$set": result}, upsert=True)
        shown = {"session": session["_id"], **{each: kept[each] for each in _WITH_WORKOUT}}
        await self._workouts.update_many(
            {"_id": {"$in": found.workouts}, "user": user}, {"$set": {"coaching": shown}}
        )
        return found

    async def _hold(self, session: Document) -> None:
        """It takes long where there are many: nobody else has to begin meanwhile."""
        later = self._clock.utc() + LEASE
        await self._sessions.update_one({"_id": session["_id"]}, {"$set": {"conclude_at": later}})

    async def _tell(self, session: Document, user: str, athletes: list[AthleteSummary]) -> None:
        summary = _summary({**session, "concluded": True}, athletes[:MOST_TOLD])
        await self._room_log.say(
            f"user:{user}",
            ENDED,
            SessionEnded(session["_id"], summary),
            by=session["trainer"],
            client_id=f"session.ended {session['_id']}",
        )

    # -- while nobody asks ---------------------------------------------------------------------------

    async def look_after(self) -> None:
        """Do what a worker that died has left, then add what came after the end. Any worker may."""
        for _ in range(SWEEP):
            now = self._clock.utc()
            overdue = {"concluded": False, "conclude_at": {"$lte": now}}
            lease = {"$set": {"conclude_at": now + LEASE}}
            session = await self._sessions.find_one_and_update(
                overdue, lease, return_document=ReturnDocument.AFTER
            )
            if session is None:
                break
            await self._try(session)
        for _ in range(SWEEP):
            if not await self._complete_one():
                break

    async def _try(self, session: Document) -> None:
        try:
            await self._coaching.close_room(session)
            await self.conclude(session)
        except Failure as failure:
            # One that cannot be summed up now must not keep the others waiting; its lease ends.
            log.warning("session_not_summed_up", session=session["_id"], reason=failure.detail)

    async def _complete_one(self) -> bool:
        """Look again at one result that something was missing of; False where there is none."""
        now = self._clock.utc()
        found = await self._results.find_one_and_update(
            {"look_at": {"$lte": now, "$type": "date"}}, {"$set": {"look_at": now + LOOK_AGAIN}}
        )
        if found is None:
            return False
        session = await self._sessions.find_one({"_id": found["session"]})
        known = await names(self._users, [found["user"]])
        if session is None or found["user"] not in known:
            await self._results.update_one({"_id": found["_id"]}, {"$set": {"look_at": None}})
            return True
        done = (await self._tally.done(session["_id"])).get(found["user"], {})
        await self._make(session, found["user"], known[found["user"]], done)
        return True

    async def expire(self) -> int:
        """Forget what devices were told a week ago; how many events. Who comes later asks for the summary.

        The trainer's names its athletes and how their hearts beat: it must not outlive their accounts.
        """
        nothing = SessionSummary("", "", "", None, None, 0.0, None, 0, True, [])
        before = self._clock.utc() - KEPT
        leaving = ENDED, SessionEnded("", nothing)
        return await self._room_log.amendments.expire(ENDED, before, leaving=leaving)

    # -- reading -------------------------------------------------------------------------------------

    async def summary(self, viewer: str, session_id: str) -> SessionSummary:
        """What a session came to, for its trainer or one of its athletes.

        NotFound for everybody else, Conflict before its end.
        """
        session = await self._coaching.get(viewer, session_id)
        if session["state"] != "ended":
            raise Conflict("The session has not ended.", fields={"session": f"is {session['state']}"})
        query: Document = {"session": session_id}
        if viewer != session["trainer"]:
            query["user"] = viewer
        rows = await self._results.find(query).to_list()
        known = await names(self._users, (each["user"] for each in rows))
        athletes = [_shown(each, known[each["user"]]) for each in rows if each["user"] in known]
        athletes.sort(key=lambda each: (each.name, each.user))
        return _summary(session, athletes)


_ASIDE: Final = frozenset({"user", "name", "complete"})
_WITH_WORKOUT: Final = ("heart", "reps", "faults", "exercises", "cues", "feedback")


def _id(session: str, user: str) -> str:
    return f"{session}:{user}"


def _shown(row: Document, name: str) -> AthleteSummary:
    return msgspec.convert({**row, "name": name}, AthleteSummary)


def _summary(session: Document, athletes: list[AthleteSummary]) -> SessionSummary:
    return SessionSummary(
        session=session["_id"],
        title=session["title"],
        trainer=session["trainer"],
        started_at=ms(session.get("started_at")),
        ended_at=ms(session.get("ended_at")),
        duration_s=lasted_s(session),
        reason=session.get("reason"),
        count=len(session.get("entered", ())),
        complete=bool(session.get("concluded")) and all(each.complete for each in athletes),
        athletes=athletes,
    )
