"""Progress: counted once, summed exactly, only by who takes part and while it runs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from fittracker.challenges.metrics import METRICS, parts_of, score
from fittracker.contexts import Contexts
from fittracker.errors import Conflict, Failure, Forbidden, Invalid, NotFound
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.challenges.conftest import Begin
from tests.moving_clock import MovingClock


async def test_fifty_reports_at_once_are_fifty_though_each_is_sent_twice(contest: Begin) -> None:
    """At two workers: the total is their sum, and so is what the board shows."""
    running = await contest(2)
    anna, bert = running.people
    numbers = [str(uuid4()) for _ in range(50)]
    sent = [(at, number) for number in numbers for at in (running.here, running.there)]
    await asyncio.gather(*(running.report(anna, 0.1, number, at) for at, number in sent))
    assert await running.truth() == [(anna, 5.0), (bert, 0.0)]
    assert await running.board() == await running.board(running.there) == await running.truth()
    assert await running.report(anna, 99, numbers[7]) == 5.0


async def test_fifty_people_report_at_once_and_everybody_has_their_own(contest: Begin) -> None:
    """On both workers, several times each."""
    running = await contest(50)
    reports = [
        running.report(user, place + turn + 1, at=(running.here, running.there)[turn % 2])
        for place, user in enumerate(running.people)
        for turn in range(3)
    ]
    await asyncio.gather(*reports)
    truth = await running.truth()
    assert {value for _, value in truth} == {place * 3.0 + 6 for place in range(50)}
    assert await running.board() == truth


@pytest.mark.parametrize("value", [0, -1, 1_000_000.1, 0.0001, float("nan"), float("inf")])
async def test_what_cannot_be_is_refused(contest: Begin, value: float) -> None:
    """And changes nothing."""
    running = await contest(1)
    with pytest.raises(Invalid):
        await running.report(running.people[0], value)
    assert await running.truth() == [(running.people[0], 0.0)]


def test_a_thousandth_is_the_least_and_is_kept() -> None:
    """Sums are of whole numbers, so ten tenths are one."""
    assert parts_of(0.001) == 1
    assert sum(parts_of(0.1) for _ in range(10)) == parts_of(1)


async def test_only_who_takes_part_reports_and_only_while_it_runs(
    contest: Begin, contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """Before, after, without taking part, where workouts are counted; what was reported can be sent again."""
    running = await contest(1)
    owner, stranger = running.people[0], (await settle("Eve"))["_id"]
    now = contexts.clock.utc()
    later = await contest(1, starts_at=now + timedelta(minutes=30), ends_at=now + timedelta(hours=9))
    counted = await contest(1, metric="time")
    hidden = await contest(1, visibility="private")
    for act, failure in (
        (running.report(stranger, 1), Forbidden),
        (later.report(later.people[0], 1), Conflict),
        (counted.report(counted.people[0], 1), Invalid),
        (hidden.report(stranger, 1), NotFound),
    ):
        with pytest.raises(failure):
            await act
    number = str(uuid4())
    assert await running.report(owner, 2, number) == 2.0
    clock.advance(3_600)
    assert await running.report(owner, 2, number) == 2.0
    with pytest.raises(Conflict):
        await running.report(owner, 2)
    await later.report(later.people[0], 1)


# -- workouts ------------------------------------------------------------------------------------------

WORKOUT = {"duration_s": 90.5, "distance_m": 1234.5, "summary": {"kcal": 10.25}}


@pytest.mark.parametrize(
    ("metric", "parts"),
    [("distance", 1_234_500), ("time", 90_500), ("energy", 10_250), ("workouts", 1_000), ("custom", 0)],
)
def test_what_a_workout_is_worth(metric: str, parts: int) -> None:
    """In thousandths of m, s, kcal and pieces; without the figure nothing."""
    assert metric in METRICS
    assert score(metric, WORKOUT) == parts
    nothing = {"duration_s": None, "summary": {"kcal": None}}
    assert score(metric, nothing) == (1_000 if metric == "workouts" else 0)


@pytest.mark.parametrize(
    ("metric", "each"), [("distance", 5000.0), ("time", 1800.0), ("energy", 300.25), ("workouts", 1.0)]
)
async def test_workouts_count_by_themselves_once(contest: Begin, metric: str, each: float) -> None:
    """However often and wherever they are looked at; only those that begin in the span."""
    running = await contest(2, metric=metric)
    anna, bert = running.people
    for _ in range(3):
        await running.workout(anna)
    await running.workout(bert, started_at=running.here.clock.utc() - timedelta(hours=2))
    looks = (at.arena.progress.look_back() for at in (running.here, running.there) * 2)
    await asyncio.gather(*looks)
    assert await running.truth() == [(anna, 3 * each), (bert, 0.0)]
    assert await running.board() == await running.truth()


async def test_the_span_is_half_open(contest: Begin, contexts: Contexts) -> None:
    """What begins with it counts, what begins at its end does not."""
    running = await contest(1, metric="workouts")
    found = await contexts.arena.challenges.get(running.people[0], running.id)
    (owner,) = running.people
    await running.workout(owner, started_at=found["starts_at"])
    await running.workout(owner, started_at=found["ends_at"])
    assert await running.truth() == [(owner, 1.0)]


async def test_what_is_edited_or_deleted_is_counted_anew(contest: Begin, contexts: Contexts) -> None:
    """By appending the difference: nothing that was written is changed."""
    running = await contest(1, metric="distance")
    (owner,) = running.people
    ridden, deleted = await running.workout(owner), await running.workout(owner)
    before = await contexts.database.challenge_progress.find({"challenge": running.id}).to_list()
    edited = {"$set": {"distance_m": 7000.5}}
    await contexts.database.workouts.update_one({"_id": ridden}, edited)
    await contexts.database.workouts.delete_one({"_id": deleted})
    challenge = await contexts.arena.challenges.get(owner, running.id)
    recounts = (at.arena.progress.recount(challenge, owner) for at in (running.here, running.there) * 2)
    await asyncio.gather(*recounts)
    assert await running.truth() == [(owner, 7000.5)]
    after = await contexts.database.challenge_progress.find({"challenge": running.id}).to_list()
    assert len(after) == 4
    assert all(each in after for each in before)
    await contexts.database.workouts.update_one({"_id": ridden}, {"$set": {"distance_m": 5000.0}})
    await contexts.arena.progress.recount(challenge, owner)
    assert await running.truth() == [(owner, 5000.0)]


async def test_a_workout_that_its_worker_did_not_count_is_found(contest: Begin) -> None:
    """By looking back at what was made lately."""
    running = await contest(1, metric="time")
    await running.workout(running.people[0], counted=False)
    assert await running.truth() == [(running.people[0], 0.0)]
    await running.there.arena.progress.look_back()
    assert await running.truth() == [(running.people[0], 1800.0)]


async def test_who_joins_late_brings_what_they_did_in_its_time(
    contest: Begin, contexts: Contexts, settle: Settle
) -> None:
    """And whoever leaves and comes back has it again, once."""
    running = await contest(1, metric="time")
    late = str((await settle("Late"))["_id"])
    await running.workout(late)
    joined = await contexts.arena.join(late, running.id)
    assert joined["mine"]["total"] == 1_800_000
    assert (await running.board())[0] == (late, 1800.0)
    await contexts.arena.leave(late, running.id)
    assert await running.board() == [(running.people[0], 0.0)]
    await running.workout(late)
    await contexts.arena.join(late, running.id)
    assert await running.board() == await running.truth() == [(late, 3600.0), (running.people[0], 0.0)]


async def test_live_heart_rate_counts_when_it_has_become_a_workout(
    contest: Begin, contexts: Contexts, settle: Settle
) -> None:
    """Through the front door of workouts: whoever makes them need not know of challenges."""
    running = await contest(1, metric="workouts")
    (owner,) = running.people
    made: list[str] = []

    async def hear(workout: dict[str, object]) -> None:
        made.append(str(workout["_id"]))

    contexts.workouts.when_made(hear)
    stream, now = str(uuid4()), contexts.clock.now_ms()
    await contexts.database.heart_streams.insert_one(
        {
            "_id": stream,
            "user": owner,
            "session": None,
            "sport": None,
            "device": None,
            "opened_at": contexts.clock.utc(),
            "seen_at": contexts.clock.utc(),
            "closed_at": None,
            "workout": None,
            "physiology": (await contexts.users.physiology(owner)).as_document(),
        }
    )
    batch = {
        "_id": {"s": stream, "n": 1},
        "user": owner,
        "t": [now - 2_000, now - 1_000],
        "bpm": [100, 101],
        "to": 2,
    }
    await contexts.database.heart_batches.insert_one(batch)
    workout = await contexts.workouts.finish(stream, owner)
    assert workout is not None
    assert made == [workout["_id"]]
    assert await running.truth() == [(owner, 1.0)]


async def test_a_failure_in_a_group_is_of_the_one_it_concerns(contest: Begin, clock: MovingClock) -> None:
    """What was there already is answered, what is new and late is refused."""
    running = await contest(1)
    (owner,) = running.people
    number = str(uuid4())
    await running.report(owner, 1, number)
    clock.advance(3_601)
    outcomes = await asyncio.gather(
        running.report(owner, 1, number), running.report(owner, 1), return_exceptions=True
    )
    assert outcomes[0] == 1.0
    assert isinstance(outcomes[1], Failure)
