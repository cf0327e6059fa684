"""Cues that are sent again after something went wrong, and timers that must not go back in time."""

from __future__ import annotations

from typing import Any

import pytest

from fittracker.coaching.cues import Said
from fittracker.contexts import Contexts
from fittracker.errors import NotFound, Unavailable
from fittracker.mongo import Document
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.coaching.stage import a_session, found
from tests.moving_clock import MovingClock


async def cue(contexts: Contexts, session: Document, kind: Any, client_id: str, **more: Any) -> Said:
    """The trainer says it."""
    wanted: dict[str, Any] = {"text": None, "seconds": None, "to": None, **more}
    cues = contexts.lessons.cues
    return await cues.cue(session["trainer"], session["_id"], kind=kind, client_id=client_id, **wanted)


async def timers(contexts: Contexts, session: Document) -> list[str]:
    """Those that are kept with the session, by the cue that began them."""
    return [each["id"] for each in (await found(contexts, session["_id"]))["timers"]]


async def rows(contexts: Contexts, session: Document) -> list[Document]:
    """What is remembered of what was said."""
    return await contexts.database.session_cues.find({"session": session["_id"]}).to_list()


async def said_in(contexts: Contexts, room: str) -> int:
    """How many cues are in the log of a room."""
    return len(await contexts.room_log.archive.before(room, "session.cue", None, 100))


@pytest.fixture
def mute(contexts: Contexts, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Undone, the log takes events again."""

    async def nothing(*_: object, **__: object) -> None:
        raise Unavailable("The outcome is unknown.")

    monkeypatch.setattr(contexts.room_log, "say", nothing)
    return monkeypatch


async def test_a_cue_whose_outcome_was_unknown_is_said_once_when_it_is_sent_again(
    contexts: Contexts, other: Contexts, clock: MovingClock, settle: Settle, mute: pytest.MonkeyPatch
) -> None:
    """At another worker, with the times of the first attempt, though the session pauses meanwhile."""
    session = await a_session(contexts, settle)
    with pytest.raises(Unavailable):
        await cue(contexts, session, "rest", "1", seconds=600)
    mute.undo()
    assert [each["said"] for each in await rows(contexts, session)] == [False]
    clock.advance(60)
    await contexts.coaching.life.step(session["trainer"], session["_id"], "pause")
    answers = [await cue(other, session, "rest", "1", seconds=600) for _ in range(2)]
    assert answers[0] == answers[1]
    (row,) = await rows(contexts, session)
    assert (row["said"], row["ends_at"]) == (True, answers[0].ends_at)
    assert answers[0].starts_at == pytest.approx(clock.now_ms() - 60_000, abs=5_000)
    assert await said_in(contexts, f"session:{session['_id']}") == 1
    assert await timers(contexts, session) == [answers[0].id]


async def test_what_was_not_said_to_somebody_who_left_is_not_said_any_more(
    contexts: Contexts, settle: Settle, mute: pytest.MonkeyPatch
) -> None:
    """Sent again or not."""
    session = await a_session(contexts, settle)
    (anna,) = session["athletes"]
    with pytest.raises(Unavailable):
        await cue(contexts, session, "praise", "1", to=anna)
    mute.undo()
    await contexts.lessons.places.remove(anna, session["_id"], anna)
    with pytest.raises(NotFound):
        await cue(contexts, session, "praise", "1", to=anna)
    assert await said_in(contexts, f"user:{anna}") == 0


async def test_an_old_cue_that_is_sent_again_moves_no_newer_timer(
    contexts: Contexts, clock: MovingClock, settle: Settle
) -> None:
    """Neither an older timer nor an older stop; and a timer that is over is not kept."""
    session = await a_session(contexts, settle)
    older = await cue(contexts, session, "rest", "older", seconds=600)
    clock.advance(1)
    await cue(contexts, session, "stop", "stop")
    assert await timers(contexts, session) == []
    clock.advance(1)
    newer = await cue(contexts, session, "interval", "newer", seconds=60)
    assert await cue(contexts, session, "rest", "older", seconds=600) == older
    await cue(contexts, session, "stop", "stop")
    assert await timers(contexts, session) == [newer.id]
    clock.advance(61)
    (anna,) = session["athletes"]
    hers = await cue(contexts, session, "rest", "hers", seconds=60, to=anna)
    assert await timers(contexts, session) == [hers.id]


async def test_what_a_cue_says_is_nowhere_but_in_the_sealed_log(contexts: Contexts, settle: Settle) -> None:
    """The row that is counted has no words; a timer's text goes with the timer."""
    session = await a_session(contexts, settle)
    secret = "Mind your left knee"
    await cue(contexts, session, "text", "1", text=secret)
    assert secret not in str(await rows(contexts, session))
    events = await contexts.database.room_events.find({"room": f"session:{session['_id']}"}).to_list()
    assert len(events) == 1
    assert secret not in str(events)


async def test_stop_said_again_and_again_reaches_each_inbox_once_in_ten_seconds(
    contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """One command costs up to a thousand inboxes: not as often as it can be sent. The cue itself is said."""
    session = await a_session(contexts, settle, 2)
    facts = contexts.database.notification_facts

    async def stop(count: int, **more: Any) -> int:
        for number in range(count):
            await cue(contexts, session, "stop", f"{clock.now()} {more} {number}", **more)
        await contexts.background.idle()
        return await facts.count_documents({"user": session["athletes"][0], "event": "session.stop"})

    assert await stop(5) == 1
    assert await said_in(contexts, f"session:{session['_id']}") == 5
    assert await stop(1, to=session["athletes"][0]) == 2
    clock.advance(10)
    assert await stop(2) == 3
