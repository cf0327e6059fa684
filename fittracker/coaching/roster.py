"""Who does what in a session at this moment, whichever workers its athletes are on.

The worker that an athlete streams to writes their heart rate into a hash of the session in Redis, once a
second at most. Each entry carries the time it was written, so those of a worker that died go stale by
themselves. Repetitions are read where all workers count them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from fittracker.clock import Clock
from fittracker.coaching.tally import Done, Tally
from fittracker.coaching.timers import Timer, concerning, running
from fittracker.coaching.voice import SessionState, state_of
from fittracker.errors import NotFound
from fittracker.ids import is_id
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.redis import OUTAGES, pulses_key

log = logger(__name__)

MOST_SHOWN: Final = 100
"""So many athletes an athlete is shown; the trainer sees all of them."""


class Beat(msgspec.Struct, array_like=True):
    """An athlete's heart as it is kept in Redis: `t` as the device says, `at` as the server does, unix ms."""

    t: int
    bpm: int
    zone: int
    at: int


class RosterEntry(msgspec.Struct):
    """An athlete. Heart rate only of those who have entered a session that is live or pauses.

    `online`: in the room or streaming. `stale`: the last heart rate is some seconds old. `reps` by exercise.
    """

    user: str
    name: str
    online: bool
    entered: bool
    bpm: int | None = None
    zone: int | None = None
    t: int | None = None
    stale: bool = False
    reps: int = 0
    exercises: dict[str, int] = {}


class SessionRoster(msgspec.Struct):
    """How the session stands, the timers that concern who asks, and its athletes by name.

    `count` is how many there are; `known` is false while nobody can say who is online and how hearts beat.
    """

    session: str
    title: str
    trainer: str
    capacity: int
    state: SessionState
    timers: list[Timer]
    athletes: list[RosterEntry]
    count: int
    known: bool


Present = Callable[[], Awaitable[set[str]]]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Beat).decode


def beat(t: int, bpm: int, zone: int, at: int) -> bytes:
    """An athlete's heart, as it is kept in Redis."""
    return _encode(Beat(t, bpm, zone, at))


class Roster:
    """Puts together what is known of the athletes of a session."""

    def __init__(
        self, database: Database, redis: Redis, tally: Tally, clock: Clock, *, stale_s: float
    ) -> None:
        self._sessions = database.coaching_sessions
        self._users = database.users
        self._redis = redis
        self._tally = tally
        self._clock = clock
        self._stale_ms = int(stale_s * 1000)

    async def of(self, user: str, session: str, present: Present) -> SessionRoster:
        """A session this person belongs to; `present` tells who is in its room. NotFound for all others."""
        mine = {"_id": session, "$or": [{"trainer": user}, {"athletes": user}]}
        found = await self._sessions.find_one(mine) if is_id(session) else None
        if found is None:
            raise NotFound("There is no such session.")
        shown = await self._shown(found, user)
        now = self._clock.now_ms()
        beats, online, known = await self._live(found, list(shown), present)
        done = await self._tally.done(session, list(shown))
        entered = set(found.get("entered", ()))
        athletes = [
            self._entry(who, name, who in entered, beats.get(who), who in online, done.get(who, {}), now)
            for who, name in shown.items()
        ]
        timers = running(found, now)
        return SessionRoster(
            session=session,
            title=found["title"],
            trainer=found["trainer"],
            capacity=found["capacity"],
            state=state_of(found, now),
            timers=timers if user == found["trainer"] else concerning(timers, user),
            athletes=athletes,
            count=len(found["athletes"]),
            known=known,
        )

    async def _shown(self, session: Document, user: str) -> dict[str, str]:
        """The athletes to tell of with their names, in the order of these.

        Where a thousand come at once, what each is told must not cost a thousand times a thousand.
        """
        found = self._users.find(
            {"_id": {"$in": session["athletes"]}},
            {"name": 1},
            sort=[("name", 1), ("_id", 1)],
            limit=0 if user == session["trainer"] else MOST_SHOWN,
        )
        return {each["_id"]: each["name"] async for each in found}

    async def _live(
        self, session: Document, users: list[str], present: Present
    ) -> tuple[dict[str, Beat], set[str], bool]:
        """Hearts of these, who is in the room, and whether that could be found out."""
        try:
            online = await present()
            asked: Any = self._redis.hmget(pulses_key(session["_id"]), users) if users else None
            kept = [] if asked is None else await asked
            beats = {user: _decode(value) for user, value in zip(users, kept, strict=False) if value}
        except OUTAGES as error:
            log.warning("roster_incomplete", session=session["_id"], reason=type(error).__name__)
            return {}, set(), False
        going_on = session["state"] in ("live", "paused")
        return (beats if going_on else {}), online, True

    def _entry(
        self,
        user: str,
        name: str,
        entered: bool,
        heart: Beat | None,
        online: bool,
        done: dict[str, Done],
        now: int,
    ) -> RosterEntry:
        exercises = {exercise: each.reps for exercise, each in done.items() if each.reps}
        entry = RosterEntry(user, name, online, entered, reps=sum(exercises.values()), exercises=exercises)
        if heart is not None and entered:
            entry.stale = now - heart.at > self._stale_ms
            entry.bpm, entry.zone, entry.t = heart.bpm, heart.zone, heart.t
            entry.online = online or not entry.stale
        return entry
