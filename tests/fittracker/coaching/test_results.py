"""What a session came to: by whom it is summed up, what comes later, and who sees it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from fittracker.belongings import of_collection
from fittracker.coaching.life import LEASE
from fittracker.coaching.results import GIVE_UP, LOOK_AGAIN, SessionSummary
from fittracker.contexts import Contexts
from fittracker.errors import Conflict, NotFound
from fittracker.mongo import Document
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.coaching.stage import a_session, found
from tests.moving_clock import MovingClock


async def a_stream(contexts: Contexts, session: Document, user: str) -> str:
    """A stream of theirs that was opened in the session."""
    stream = str(uuid4())
    physiology = (await contexts.users.physiology(user, None)).as_document()
    opened = {"_id": stream, "user": user, "session": session["_id"], "physiology": physiology}
    now = contexts.clock.utc()
    more = {"sport": None, "device": None, "opened_at": now, "seen_at": now, "closed_at": None}
    await contexts.database.heart_streams.insert_one({**opened, **more, "workout": None})
    return stream


async def samples(
    contexts: Contexts, stream: str, user: str, first: int, count: int, start_ms: int, **more: Any
) -> None:
    """Stored ones, a second apart."""
    t = [start_ms + 1_000 * place for place in range(count)]
    batch = {"user": user, "session": None, "t": t, "bpm": [120] * count, "to": first + count - 1, **more}
    span = {"_id": {"s": stream, "n": first}, "from_t": t[0], "until_t": t[-1], "day": "2026-11-27"}
    await contexts.database.heart_batches.insert_one({**batch, **span})


async def ended(contexts: Contexts, session: Document) -> Document:
    """Its trainer has ended it, and it is summed up."""
    await contexts.coaching.life.step(session["trainer"], session["_id"], "end")
    await contexts.lessons.results.idle()
    return await found(contexts, session["_id"])


async def summary(contexts: Contexts, session: Document, viewer: str | None = None) -> SessionSummary:
    """As somebody sees it, the trainer unless said otherwise."""
    return await contexts.lessons.results.summary(viewer or session["trainer"], session["_id"])


async def told(contexts: Contexts, user: str) -> list[Any]:
    """The ends of sessions that were told to them."""
    return await contexts.room_log.archive.before(f"user:{user}", "session.ended", None, 10)


async def test_what_a_dead_worker_did_not_sum_up_another_one_does(
    contexts: Contexts, other: Contexts, clock: MovingClock, settle: Settle
) -> None:
    """Once, though several look after it, and not while the first may still be at it."""
    session = await a_session(contexts, settle, 2)
    await contexts.coaching.life.step(session["trainer"], session["_id"], "end")
    for task in tuple(contexts.lessons.results._concluding._tasks):
        task.cancel()
    await contexts.lessons.results.idle()
    await other.lessons.results.look_after()
    assert not (await summary(contexts, session)).complete
    clock.advance(LEASE.total_seconds() + 1)
    await asyncio.gather(*(each.lessons.results.look_after() for each in (contexts, other)))
    assert (await summary(contexts, session)).complete
    for user in (session["trainer"], *session["athletes"]):
        assert len(await told(contexts, user)) == 1


async def test_each_athlete_sees_themselves_and_the_trainer_all(contexts: Contexts, settle: Settle) -> None:
    """Whoever was only invited, or has left, sees nothing of it, and nothing of them is shown."""
    session = await a_session(contexts, settle, 3, capacity=4)
    anna, bob, cleo = session["athletes"]
    dora, ulla = (await settle("Dora"))["_id"], (await settle("Ulla"))["_id"]
    await contexts.lessons.places.invite(session["trainer"], session["_id"], dora)
    with pytest.raises(Conflict):
        await summary(contexts, session)
    await contexts.lessons.places.remove(cleo, session["_id"], cleo)
    await ended(contexts, session)
    assert [each.user for each in (await summary(contexts, session)).athletes] == [anna, bob]
    for who, seen in ((anna, [anna]), (bob, [bob]), (dora, [])):
        assert [each.user for each in (await summary(contexts, session, who)).athletes] == seen
    for who in (ulla, cleo):
        with pytest.raises(NotFound):
            await summary(contexts, session, who)
    assert await told(contexts, dora) == []


async def test_what_a_device_brings_later_is_added(
    contexts: Contexts, other: Contexts, clock: MovingClock, settle: Settle
) -> None:
    """By when it was measured: what lies before the start or after the end is not the session's."""
    session = await a_session(contexts, settle, 1)
    (anna,) = session["athletes"]
    stream = await a_stream(contexts, session, anna)
    began = int(session["started_at"].timestamp() * 1000)
    clock.advance(600)
    await samples(contexts, stream, anna, 1, 60, began - 30_000, session=session["_id"])
    await ended(contexts, session)
    heart = (await summary(contexts, session)).athletes[0].heart
    assert heart is not None
    assert heart.samples == 60  # shown live in the session, whatever the device's clock says
    clock.advance(600)
    await samples(contexts, stream, anna, 61, 700, began + 100_000)
    workout = await contexts.workouts.finish(stream, anna)
    assert workout is not None
    clock.advance(LOOK_AGAIN.total_seconds() + 1)
    await asyncio.gather(*(each.lessons.results.look_after() for each in (contexts, other)))
    seen = await summary(contexts, session)
    heart = seen.athletes[0].heart
    assert heart is not None
    assert heart.samples == pytest.approx(60 + 500, abs=2)
    assert (seen.complete, seen.athletes[0].workouts) == (True, [workout["_id"]])
    kept = (await contexts.workouts.get(anna, workout["_id"]))["coaching"]
    assert (kept["session"], kept["heart"]["samples"]) == (session["_id"], heart.samples)
    look = await contexts.database.session_results.find_one({"session": session["_id"]})
    assert look is not None
    assert look["look_at"] is None


async def test_who_comes_early_and_warms_up_is_counted_from_the_start_on(
    contexts: Contexts, clock: MovingClock, settle: Settle
) -> None:
    """Though everybody in the room saw them while the session was only planned."""
    session = await a_session(contexts, settle, 1, starts_at=clock.utc() + timedelta(minutes=10))
    (anna,) = session["athletes"]
    stream = await a_stream(contexts, session, anna)
    opened = contexts.clock.now_ms()
    clock.advance(600)
    await contexts.coaching.life.step(session["trainer"], session["_id"], "start")
    clock.advance(600)
    await samples(contexts, stream, anna, 1, 900, opened, session=session["_id"])
    await ended(contexts, session)
    heart = (await summary(contexts, session)).athletes[0].heart
    assert heart is not None
    assert heart.samples == pytest.approx(300, abs=2)


async def test_a_stream_that_never_ends_is_waited_for_so_long(
    contexts: Contexts, clock: MovingClock, settle: Settle
) -> None:
    """Then the summary is what it is."""
    session = await a_session(contexts, settle, 1)
    await a_stream(contexts, session, session["athletes"][0])
    await ended(contexts, session)
    clock.advance(LOOK_AGAIN.total_seconds() + 1)
    await contexts.lessons.results.look_after()
    assert not (await summary(contexts, session)).complete
    clock.advance(GIVE_UP.total_seconds())
    await contexts.lessons.results.look_after()
    assert (await summary(contexts, session)).complete


async def test_what_is_kept_of_an_athlete_is_handed_out_and_goes_with_them(
    contexts: Contexts, settle: Settle
) -> None:
    """Each field that an export promises is there; without the person the row is in no summary."""
    session = await a_session(contexts, settle, 2)
    anna, bob = session["athletes"]
    await ended(contexts, session)
    row = await contexts.database.session_results.find_one({"session": session["_id"], "user": anna})
    assert row is not None
    assert {*of_collection("session_results").fields} <= row.keys()
    await contexts.database.users.delete_one({"_id": anna})
    assert [each.user for each in (await summary(contexts, session)).athletes] == [bob]


async def test_a_session_without_anybody_is_summed_up_as_well(contexts: Contexts, settle: Settle) -> None:
    """Its trainer is told that it is over."""
    session = await a_session(contexts, settle, 0, capacity=3)
    await ended(contexts, session)
    seen = await summary(contexts, session)
    assert (seen.count, seen.athletes, seen.complete, seen.reason) == (0, [], True, "trainer")
    assert len(await told(contexts, session["trainer"])) == 1


async def test_a_recording_that_is_too_long_keeps_no_other_from_being_summed_up(
    contexts: Contexts, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner's heart is left out; the rest of them is there."""
    monkeypatch.setattr("fittracker.heart_series.MOST_SAMPLES", 100)
    session = await a_session(contexts, settle, 2)
    anna, bob = session["athletes"]
    for user, count in ((anna, 101), (bob, 50)):
        stream = await a_stream(contexts, session, user)
        await samples(contexts, stream, user, 1, count, contexts.clock.now_ms(), session=session["_id"])
    await ended(contexts, session)
    first, second = (await summary(contexts, session)).athletes
    assert (first.user, first.heart) == (anna, None)
    assert second.heart is not None
    assert second.heart.samples == 50
