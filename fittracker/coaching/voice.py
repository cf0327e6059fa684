"""What is told in the room of a session of how it goes on: its state, who came for the first time, who left.

None of it has to last: it is in the session's document, and `session.roster` shows it to whoever comes later.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from fittracker.announcer import Announcer
from fittracker.clock import Clock
from fittracker.coaching.timers import Timer, concerning, running
from fittracker.mongo import Database, Document
from fittracker.present import names

State = Literal["planned", "live", "paused", "ended"]


class SessionState(msgspec.Struct):
    """The session has begun, pauses, goes on or has ended: `state`, and since when (unix ms).

    `at` is the server's time. `paused_ms` is how long it was paused so far, `reason` why it ended (trainer,
    forgotten, account), `timer` the rest or interval for everybody that runs.
    """

    session: str
    state: State
    at: int
    starts_at: int
    started_at: int | None
    paused_at: int | None
    paused_ms: int
    ended_at: int | None
    reason: str | None
    timer: Timer | None


class SessionJoined(msgspec.Struct):
    """An athlete has entered the session for the first time: everybody in it may see them from now on."""

    session: str
    user: str
    name: str


class SessionLeft(msgspec.Struct):
    """An athlete belongs to the session no more: they left, or were taken out of it."""

    session: str
    user: str


def room_of(session: str) -> str:
    """The room in which everybody is who takes part."""
    return f"session:{session}"


def state_of(session: Document, now_ms: int) -> SessionState:
    """How a session stands, as everybody in it may know."""
    timers = concerning(running(session, now_ms), None)
    return SessionState(
        session=session["_id"],
        state=session["state"],
        at=now_ms,
        starts_at=int(session["starts_at"].timestamp() * 1000),
        started_at=ms(session.get("started_at")),
        paused_at=ms(session.get("paused_at")),
        paused_ms=int(session.get("paused_ms", 0)),
        ended_at=ms(session.get("ended_at")),
        reason=session.get("reason"),
        timer=timers[0] if timers else None,
    )


def ms(moment: datetime | None) -> int | None:
    """A moment as unix ms."""
    return None if moment is None else round(moment.timestamp() * 1000)


class Voice:
    """Tells everybody in a session, on every worker."""

    def __init__(self, database: Database, announcer: Announcer, clock: Clock) -> None:
        self._users = database.users
        self._announcer = announcer
        self._clock = clock

    async def changed(self, session: Document) -> None:
        """A session is in another state; told before anybody is let out of its room."""
        state = state_of(session, self._clock.now_ms())
        self._announcer.tell(room_of(session["_id"]), "session.state", state)
        if session["state"] == "ended":
            await self._announcer.flush()

    async def entered(self, session: str, users: set[str]) -> None:
        """These have entered for the first time."""
        known = await names(self._users, users)
        for user in sorted(users):
            joined = SessionJoined(session, user, known.get(user, ""))
            self._announcer.tell(room_of(session), "session.joined", joined)

    async def left(self, session: str, user: str) -> None:
        """This one is out; told while they may still hear it."""
        self._announcer.tell(room_of(session), "session.left", SessionLeft(session, user))
        await self._announcer.flush()
