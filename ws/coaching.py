"""Coaching sessions on the socket: how they go on, what the trainer says, and who does what at the moment."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fittracker.coaching.cues import CueKind, Said, SessionCue, SessionFeedback, Severity
from fittracker.coaching.life import Step
from fittracker.coaching.results import SessionEnded
from fittracker.coaching.roster import SessionRoster
from fittracker.coaching.voice import SessionJoined, SessionLeft, SessionState, state_of
from fittracker.policy import SIGNED_IN
from ws.commands import command
from ws.connection import Connection
from ws.events import EventType
from ws.fields import Id
from ws.realtime import Realtime
from ws.sender import user_of

ClientId = Annotated[str, Meta(min_length=1, max_length=64)]
Words = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]
Code = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$")]
Seconds = Annotated[int, Meta(ge=1, le=7_200)]

EVENTS: Final = (
    EventType("session.state", SessionState, ("session",)),
    EventType("session.joined", SessionJoined, ("session",)),
    EventType("session.left", SessionLeft, ("session",)),
    EventType("session.cue", SessionCue, ("session", "user"), durable=True),
    EventType("session.feedback", SessionFeedback, ("user",), durable=True),
    EventType("session.ended", SessionEnded, ("user",), durable=True),
)


class OfSession(msgspec.Struct, forbid_unknown_fields=True):
    """Which session."""

    session: Id


class NewCue(msgspec.Struct, forbid_unknown_fields=True):
    """`seconds` with rest and interval alone; `to` one athlete, without it everybody in the session."""

    session: Id
    kind: CueKind
    client_id: ClientId
    text: Words | None = None
    seconds: Seconds | None = None
    to: Id | None = None


class NewFeedback(msgspec.Struct, forbid_unknown_fields=True):
    """To one athlete of the session; `code` is a short word such as `knee_over_toe`."""

    session: Id
    to: Id
    code: Code
    severity: Severity
    text: Words
    client_id: ClientId


@command("session.start", OfSession, SessionState, policy=SIGNED_IN)
async def start(realtime: Realtime, connection: Connection, data: OfSession) -> SessionState:
    """Begin a planned session, by its trainer; one that is live already goes on."""
    return await _step(realtime, connection, data, "start")


@command("session.pause", OfSession, SessionState, policy=SIGNED_IN)
async def pause(realtime: Realtime, connection: Connection, data: OfSession) -> SessionState:
    """Let a live session pause, and its timers stand still."""
    return await _step(realtime, connection, data, "pause")


@command("session.resume", OfSession, SessionState, policy=SIGNED_IN)
async def resume(realtime: Realtime, connection: Connection, data: OfSession) -> SessionState:
    """Go on with a session that pauses."""
    return await _step(realtime, connection, data, "resume")


@command("session.end", OfSession, SessionState, policy=SIGNED_IN)
async def end(realtime: Realtime, connection: Connection, data: OfSession) -> SessionState:
    """End a session, or call a planned one off; `session.ended` with its summary follows."""
    return await _step(realtime, connection, data, "end")


async def _step(realtime: Realtime, connection: Connection, data: OfSession, step: Step) -> SessionState:
    contexts = realtime.contexts
    session = await contexts.coaching.life.step(user_of(connection), data.session, step)
    return state_of(session, contexts.clock.now_ms())


@command("session.cue", NewCue, Said, policy=SIGNED_IN)
async def cue(realtime: Realtime, connection: Connection, data: NewCue) -> Said:
    """Say something to everybody in a session or to one athlete, by its trainer; for good."""
    return await realtime.contexts.lessons.cues.cue(
        user_of(connection),
        data.session,
        kind=data.kind,
        text=data.text,
        seconds=data.seconds,
        to=data.to,
        client_id=data.client_id,
    )


@command("session.feedback", NewFeedback, Said, policy=SIGNED_IN)
async def feedback(realtime: Realtime, connection: Connection, data: NewFeedback) -> Said:
    """Tell one athlete of a session how they do it; for good, and for nobody else to read."""
    return await realtime.contexts.lessons.cues.feedback(
        user_of(connection),
        data.session,
        to=data.to,
        code=data.code,
        severity=data.severity,
        text=data.text,
        client_id=data.client_id,
    )


@command("session.roster", OfSession, SessionRoster, policy=SIGNED_IN)
async def roster(realtime: Realtime, connection: Connection, data: OfSession) -> SessionRoster:
    """How a session stands: its state, the timers that run, its athletes with heart rate and repetitions."""

    async def present() -> set[str]:
        return {each.user for each in await realtime.presence.members(f"session:{data.session}")}

    return await realtime.contexts.lessons.roster.of(user_of(connection), data.session, present)
