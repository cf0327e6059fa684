"""The life of a session: planned, live, paused, live again, ended. Each step happens once, whoever asks.

A step is one update of the session's document that demands the state it starts from: two who start at once
cannot both have started it. Asking for a state that the session is in already is no error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from pymongo import ReturnDocument

from fittracker.clock import Clock
from fittracker.coaching.entrance import OPEN_STATES
from fittracker.coaching.timers import moved
from fittracker.errors import Conflict, Forbidden, NotFound
from fittracker.ids import is_id
from fittracker.mongo import Collection, Document

Step = Literal["start", "pause", "resume", "end"]
Reason = Literal["trainer", "forgotten", "account"]
"""Why it ended: the trainer said so, nobody did for long enough, or the trainer is none any more."""
Listener = Callable[[Document], Awaitable[None]]

LEASE: Final = timedelta(seconds=60)
"""So long whoever ended a session has for summing it up, before another worker does."""


@dataclass(frozen=True, slots=True)
class _Move:
    before: tuple[str, ...]
    after: str


MOVES: Final[dict[Step, _Move]] = {
    "start": _Move(("planned",), "live"),
    "pause": _Move(("live",), "paused"),
    "resume": _Move(("paused",), "live"),
    "end": _Move(OPEN_STATES, "ended"),
}


class Life:
    """Moves the sessions of all trainers from state to state."""

    def __init__(self, sessions: Collection, clock: Clock, *, longest_s: float) -> None:
        """`longest_s`: so long after its start a session ends by itself."""
        self._sessions = sessions
        self._clock = clock
        self._longest = timedelta(seconds=longest_s)
        self._listeners: list[Listener] = []

    def when_changed(self, listener: Listener) -> None:
        """Call `listener(session)` after each step, with the session as it is then."""
        self._listeners.append(listener)

    def beginning(self, starts_at: datetime | None) -> Document:
        """The fields of a new session: live at once, or planned where it starts later."""
        now = self._clock.utc()
        planned = starts_at is not None and starts_at > now
        return {
            "state": "planned" if planned else "live",
            "starts_at": starts_at or now,
            "started_at": None if planned else now,
            "ends_by": max(starts_at or now, now) + self._longest,
            "paused_at": None,
            "paused_ms": 0,
            "ended_at": None,
            "reason": None,
            "timers": [],
        }

    async def step(self, trainer: str, session: str, step: Step) -> Document:
        """The session after this step of its trainer's, or as it is where it was there already.

        NotFound for who does not belong to it, Forbidden for its athletes, Conflict where no such step leads
        on from its state.
        """
        move = MOVES[step]
        query: Document = {"_id": session, "trainer": trainer, "state": {"$in": list(move.before)}}
        found = await self._move(query, step, "trainer") if is_id(session) else None
        return found or await self._already(trainer, session, move)

    async def _already(self, user: str, session: str, move: _Move) -> Document:
        mine = {"_id": session, "$or": [{"trainer": user}, {"athletes": user}]}
        found = await self._sessions.find_one(mine) if is_id(session) else None
        if found is None:
            raise NotFound("There is no such session.")
        if found["trainer"] != user:
            raise Forbidden("Only its trainer may do that.")
        if found["state"] != move.after:
            raise Conflict(f"The session is {found['state']}.", fields={"session": f"is {found['state']}"})
        return found

    async def end_led_by(self, trainer: str) -> int:
        """Somebody is no trainer any more: what they lead is over; how many sessions."""
        return await self._end_all({"trainer": trainer, "state": {"$in": OPEN_STATES}}, "account")

    async def end_forgotten(self) -> int:
        """End what nobody ended in time; how many sessions. Several workers may do this at once."""
        now = self._clock.utc()
        overdue: Document = {
            "state": {"$in": OPEN_STATES},
            # Sessions that were made before there was such a date have none.
            "$or": [
                {"ends_by": {"$lte": now}},
                {"ends_by": None, "starts_at": {"$lte": now - self._longest}},
            ],
        }
        return await self._end_all(overdue, "forgotten")

    async def _end_all(self, query: Document, reason: Reason) -> int:
        ended = 0
        while await self._move(query, "end", reason):
            ended += 1
        return ended

    async def _move(self, query: Document, step: Step, reason: Reason) -> Document | None:
        found = await self._sessions.find_one_and_update(
            query, self._update(step, reason), return_document=ReturnDocument.AFTER
        )
        if found is not None:
            for listener in self._listeners:
                await listener(found)
        return found

    def _update(self, step: Step, reason: Reason) -> list[Document]:
        now = self._clock.utc()
        fields: Document = {"state": MOVES[step].after, "version": {"$add": ["$version", 1]}}
        if step == "start":
            fields |= {"started_at": now, "ends_by": now + self._longest}
        elif step == "pause":
            fields["paused_at"] = now
        else:
            # Workers' clocks differ a little: no pause is shorter than nothing.
            pause: Document = {"$max": [0, {"$subtract": [now, {"$ifNull": ["$paused_at", now]}]}]}
            fields["paused_ms"] = {"$add": [{"$ifNull": ["$paused_ms", 0]}, pause]}
            fields["timers"] = moved({"$toLong": "$paused_at"}, pause) if step == "resume" else []
            fields["paused_at"] = None
        if step == "end":
            fields |= {"ended_at": now, "reason": reason, "concluded": False, "conclude_at": now + LEASE}
        return [{"$set": fields}]


def lasted_s(session: Document) -> float:
    """How long an ended session was live, pauses left out; 0 where it never began."""
    started, ended = session.get("started_at"), session.get("ended_at")
    if started is None or ended is None:
        return 0.0
    return max(float((ended - started).total_seconds()) - float(session.get("paused_ms", 0)) / 1000, 0.0)
