"""Idempotency keys, as the contexts see them; the stories are in tests/handlers/test_idempotency.py."""

from __future__ import annotations

import asyncio

import pytest

from fittracker.contexts import Contexts
from fittracker.errors import Conflict, Invalid
from fittracker.idempotency import KEPT_S, LEASE_S, Answer, Claim, Idempotency
from fittracker.ids import new_id
from fittracker.sealing import Seal
from tests.moving_clock import MovingClock

ANSWER = Answer(201, b'{"token":"ftd_secret"}', {"Content-Type": "application/json"})
ROUTE, DIGEST = "POST /things", "d" * 64


async def claim(contexts: Contexts, user: str, key: str = "k", digest: str = DIGEST) -> Claim:
    """Begin the work of a key that nobody has."""
    made = await contexts.idempotency.claim(user, ROUTE, key, digest)
    assert isinstance(made, Claim)
    return made


async def test_d9_the_answer_is_given_again(contexts: Contexts, other: Contexts) -> None:
    """Also by another worker; to another person, another route and another key it means nothing."""
    anna, ben = new_id(), new_id()
    await contexts.idempotency.settle(await claim(contexts, anna), ANSWER)
    assert await other.idempotency.claim(anna, ROUTE, "k", DIGEST) == ANSWER
    assert isinstance(await other.idempotency.claim(ben, ROUTE, "k", DIGEST), Claim)
    assert isinstance(await other.idempotency.claim(anna, "POST /others", "k", DIGEST), Claim)
    assert isinstance(await other.idempotency.claim(anna, ROUTE, "K", DIGEST), Claim)


async def test_d9_another_request_with_the_key_is_refused(contexts: Contexts) -> None:
    """While the first one is at work, and when it is done."""
    anna = new_id()
    mine = await claim(contexts, anna)
    with pytest.raises(Invalid):
        await contexts.idempotency.claim(anna, ROUTE, "k", "e" * 64)
    await contexts.idempotency.settle(mine, ANSWER)
    with pytest.raises(Invalid) as caught:
        await contexts.idempotency.claim(anna, ROUTE, "k", "e" * 64)
    assert caught.value.fields == {"Idempotency-Key": "was used for another request"}


async def test_d9_of_fifty_at_once_one_does_the_work(contexts: Contexts, other: Contexts) -> None:
    """The others are told to come back, on whichever worker they are."""
    anna = new_id()
    workers = (contexts, other)
    asked = [workers[turn % 2].idempotency.claim(anna, ROUTE, "k", DIGEST) for turn in range(50)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(each, Claim) for each in answers) == 1
    running = [each for each in answers if isinstance(each, Conflict)]
    assert len(running) == 49
    assert all(each.retry_after_ms for each in running)


async def test_d9_a_worker_that_died_keeps_no_key(contexts: Contexts, clock: MovingClock) -> None:
    """After its lease one of those who try again takes over; should it live after all, it changes nothing."""
    anna = new_id()
    dead = await claim(contexts, anna)
    clock.advance(LEASE_S - 1)
    with pytest.raises(Conflict):
        await contexts.idempotency.claim(anna, ROUTE, "k", DIGEST)
    clock.advance(2)
    asked = [contexts.idempotency.claim(anna, ROUTE, "k", DIGEST) for _ in range(20)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    (heir,) = [each for each in answers if isinstance(each, Claim)]
    await contexts.idempotency.settle(dead, Answer(500, b"late", {}))
    await contexts.idempotency.release(dead)
    await contexts.idempotency.settle(heir, ANSWER)
    assert await contexts.idempotency.claim(anna, ROUTE, "k", DIGEST) == ANSWER


async def test_d9_work_that_takes_long_keeps_its_key(
    contexts: Contexts, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease is renewed for as long as it takes."""
    monkeypatch.setattr("fittracker.idempotency.RENEW_S", 0.01)
    anna, keys = new_id(), contexts.database.idempotency_keys
    mine = await claim(contexts, anna)
    async with contexts.idempotency.held(mine):
        clock.advance(LEASE_S + 1)
        async with asyncio.timeout(10):
            while (await keys.find_one({"user": anna}))["lease_until"] <= contexts.clock.utc():  # type: ignore[index]
                await asyncio.sleep(0.005)
        with pytest.raises(Conflict):
            await contexts.idempotency.claim(anna, ROUTE, "k", DIGEST)


async def test_d9_a_key_is_kept_for_a_day(contexts: Contexts, clock: MovingClock) -> None:
    """An hour before it is good, an hour after it is a new one, though MongoDB has not tidied up yet."""
    anna = new_id()
    await contexts.idempotency.settle(await claim(contexts, anna), ANSWER)
    clock.advance(KEPT_S - 3_600)
    assert await contexts.idempotency.claim(anna, ROUTE, "k", DIGEST) == ANSWER
    clock.advance(7_200)
    assert isinstance(await contexts.idempotency.claim(anna, ROUTE, "k", "e" * 64), Claim)


async def test_d9_a_key_that_is_given_up_may_be_tried_again(contexts: Contexts) -> None:
    """At once, and an answer that was kept cannot be given up any more."""
    anna = new_id()
    await contexts.idempotency.release(await claim(contexts, anna))
    again = await claim(contexts, anna)
    await contexts.idempotency.settle(again, ANSWER)
    await contexts.idempotency.release(again)
    assert await contexts.idempotency.claim(anna, ROUTE, "k", DIGEST) == ANSWER


async def test_an_answer_is_not_readable_in_the_database(contexts: Contexts) -> None:
    """It may hold a token. Where its secret is gone, the work is not done again either."""
    anna = new_id()
    await contexts.idempotency.settle(await claim(contexts, anna), ANSWER)
    assert "ftd_secret" not in str(await contexts.database.idempotency_keys.find_one({"user": anna}))
    rotated = Idempotency(contexts.database, Seal([("new", "n" * 40)], "idempotency"), contexts.clock)
    with pytest.raises(Conflict):
        await rotated.claim(anna, ROUTE, "k", DIGEST)


async def test_nothing_is_left_of_who_leaves(contexts: Contexts) -> None:
    """Their keys go, nobody else's."""
    anna, ben = new_id(), new_id()
    await claim(contexts, anna)
    await claim(contexts, ben)
    await contexts.idempotency.forget(anna)
    assert await contexts.database.idempotency_keys.count_documents({"user": anna}) == 0
    assert await contexts.database.idempotency_keys.count_documents({"user": ben}) == 1
