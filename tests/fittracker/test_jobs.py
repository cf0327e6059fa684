"""Jobs: one worker at a time, and another one when it dies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pymongo.errors import DuplicateKeyError

from fittracker.contexts import Contexts
from fittracker.errors import NotFound
from fittracker.ids import new_id
from fittracker.job_files import JobFiles
from fittracker.jobs import LEASE_S, MOST_ATTEMPTS, Jobs, Lease, LeaseLost
from tests.moving_clock import MovingClock

# The workers of these contexts look for exports and imports every second: erasures they leave alone for 30.
KIND = "erasure"


@pytest.fixture
async def jobs(contexts: Contexts) -> Jobs:
    """The jobs, none of them open."""
    await contexts.database.jobs.delete_many({})
    return Jobs(contexts.database, contexts.clock)


async def claim(jobs: Jobs) -> Lease:
    """The job that is due."""
    lease = await jobs.claim(KIND)
    assert lease is not None
    return lease


async def test_one_worker_at_a_time_has_a_job(jobs: Jobs) -> None:
    """It stays theirs as long as they say that they are at it."""
    await jobs.create(KIND, new_id())
    await claim(jobs)
    assert await jobs.claim(KIND) is None


async def test_who_is_silent_for_a_minute_loses_it(jobs: Jobs, clock: MovingClock) -> None:
    """Another worker goes on from the last checkpoint; the first one finds out and can end nothing."""
    await jobs.create(KIND, new_id())
    first = await claim(jobs)
    await first.checkpoint(0.5, {"row": 7})
    clock.advance(LEASE_S - 1)
    await first.checkpoint(0.6, {"row": 8})
    clock.advance(LEASE_S - 1)
    assert await jobs.claim(KIND) is None, "each checkpoint prolongs it"
    clock.advance(2)
    second = await claim(jobs)
    assert (second.state, second.attempt) == ({"row": 8}, 2)
    for late in (first.checkpoint(0.9, {}), first.finish(), first.fail("late"), first.drop()):
        with pytest.raises(LeaseLost):
            await late
    await second.finish(size=1)


async def test_a_person_has_one_open_job_of_a_kind(jobs: Jobs) -> None:
    """Whatever comes at once; the next may begin when it has ended."""
    user = new_id()
    await jobs.create(KIND, user)
    with pytest.raises(DuplicateKeyError):
        await jobs.create(KIND, user)
    await (await claim(jobs)).fail("no")
    await jobs.create(KIND, user)


async def test_what_came_of_it_is_there_for_three_days(jobs: Jobs, clock: MovingClock) -> None:
    """For the person alone."""
    user = new_id()
    made = await jobs.create(KIND, user)
    await (await claim(jobs)).finish(size=5)
    found = await jobs.get(KIND, user, made["_id"])
    assert (found["status"], found["progress"], found["result"]) == ("ready", 1.0, {"size": 5})
    for who, which in ((new_id(), made["_id"]), (user, new_id()), (user, "no id")):
        with pytest.raises(NotFound):
            await jobs.get(KIND, who, which)
    clock.advance(timedelta(days=3).total_seconds() + 1)
    with pytest.raises(NotFound):
        await jobs.get(KIND, user, made["_id"])


async def test_a_job_that_kills_every_worker_is_given_up(jobs: Jobs, clock: MovingClock) -> None:
    """But for an erasure, which somebody has a right to."""
    user = new_id()
    made = await jobs.create("import", user, not_before=jobs.now() + timedelta(days=1))
    clock.advance(timedelta(days=1).total_seconds() - 5)
    await jobs._jobs.update_one({"_id": made["_id"]}, {"$set": {"attempts": MOST_ATTEMPTS}})
    clock.advance(10)
    await jobs.claim("import")
    found = await jobs.get("import", user, made["_id"])
    assert (found["status"], found["reason"]) == ("failed", "It was tried too often.")


async def test_a_worker_that_was_thought_dead_spoils_no_file(contexts: Contexts) -> None:
    """What a later attempt has written stays; the same attempt may write again."""
    files, job, user = JobFiles(contexts.database, contexts.clock), new_id(), new_id()
    await files.put(job, user, 0, b"one", attempt=1)
    await files.put(job, user, 0, b"two", attempt=2)
    await files.put(job, user, 1, b"more", attempt=2)
    with pytest.raises(LeaseLost):
        await files.put(job, user, 0, b"late", attempt=1)
    assert [chunk async for chunk in files.read(job)] == [b"two", b"more"]
    await files.drop(job)
    assert [chunk async for chunk in files.read(job)] == []
