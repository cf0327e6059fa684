"""Grants, as the contexts see them; the stories are in tests/handlers/test_grants.py."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

from redis.asyncio import Redis

from fittracker import control
from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.redis import CONTROL_CHANNEL
from tests.fittracker.auth.conftest import Settle
from tests.moving_clock import MovingClock


async def told_while(redis_url: str, work: Any) -> list[control.Message]:
    """What the workers are told while something is done."""
    async with Redis.from_url(redis_url) as redis, redis.pubsub() as listener:
        await listener.subscribe(CONTROL_CHANNEL)
        await listener.get_message(timeout=5)
        await work
        await redis.publish(CONTROL_CHANNEL, b"end")
        messages = []
        while (each := await listener.get_message(True, timeout=5)) and each["data"] != b"end":
            messages.append(control.decode(each["data"]))
        return messages


async def test_a_grant_whose_date_has_come_is_ended_and_told_once(
    contexts: Contexts, other: Contexts, settle: Settle, clock: MovingClock, redis_url: str
) -> None:
    """Two workers look for such grants at the same time; one of them finds it."""
    anna, tina = await settle(), await settle("Tina", "trainer")
    until = contexts.clock.utc() + timedelta(minutes=1)
    await contexts.grants.give(anna["_id"], tina["_id"], ["heart_rate"], until, caller=SYSTEM)
    clock.advance(61)
    both = asyncio.gather(contexts.grants.end_expired(), other.grants.end_expired())
    told = await told_while(redis_url, both)
    assert told == [control.GrantEnded(anna["_id"], tina["_id"])]
    assert await contexts.database.grants.count_documents({"athlete": anna["_id"], "active": True}) == 0


async def test_a_grant_that_expires_takes_the_athlete_out_of_the_session(
    contexts: Contexts, settle: Settle, clock: MovingClock, redis_url: str
) -> None:
    """Everybody is told that the room is left."""
    anna, tina = await settle(), await settle("Tina", "trainer")
    until = contexts.clock.utc() + timedelta(minutes=1)
    await contexts.grants.give(anna["_id"], tina["_id"], ["heart_rate"], until, caller=SYSTEM)
    session = await contexts.coaching.create(tina["_id"], title="Hills", capacity=2, athletes=[anna["_id"]])
    clock.advance(61)
    told = await told_while(redis_url, contexts.grants.end_expired())
    assert told == [
        control.MembershipEnded(f"session:{session['_id']}", anna["_id"]),
        control.GrantEnded(anna["_id"], tina["_id"]),
    ]
    assert not await contexts.coaching.belongs(session["_id"], anna["_id"])


async def test_taking_some_of_it_back_is_told_as_an_end(
    contexts: Contexts, settle: Settle, redis_url: str
) -> None:
    """The workers look again at what is watched; giving more is no end of anything."""
    anna, tina = await settle(), await settle("Tina", "trainer")
    give = partial(contexts.grants.give, caller=SYSTEM)
    first = await told_while(redis_url, give(anna["_id"], tina["_id"], ["heart_rate"]))
    more = await told_while(redis_url, give(anna["_id"], tina["_id"], ["heart_rate", "workouts"]))
    less = await told_while(redis_url, give(anna["_id"], tina["_id"], ["workouts"]))
    assert (first, more) == ([], [])
    assert less == [control.GrantEnded(anna["_id"], tina["_id"])]


async def test_who_of_many_has_granted_is_one_question(contexts: Contexts, settle: Settle) -> None:
    """For a session with many athletes."""
    tina = await settle("Tina", "trainer")
    people = [await settle(f"P{n}") for n in range(5)]
    for each in people[:3]:
        await contexts.grants.give(each["_id"], tina["_id"], ["heart_rate"], caller=SYSTEM)
    ids = [each["_id"] for each in people]
    assert await contexts.grants.granting(tina["_id"], ids, "heart_rate") == set(ids[:3])
    assert await contexts.grants.granting(tina["_id"], ids, "workouts") == set()
