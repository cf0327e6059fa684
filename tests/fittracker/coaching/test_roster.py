"""Who does what in a session, as it is put together from MongoDB and Redis."""

from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from fittracker.coaching.roster import MOST_SHOWN, RosterEntry, SessionRoster, beat
from fittracker.contexts import Contexts
from fittracker.errors import NotFound
from fittracker.mongo import Document
from fittracker.redis import pulses_key
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.coaching.stage import a_session
from tests.moving_clock import MovingClock


async def roster(contexts: Contexts, session: Document, viewer: str | None = None) -> SessionRoster:
    """As somebody sees it, the trainer unless said otherwise; nobody is in the room."""

    async def present() -> set[str]:
        return set()

    return await contexts.lessons.roster.of(viewer or session["trainer"], session["_id"], present)


async def beats(contexts: Contexts, session: Document, user: str, bpm: int = 150) -> None:
    """A worker has written how their heart beats."""
    now = contexts.clock.now_ms()
    await contexts.redis.hset(pulses_key(session["_id"]), user, beat(now - 300, bpm, 3, now).decode())


def hearts(found: SessionRoster) -> list[tuple[int | None, bool, bool]]:
    """Heart rate, whether it is old, and whether somebody is there."""
    return [(each.bpm, each.stale, each.online) for each in found.athletes]


async def test_a_heart_that_falls_silent_is_stale_and_its_athlete_not_there(
    contexts: Contexts, clock: MovingClock, settle: Settle
) -> None:
    """Nobody has to say so: the worker that could have may be dead."""
    session = await a_session(contexts, settle)
    await beats(contexts, session, session["athletes"][0])
    assert hearts(await roster(contexts, session)) == [(150, False, True)]
    clock.advance(contexts.settings.hr_stale_s + 1)
    assert hearts(await roster(contexts, session)) == [(150, True, False)]


async def test_nobody_is_shown_who_has_not_entered_or_where_nothing_goes_on(
    contexts: Contexts, settle: Settle
) -> None:
    """Whatever is left in Redis of them."""
    session = await a_session(contexts, settle, 1, capacity=2)
    (anna,), bob = session["athletes"], (await settle("Bob"))["_id"]
    await contexts.lessons.places.invite(session["trainer"], session["_id"], bob)
    for user in (anna, bob):
        await beats(contexts, session, user)
    found = await roster(contexts, session)
    assert {each.user: each.bpm for each in found.athletes} == {anna: 150, bob: None}
    await contexts.coaching.life.step(session["trainer"], session["_id"], "end")
    assert hearts(await roster(contexts, session)) == [(None, False, False)] * 2


async def test_while_redis_is_away_the_roster_says_what_it_knows(
    contexts: Contexts, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, repetitions and timers are in MongoDB; who is there nobody can say."""
    session = await a_session(contexts, settle)
    (anna,) = session["athletes"]
    await beats(contexts, session, anna)
    contexts.session_tally.rep(session["_id"], anna, exercise="curl", score=80.0)
    await contexts.session_tally.flush()
    await contexts.lessons.cues.cue(
        session["trainer"], session["_id"], kind="rest", text=None, seconds=60, to=None, client_id="1"
    )

    async def away() -> set[str]:
        raise RedisConnectionError

    found = await contexts.lessons.roster.of(session["trainer"], session["_id"], away)
    assert not found.known
    assert found.athletes == [
        RosterEntry(anna, "Anna00", online=False, entered=True, reps=1, exercises={"curl": 1})
    ]
    assert [each.kind for each in found.timers] == ["rest"]
    assert (await roster(contexts, session)).known


async def test_an_athlete_is_told_of_so_many_others_the_trainer_of_all(
    contexts: Contexts, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name; how many there are everybody is told. Strangers are told nothing."""
    assert MOST_SHOWN == 100
    monkeypatch.setattr("fittracker.coaching.roster.MOST_SHOWN", 3)
    session = await a_session(contexts, settle, 5)
    whole = await roster(contexts, session)
    assert [each.name for each in whole.athletes] == [f"Anna{number:02}" for number in range(5)]
    some = await roster(contexts, session, session["athletes"][4])
    assert (some.athletes, some.count) == (whole.athletes[:3], 5)
    with pytest.raises(NotFound):
        await roster(contexts, session, (await settle("Ulla"))["_id"])
