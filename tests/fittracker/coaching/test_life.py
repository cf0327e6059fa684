"""The life of a session, asked for by many at once, and its end when nobody asks for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from fittracker.coaching.life import lasted_s
from fittracker.contexts import Contexts
from fittracker.errors import Conflict, Failure
from fittracker.mongo import Document
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.coaching.stage import a_session, found
from tests.moving_clock import MovingClock


@pytest.fixture
async def changes(contexts: Contexts, other: Contexts) -> list[Document]:
    """The changes of state that both workers have told, from here on."""
    told: list[Document] = []

    async def listen(session: Document) -> None:
        told.append(session)

    for each in (contexts, other):
        each.coaching.life.when_changed(listen)
    return told


async def test_of_twenty_who_start_at_once_one_did(
    contexts: Contexts, other: Contexts, settle: Settle, changes: list[Document]
) -> None:
    """On two workers; all of them are told that it is live, since the same moment."""
    session = await a_session(contexts, settle, starts_at=contexts.clock.utc() + timedelta(hours=1))
    trainer, number = session["trainer"], session["_id"]
    both = [contexts.coaching.life, other.coaching.life]
    answers = await asyncio.gather(*(both[turn % 2].step(trainer, number, "start") for turn in range(20)))
    assert len({each["started_at"] for each in answers}) == 1
    assert [each["state"] for each in changes] == ["live"]
    assert (await found(contexts, number))["version"] == session["version"] + 1


async def test_pause_and_end_at_once_leave_it_ended(
    contexts: Contexts, other: Contexts, settle: Settle, changes: list[Document]
) -> None:
    """Whoever comes second finds it ended; nothing begins again."""
    session = await a_session(contexts, settle)
    trainer, number = session["trainer"], session["_id"]

    async def pause_and_go_on() -> None:
        while True:
            await other.coaching.life.step(trainer, number, "pause")
            await other.coaching.life.step(trainer, number, "resume")

    pausing = asyncio.create_task(pause_and_go_on())
    await asyncio.sleep(0.02)
    assert (await contexts.coaching.life.step(trainer, number, "end"))["state"] == "ended"
    with pytest.raises(Conflict):
        await pausing
    assert [each["state"] for each in changes].count("ended") == 1
    assert changes[-1]["state"] == "ended"


async def test_how_long_it_lasted_leaves_pauses_out(
    contexts: Contexts, clock: MovingClock, settle: Settle
) -> None:
    """Also one that had not ended when the session did."""
    session = await a_session(contexts, settle)
    trainer, number, life = session["trainer"], session["_id"], contexts.coaching.life
    clock.advance(600)
    await life.step(trainer, number, "pause")
    clock.advance(60)
    await life.step(trainer, number, "resume")
    clock.advance(300)
    await life.step(trainer, number, "pause")
    clock.advance(1_000)
    ended = await life.step(trainer, number, "end")
    assert lasted_s(ended) == pytest.approx(900, abs=2)
    assert ended["paused_ms"] == pytest.approx(1_060_000, abs=2_000)


async def test_a_planned_session_can_be_called_off(contexts: Contexts, settle: Settle) -> None:
    """It never lasted."""
    session = await a_session(contexts, settle, starts_at=contexts.clock.utc() + timedelta(hours=1))
    ended = await contexts.coaching.life.step(session["trainer"], session["_id"], "end")
    assert (ended["state"], ended["started_at"], lasted_s(ended)) == ("ended", None, 0.0)


async def test_a_session_whose_start_has_passed_is_live(contexts: Contexts, settle: Settle) -> None:
    """From now on, not from then: an hour late is an hour of session more, not less."""
    now = contexts.clock.utc()
    session = await a_session(contexts, settle, starts_at=now - timedelta(hours=1))
    assert (session["state"], session["starts_at"]) == ("live", now - timedelta(hours=1))
    assert session["started_at"] >= now
    assert session["ends_by"] - session["started_at"] == timedelta(
        seconds=contexts.settings.session_longest_s
    )


async def test_a_session_that_was_forgotten_ends_once(
    contexts: Contexts, other: Contexts, clock: MovingClock, settle: Settle, changes: list[Document]
) -> None:
    """So long after its start, whether it was live, paused, planned or older than such dates; not before."""
    longest = contexts.settings.session_longest_s
    sessions = contexts.database.coaching_sessions
    await sessions.delete_many({})
    planned = await a_session(contexts, settle, starts_at=clock.utc() + timedelta(seconds=longest))
    live, paused, old, later = [await a_session(contexts, settle) for _ in range(4)]
    await contexts.coaching.life.step(paused["trainer"], paused["_id"], "pause")
    await sessions.update_one({"_id": old["_id"]}, {"$unset": {"ends_by": "", "timers": "", "paused_ms": ""}})
    changes.clear()
    clock.advance(longest - 60)
    assert await contexts.coaching.life.end_forgotten() == 0
    await sessions.update_one({"_id": later["_id"]}, {"$set": {"ends_by": clock.utc() + timedelta(days=1)}})
    clock.advance(120)
    ended = await asyncio.gather(
        *(each.coaching.life.end_forgotten() for each in (contexts, other, contexts, other))
    )
    assert sum(ended) == 3
    assert sorted(each["_id"] for each in changes) == sorted(each["_id"] for each in (live, paused, old))
    assert {each["reason"] for each in changes} == {"forgotten"}
    states = {each["_id"]: (await found(contexts, each["_id"]))["state"] for each in (planned, later)}
    assert set(states.values()) == {"planned", "live"}
    clock.advance(longest)
    await contexts.coaching.life.end_forgotten()
    assert (await found(contexts, planned["_id"]))["state"] == "ended"


async def test_what_a_trainer_leads_ends_with_their_role(contexts: Contexts, settle: Settle) -> None:
    """And says so."""
    session = await a_session(contexts, settle)
    assert await contexts.coaching.life.end_led_by(session["trainer"]) == 1
    ended = await found(contexts, session["_id"])
    assert (ended["state"], ended["reason"]) == ("ended", "account")
    assert await contexts.coaching.life.end_led_by(session["trainer"]) == 0


@pytest.mark.parametrize("session", ["x", "f" * 24, ""])
async def test_what_is_no_session_has_no_steps(contexts: Contexts, session: str) -> None:
    """As for somebody else's."""
    with pytest.raises(Failure) as failure:
        await contexts.coaching.life.step("a" * 24, session, "start")
    assert failure.value.code == "not_found"
