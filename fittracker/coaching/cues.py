"""Cues and feedback: what a trainer says in a session, to everybody or to one athlete, for good.

What is for everybody is said in the session's room. What is for one athlete is said in that athlete's own
room and in the trainer's, where no other athlete reads it. A row beside it remembers what the summary counts,
and makes sending twice harmless: its first version is what counts, times included.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import Any, Final, Literal

import msgspec
from pymongo import ReturnDocument

from fittracker.clock import Clock
from fittracker.coaching.invitations import Invitations
from fittracker.coaching.timers import TIMED, Timer, setting, stopping
from fittracker.coaching.voice import room_of
from fittracker.errors import Conflict, Forbidden, Invalid, NotFound
from fittracker.ids import is_id
from fittracker.mongo import Database, Document
from fittracker.roomlog.log import Confirmed, RoomLog

CueKind = Literal["text", "rest", "interval", "praise", "stop"]
Severity = Literal["info", "warn", "stop"]
CUE: Final = "session.cue"
FEEDBACK: Final = "session.feedback"
KEPT: Final = timedelta(days=30)
"""By then it has become part of the summary of its session."""


class SessionCue(msgspec.Struct):
    """The trainer says something: to everybody in the session, or to the one athlete `to`.

    A rest or an interval runs from `starts_at` to `ends_at`, unix ms of the server's clock. `stop` means at
    once. `id` is the same in every room in which the cue is said.
    """

    id: str
    session: str
    by: str
    kind: CueKind
    text: str | None
    to: str | None
    starts_at: int | None
    ends_at: int | None


class SessionFeedback(msgspec.Struct):
    """The trainer tells one athlete how they do it: `code` is a short word for it; `stop` means at once."""

    id: str
    session: str
    by: str
    to: str
    code: str
    severity: Severity
    text: str


class Said(msgspec.Struct):
    """Where it is said: the room that the trainer reads it in, and its place there; `at` in unix ms."""

    id: str
    room: str
    seq: int
    epoch: str
    at: int
    starts_at: int | None = None
    ends_at: int | None = None


class Cues:
    """Says them, and remembers that they were said."""

    def __init__(self, database: Database, room_log: RoomLog, invitations: Invitations, clock: Clock) -> None:
        self._sessions = database.coaching_sessions
        self._cues = database.session_cues
        self._room_log = room_log
        self._invitations = invitations
        self._clock = clock

    async def cue(
        self,
        trainer: str,
        session: str,
        *,
        kind: CueKind,
        text: str | None,
        seconds: int | None,
        to: str | None,
        client_id: str,
    ) -> Said:
        """Say a cue; the same `client_id` is the same cue, whatever it says.

        NotFound for who has no such session and for `to` somebody who is not in it, Forbidden for its
        athletes, Conflict where the session is not going on, or pauses and a timer cannot run.
        """
        _check(kind, text, seconds)
        now = self._clock.now_ms()
        row = {
            "event": CUE,
            "kind": kind,
            "code": None,
            "to": to,
            "starts_at": None if seconds is None else now,
            "ends_at": None if seconds is None else now + seconds * 1000,
        }
        going_on = await self._session(trainer, session, to)
        first = await self._remember(going_on, client_id, row, timed=seconds is not None)
        said = SessionCue(
            first["_id"], session, trainer, kind, text, to, first["starts_at"], first["ends_at"]
        )
        return await self._say(going_on, first, said, client_id)

    async def feedback(
        self, trainer: str, session: str, *, to: str, code: str, severity: Severity, text: str, client_id: str
    ) -> Said:
        """Tell one athlete; failures and `client_id` as with `cue`."""
        row = {
            "event": FEEDBACK,
            "kind": severity,
            "code": code,
            "to": to,
            "starts_at": None,
            "ends_at": None,
        }
        going_on = await self._session(trainer, session, to)
        first = await self._remember(going_on, client_id, row, timed=False)
        said = SessionFeedback(first["_id"], session, trainer, to, code, severity, text)
        return await self._say(going_on, first, said, client_id)

    # -- checking ------------------------------------------------------------------------------------

    async def _session(self, trainer: str, session: str, to: str | None) -> Document:
        """The trainer's session; of those who have entered it only `to`."""
        mine = {"_id": session, "$or": [{"trainer": trainer}, {"athletes": trainer}]}
        fields = {"trainer": 1, "state": 1, "title": 1, "starts_at": 1}
        only: Document = {"$setIntersection": [{"$ifNull": ["$entered", []]}, [to]]}
        found = await self._sessions.find_one(mine, {**fields, "entered": only}) if is_id(session) else None
        if found is None:
            raise NotFound("There is no such session.")
        if found["trainer"] != trainer:
            raise Forbidden("Only its trainer may do that.")
        return found

    async def _remember(self, session: Document, client_id: str, row: Document, *, timed: bool) -> Document:
        """The row as it was first written; what was said may be said again, whatever happened since."""
        text = f"{session['_id']} {session['trainer']} {client_id}"
        number = hashlib.sha256(text.encode()).hexdigest()[:24]
        before = await self._cues.find_one({"_id": number})
        if before is None or not before["said"]:
            _check_addressed(session, row["to"])
        if before is None:
            _check_going_on(session, timed=timed)
            now = self._clock.utc()
            whole = {
                **row,
                "session": session["_id"],
                "by": session["trainer"],
                "said": False,
                "at": now,
                "expires_at": now + KEPT,
                "schema_version": 1,
            }
            before = await self._write_first(number, whole)
        if any(before[each] != row[each] for each in ("event", "kind", "code", "to")):
            raise Conflict("This client_id was something else.", fields={"client_id": "was used before"})
        return {**before, **{name: _plain(before[name]) for name in ("starts_at", "ends_at")}}

    async def _write_first(self, number: str, row: Document) -> Document:
        """The row that is there now: this one, or that of another worker that was quicker."""
        found: Document | None = await self._cues.find_one_and_update(
            {"_id": number}, {"$setOnInsert": row}, upsert=True, return_document=ReturnDocument.AFTER
        )
        return {"_id": number, **row} if found is None else found

    # -- saying --------------------------------------------------------------------------------------

    async def _say(self, session: Document, row: Document, said: Any, client_id: str) -> Said:
        to = row["to"]
        # The last one is where the trainer reads it.
        rooms = [room_of(session["_id"])] if to is None else [f"user:{to}", f"user:{session['trainer']}"]
        confirmed = (
            await asyncio.gather(*(self._in(each, session, row, said, client_id) for each in rooms))
        )[-1]
        await self._keep_time(session["_id"], row, getattr(said, "text", None))
        if not row["said"]:
            await self._cues.update_one({"_id": row["_id"]}, {"$set": {"said": True}})
            if row["kind"] == "stop" and self._invitations.stops(session["_id"], row["to"]):
                self._invitations.stop(session, row["_id"], await self._addressed(session["_id"], row["to"]))
        place = confirmed.place
        return Said(
            row["_id"], rooms[-1], place.seq, place.epoch, confirmed.at_ms, row["starts_at"], row["ends_at"]
        )

    async def _in(self, room: str, session: Document, row: Document, said: Any, client_id: str) -> Confirmed:
        # Among what else the trainer says in that room, a cue has a name of its own.
        number = f"{row['event']} {session['_id']} {client_id}"
        return await self._room_log.say(room, row["event"], said, by=session["trainer"], client_id=number)

    async def _keep_time(self, session: str, row: Document, text: str | None) -> None:
        """Let a timer run from now on, or end those that run."""
        if row["kind"] in TIMED:
            timer = Timer(row["_id"], row["kind"], text, row["to"], row["starts_at"], row["ends_at"])
            stage = setting(timer)
        elif row["kind"] == "stop":
            stage = stopping(row["to"], int(row["at"].timestamp() * 1000))
        else:
            return
        await self._sessions.update_one({"_id": session, "state": {"$in": ["live", "paused"]}}, [stage])

    async def _addressed(self, session: str, to: str | None) -> list[str]:
        if to is not None:
            return [to]
        found = await self._sessions.find_one({"_id": session}, {"entered": 1})
        return [] if found is None else list(found["entered"])


def _plain(ms: int | None) -> int | None:
    """The driver's Int64 is an int to all but the JSON encoder."""
    return None if ms is None else int(ms)


def _check(kind: CueKind, text: str | None, seconds: int | None) -> None:
    if kind == "text" and text is None:
        raise Invalid("There is nothing to say.", fields={"text": "is missing"})
    if (kind in TIMED) != (seconds is not None):
        why = "is missing" if kind in TIMED else f"has no meaning with {kind}"
        raise Invalid("The length of a rest or an interval is in seconds.", fields={"seconds": why})


def _check_going_on(session: Document, *, timed: bool) -> None:
    state = session["state"]
    if state not in ("live", "paused") or (timed and state == "paused"):
        raise Conflict(f"The session is {state}.", fields={"session": f"is {state}"})


def _check_addressed(session: Document, to: str | None) -> None:
    """Being invited opens no way to somebody, and having left closes it again."""
    if to is not None and to not in session["entered"]:
        raise NotFound("There is no such athlete in this session.")
