"""What is left of what was said in sessions, and of what they came to, when somebody's account is deleted."""

from __future__ import annotations

from typing import Any

import msgspec

from fittracker.coaching.leaving import Leaving
from fittracker.contexts import Contexts
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.coaching.stage import a_session
from tests.moving_clock import MovingClock

WEEK = 7 * 86_400


async def on() -> None:
    """Nothing comes in between."""


async def said(contexts: Contexts, room: str, kind: str) -> list[Any]:
    """The data of the events of a kind that are in the log of a room."""
    found = await contexts.room_log.archive.before(room, kind, None, 100)
    return [msgspec.json.decode(each.record.data) for each in found]


async def test_a_trainer_who_is_gone_leaves_no_words_behind(contexts: Contexts, settle: Settle) -> None:
    """In the session's room nothing at all; with the athlete a number, and that something was said."""
    session = await a_session(contexts, settle)
    (ada,), tina, room = session["athletes"], session["trainer"], f"session:{session['_id']}"
    cues = contexts.lessons.cues
    what: dict[str, Any] = {"kind": "text", "text": "Secret words", "seconds": None}
    await cues.cue(tina, session["_id"], **what, to=None, client_id="1")
    await cues.cue(tina, session["_id"], **what, to=ada, client_id="2")
    told = {"code": "secret", "severity": "info", "text": "Secret words"}
    await cues.feedback(tina, session["_id"], to=ada, **told, client_id="3")
    last = await contexts.chat.send(ada, "Ada", room, "Mine.", client_id="4")
    await contexts.chat.marks.read(ada, room, last.place.seq)
    await Leaving(contexts.database, contexts.room_log).erase(tina, on)
    await contexts.chat.farewell.erase(tina, on)
    database = contexts.database
    assert await database.room_events.count_documents({"room": room}) == 0
    assert await database.chat_marks.count_documents({"room": room}) == 0
    left = [*await said(contexts, f"user:{ada}", "session.cue")]
    left += await said(contexts, f"user:{ada}", "session.feedback")
    assert [(each["by"], each["to"], each["text"]) for each in left] == [("", ada, None), ("", ada, "")]
    assert tina not in str(left)
    assert "ecret" not in str(left)


async def test_what_a_session_came_to_is_told_for_a_week(
    contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """The trainer's device was told of everybody's heart; who is erased later is not in that any more."""
    session = await a_session(contexts, settle, 2)
    rooms = [f"user:{each}" for each in (session["trainer"], *session["athletes"])]
    await contexts.coaching.life.step(session["trainer"], session["_id"], "end")
    await contexts.lessons.results.idle()
    clock.advance(WEEK - 1)
    await contexts.lessons.results.expire()
    assert [len(await said(contexts, room, "session.ended")) for room in rooms] == [1, 1, 1]
    clock.advance(2)
    await contexts.lessons.results.expire()
    assert [await said(contexts, room, "session.ended") for room in rooms] == [[], [], []]
    whole = await contexts.lessons.results.summary(session["trainer"], session["_id"])
    assert len(whole.athletes) == 2
