"""Counting repetitions and faults of athletes in sessions, on a real MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fittracker.coaching.tally import QUIET_S, Done, Tally
from fittracker.ids import new_id
from fittracker.mongo import Database, open_database
from tests.moving_clock import MovingClock


@pytest.fixture(scope="module")
async def database(mongo_url: str, mongo_database: str) -> AsyncIterator[Database]:
    """The database of all workers."""
    async with open_database(mongo_url, mongo_database) as opened:
        yield opened


def squats(tally: Tally, session: str, athlete: str, count: int, score: float = 80.0) -> None:
    """So many of them."""
    for _ in range(count):
        tally.rep(session, athlete, exercise="squat", score=score)


async def test_what_is_counted_is_stored_by_athlete_and_exercise(database: Database) -> None:
    """A flush writes what has changed; one more writes it no second time."""
    tally, session, ada, eve = Tally(database, MovingClock()), new_id(), new_id(), new_id()
    squats(tally, session, ada, 3)
    squats(tally, session, eve, 1, 50.0)
    tally.fault(session, ada, exercise="squat", code="knee_over_toe")
    tally.fault(session, ada, exercise="plank", code="hips_low")
    assert await tally.done(session) == {}
    for _ in range(2):
        await tally.flush()
    squats(tally, session, ada, 2)
    await tally.flush()
    found = await tally.done(session)
    assert found[eve] == {"squat": Done(1, 50.0)}
    assert (found[ada]["squat"].reps, found[ada]["squat"].score) == (5, 400.0)
    assert found[ada]["squat"].faults == {"knee_over_toe": 1}
    assert (found[ada]["plank"].reps, found[ada]["plank"].faults) == (0, {"hips_low": 1})
    assert await database.session_tallies.count_documents({"session": session}) == 3


async def test_two_workers_count_for_the_same_athlete_side_by_side(database: Database) -> None:
    """Whose socket came back at another worker begins anew there, even with the same analysis."""
    session, ada = new_id(), new_id()
    one, other = Tally(database, MovingClock()), Tally(database, MovingClock())
    squats(one, session, ada, 3)
    squats(other, session, ada, 4)
    await one.flush()
    await other.flush()
    assert (await one.done(session))[ada]["squat"].reps == 7


async def test_who_does_nothing_is_forgotten_and_keeps_what_was_counted(
    database: Database,
) -> None:
    """Should they go on all the same, nothing of before is lost."""
    clock = MovingClock()
    tally, session, ada = Tally(database, clock), new_id(), new_id()
    squats(tally, session, ada, 3)
    await tally.flush()
    clock.advance(QUIET_S + 1)
    await tally.flush()
    assert not tally._counts
    squats(tally, session, ada, 1)
    await tally.flush()
    assert (await tally.done(session))[ada]["squat"].reps == 4


async def test_what_could_not_be_written_is_written_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what is counted while the write is under way, and nothing of it twice."""
    tally, session, ada = Tally(database, MovingClock()), new_id(), new_id()
    squats(tally, session, ada, 3)

    async def broken(*_: object, **__: object) -> None:
        squats(tally, session, ada, 1)
        raise ConnectionError

    with monkeypatch.context() as away:
        away.setattr(tally._tallies, "bulk_write", broken)
        with pytest.raises(ConnectionError):
            await tally.flush()
    await tally.flush()
    assert (await tally.done(session))[ada]["squat"].reps == 4


async def test_at_the_end_of_a_worker_nothing_is_left_unwritten(database: Database) -> None:
    """Draining ends with a flush."""
    tally, session, ada = Tally(database, MovingClock()), new_id(), new_id()
    async with tally.running():
        squats(tally, session, ada, 2)
    assert (await tally.done(session))[ada]["squat"].reps == 2
