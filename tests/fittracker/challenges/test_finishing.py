"""The end of a challenge, whoever brings it about and however often it is interrupted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from fittracker.challenges.finishing import FINISHED, Finishing
from fittracker.contexts import Contexts
from fittracker.errors import Conflict
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.challenges.conftest import Begin, Contest
from tests.moving_clock import MovingClock


async def results(running: Contest) -> list[dict[str, Any]]:
    """What was said about its end in its room."""
    log = running.here.room_log
    found = await log.archive.before(f"challenge:{running.id}", FINISHED, None, 10)
    return [msgspec.json.decode(each.record.data) for each in found]


async def told(running: Contest) -> int:
    """How many inboxes have it."""
    facts = running.here.database.notification_facts
    return await facts.count_documents({"event": "challenge.finished", "subject": f"challenge:{running.id}"})


async def test_it_ends_once_though_every_worker_looks(
    contest: Begin, contexts: Contexts, clock: MovingClock
) -> None:
    """Places are for good, the room has one result, everybody has it in their inbox once."""
    running = await contest(12)
    for place, user in enumerate(running.people):
        await running.report(user, place + 1)
    await contexts.arena.leave(running.people[0], running.id)
    before = await running.board()
    assert await contexts.arena.finishing.finish_due() == 0
    clock.advance(3_600)
    looks = (at.arena.finishing.finish_due() for at in (running.here, running.there) * 3)
    await asyncio.gather(*looks)
    assert await running.board() == await running.board(running.there) == before
    (result,) = await results(running)
    assert result == {
        "challenge": running.id,
        "participants": 11,
        "places": [
            {"place": place, "user": user, "value": value}
            for place, (user, value) in enumerate(before[:10], 1)
        ],
    }
    assert await told(running) == 11
    found = await contexts.arena.challenges.get(running.people[11], running.id)
    assert contexts.arena.challenges.state(found) == "finished"
    assert (found["mine"]["place"], found["participants"]) == (1, 11)
    for act in (
        contexts.arena.join(running.people[0], running.id),
        contexts.arena.leave(running.people[3], running.id),
        running.report(running.people[3], 1),
        contexts.arena.challenges.change(running.people[11], running.id, {"title": "x"}, None)
        if found["owner"] == running.people[11]
        else contexts.arena.challenges.change(running.people[0], running.id, {"title": "x"}, None),
    ):
        with pytest.raises(Conflict):
            await act


@pytest.mark.parametrize("step", ["_count_once_more", "_place", "_tell_members"])
async def test_where_a_worker_dies_another_one_goes_on(
    contest: Begin, clock: MovingClock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """After its minute; nothing is there twice, and nothing is missing."""
    running = await contest(3)
    for place, user in enumerate(running.people):
        await running.report(user, place + 1)
    clock.advance(3_600)
    real = getattr(Finishing, step)

    async def die(self: Finishing, challenge: Any) -> Any:
        await real(self, challenge)
        monkeypatch.undo()
        raise RuntimeError("the worker is gone")

    monkeypatch.setattr(Finishing, step, die)
    with pytest.raises(RuntimeError):
        await running.here.arena.finishing.finish_due()
    assert await running.there.arena.finishing.finish_due() == 0
    clock.advance(61)
    assert await running.there.arena.finishing.finish_due() == 1
    assert len(await results(running)) == 1
    assert await told(running) == 3
    assert [value for _, value in await running.board()] == [3.0, 2.0, 1.0]


async def test_workouts_that_were_under_way_are_waited_for(
    contest: Begin, contexts: Contexts, clock: MovingClock
) -> None:
    """A quarter of an hour; what was edited or deleted unseen is put right before the places are given."""
    running = await contest(2, metric="distance")
    anna, bert = running.people
    ridden = await running.workout(anna)
    clock.advance(3_601)
    assert await contexts.arena.finishing.finish_due() == 0
    found = await contexts.arena.challenges.get(anna, running.id)
    assert contexts.arena.challenges.state(found) == "over"
    started = found["ends_at"] - timedelta(seconds=1)
    await running.workout(bert, counted=False, started_at=started, distance_m=9000.0)
    await contexts.database.workouts.update_one({"_id": ridden}, {"$set": {"distance_m": 9500.0}})
    clock.advance(900)
    assert await contexts.arena.finishing.finish_due() == 1
    assert await running.board() == await running.truth() == [(anna, 9500.0), (bert, 9000.0)]
    await running.workout(anna, started_at=started)
    assert await running.truth() == [(anna, 9500.0), (bert, 9000.0)]


async def test_reporting_and_ending_at_once_agree(
    contest: Begin, contexts: Contexts, clock: MovingClock
) -> None:
    """Whatever was confirmed is in the places."""
    running = await contest(8)
    clock.advance(3_599)
    asked = [
        running.report(user, 1, at=at) for user in running.people for at in (running.here, running.there)
    ]

    async def end() -> None:
        clock.advance(1)
        await running.there.arena.finishing.finish_due()

    outcomes = await asyncio.gather(*asked, end(), return_exceptions=True)
    confirmed = [each for each in outcomes[:-1] if isinstance(each, float)]
    assert all(isinstance(each, float | Conflict) for each in outcomes[:-1]), outcomes
    assert sum(value for _, value in await running.truth()) == len(confirmed)
    (result,) = await results(running)
    assert sum(each["value"] for each in result["places"]) == len(confirmed)


async def test_who_leaves_for_good_leaves_no_trace_and_the_contest_goes_on(
    contest: Begin, contexts: Contexts, settle: Settle
) -> None:
    """Their challenge is nobody's where others take part, and gone where nobody does."""
    running = await contest(3)
    owner, anna, _ = running.people
    for each in running.people:
        await running.report(each, 2)
    alone = await contest(1)

    async def step() -> None:
        await asyncio.sleep(0)

    for who in (owner, alone.people[0]):
        for _ in range(2):
            await contexts.arena.membership.forget(who, step)
    database = contexts.database
    found = await database.challenges.find_one({"_id": running.id})
    assert found is not None
    assert (found["owner"], found["participants"]) == (None, 2)
    assert await database.challenges.find_one({"_id": alone.id}) is None
    for name in ("challenge_members", "challenge_progress"):
        assert await database[name].count_documents({"user": {"$in": [owner, alone.people[0]]}}) == 0
    running.people = [anna]
    assert len(await running.board()) == 2
