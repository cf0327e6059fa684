"""A sign-in that ends is over everywhere at once, whatever is away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from config.settings import Settings
from fittracker import control
from fittracker.auth.liveness import Liveness, State
from fittracker.contexts import Contexts
from fittracker.embedded import Services
from fittracker.errors import Unauthenticated
from fittracker.herd import Herd
from fittracker.mongo import Document
from fittracker.opening import open_contexts
from fittracker.redis import CONTROL_CHANNEL, session_key
from tests.fittracker.auth.conftest import Settle
from tests.moving_clock import MovingClock


async def sign_in(contexts: Contexts, person: Document) -> tuple[str, str]:
    """The access token and the session's id."""
    pair = await contexts.sessions.begin(person, device="phone", address="127.0.0.1")
    return pair.access_token, pair.sid


async def is_in(contexts: Contexts, token: str) -> bool:
    """Whether this worker lets the token in."""
    try:
        await contexts.authenticator.authenticate(token)
    except Unauthenticated:
        return False
    return True


async def test_b7_a_session_ended_here_is_over_there(
    contexts: Contexts, other: Contexts, settle: Settle
) -> None:
    """At once where the control message is heeded, after a second of memory where it was lost."""
    person = await settle()
    token, sid = await sign_in(contexts, person)
    assert await is_in(other, token)
    await contexts.sessions.end(person["_id"], sid)
    assert not await is_in(contexts, token)
    other.authenticator.forget(sid)
    assert not await is_in(other, token)


async def test_b7_a_worker_that_missed_the_message_notices_within_a_second(
    contexts: Contexts, other: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """Nothing is believed for longer than that."""
    person = await settle()
    token, sid = await sign_in(contexts, person)
    assert await is_in(other, token)
    await contexts.sessions.end(person["_id"], sid)
    clock.advance(1.01)
    assert not await is_in(other, token)


async def test_an_end_is_told_to_all_workers(contexts: Contexts, settle: Settle, redis_url: str) -> None:
    """By the control channel, so that sockets close."""
    person = await settle()
    _, sid = await sign_in(contexts, person)
    async with Redis.from_url(redis_url) as redis, redis.pubsub() as listener:
        await listener.subscribe(CONTROL_CHANNEL)
        await listener.get_message(timeout=5)
        await contexts.sessions.end(person["_id"], sid)
        message = await listener.get_message(ignore_subscribe_messages=True, timeout=5)
    assert message is not None
    assert control.decode(message["data"]) == control.SessionEnded(sid, "signed out")


async def test_what_redis_forgot_is_read_again(contexts: Contexts, settle: Settle) -> None:
    """A session goes on after Redis lost its memory, and an ended one does not come back."""
    person = await settle("Anna Berg", "trainer")
    token, sid = await sign_in(contexts, person)
    gone, gone_sid = await sign_in(contexts, person)
    await contexts.sessions.end(person["_id"], gone_sid)
    await contexts.redis.delete(session_key(sid), session_key(gone_sid))
    identity = await contexts.authenticator.authenticate(token)
    assert (identity.name, identity.role, identity.sid) == ("Anna Berg", "trainer", sid)
    assert await contexts.redis.exists(session_key(sid))
    contexts.authenticator.forget(gone_sid)
    assert not await is_in(contexts, gone)


async def test_a_slow_reader_does_not_bring_an_ended_session_back(contexts: Contexts, settle: Settle) -> None:
    """It read MongoDB before the end and writes to Redis after it: where something is, it writes nothing."""
    person = await settle()
    token, sid = await sign_in(contexts, person)
    await contexts.sessions.end(person["_id"], sid)
    late = State(sid, person["_id"], "Anna", "user")
    liveness = _liveness(contexts)
    await liveness.update(sid, late)
    await liveness._share({sid: late})
    assert not await is_in(contexts, token)


@pytest.mark.parametrize("told", ["sid", "user"])
async def test_who_is_looked_up_while_their_end_is_told_is_looked_up_again(
    contexts: Contexts, settle: Settle, told: str
) -> None:
    """What was read may be older than what was told, and their socket is in no list yet to be closed."""
    liveness = _liveness(contexts)
    state = State("5" * 24, "6" * 24, "Anna", "user")
    answers = [{"key": state}, {"key": None}]

    async def read(_keys: list[str]) -> dict[str, State | None]:
        liveness.forget(state.sid) if told == "sid" else liveness.forget_user(state.user)
        return answers.pop(0)

    assert await liveness._look_up(Herd(read), "key") is None
    assert answers == []


async def test_what_is_told_of_others_makes_nobody_look_again(contexts: Contexts, settle: Settle) -> None:
    """A thousand people who sign out cost those who come nothing."""
    liveness = _liveness(contexts)
    state = State("7" * 24, "8" * 24, "Ben", "user")
    liveness.forget(state.sid)  # before the question: the answer knows

    async def read(_keys: list[str]) -> dict[str, State | None]:
        liveness.forget("9" * 24)
        return {"key": state}

    assert await liveness._look_up(Herd(read, apart_s=60), "key") is state


async def test_memory_of_a_worker_lets_go_of_what_is_stale(
    contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """Everybody who ever came would be a lot."""
    for _ in range(5):
        token, _ = await sign_in(contexts, await settle())
        assert await is_in(contexts, token)
        clock.advance(1.01)
    assert len(_liveness(contexts)._local) <= 2


def _liveness(contexts: Contexts) -> Liveness:
    return contexts.sessions._liveness


async def test_b8_who_is_disabled_is_out_when_looked_at_again(contexts: Contexts, settle: Settle) -> None:
    """Their sign-ins are of no account that may come in."""
    person = await settle()
    token, sid = await sign_in(contexts, person)
    assert await is_in(contexts, token)
    await contexts.database.users.update_one(
        {"_id": person["_id"]}, {"$set": {"disabled_at": contexts.clock.utc()}}
    )
    await contexts.redis.delete(session_key(sid))
    contexts.authenticator.forget_user(person["_id"])
    assert not await is_in(contexts, token)
    assert await contexts.redis.get(session_key(sid)) == "0"


async def test_a_token_of_another_persons_session_is_none(contexts: Contexts, settle: Settle) -> None:
    """Session and person of a token must belong together."""
    anna, bob = await settle(), await settle("Bob")
    _, sid = await sign_in(contexts, anna)
    mixed, _ = contexts.sessions._tokens.issue(bob["_id"], sid, "user")
    assert not await is_in(contexts, mixed)


async def test_everybody_who_comes_back_at_once_is_told_apart(contexts: Contexts, settle: Settle) -> None:
    """One look answers for all: sessions that Redis knows, that it forgot, that are over; devices, too."""
    people = [await settle(f"Person {place}") for place in range(12)]
    signed = [await sign_in(contexts, person) for person in people]
    for _, sid in signed[::2]:
        await contexts.redis.delete(session_key(sid))
    for person, (_, sid) in list(zip(people, signed, strict=True))[::3]:
        await contexts.sessions.end(person["_id"], sid)
    devices = [
        await contexts.device_tokens.create(person["_id"], "strap", ["telemetry:write"])
        for person in people[:3]
    ]
    contexts.authenticator.forget_user(people[0]["_id"])
    tokens = [token for token, _ in signed] + [token for _, token in devices] + ["ftd_" + "y" * 43]
    asked = [contexts.authenticator.authenticate(token) for token in tokens]
    found = await asyncio.gather(*asked, return_exceptions=True)
    names = ["out" if isinstance(each, Unauthenticated) else each.name for each in found]
    in_session = ["out" if place % 3 == 0 else f"Person {place}" for place in range(12)]
    assert names == [*in_session, "Person 0", "Person 1", "Person 2", "out"]


async def test_made_up_device_tokens_leave_no_trace(contexts: Contexts) -> None:
    """Anybody can make them up; they fill neither Redis nor our memory."""
    before, remembered = await contexts.redis.dbsize(), len(_liveness(contexts)._local)
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            await contexts.authenticator.authenticate("ftd_" + "x" * 43)
        with pytest.raises(Unauthenticated):
            await contexts.authenticator.authenticate("ftd_" + "x" * 5_000)
    assert await contexts.redis.dbsize() == before
    assert len(_liveness(contexts)._local) == remembered


@pytest.fixture
async def alone(
    settings: Settings, clock: MovingClock, tmp_path: Path
) -> AsyncIterator[tuple[Contexts, Services]]:
    """A worker whose Valkey may be killed."""
    with Services.start(tmp_path, mongo_url=settings.mongo_url) as services:
        async with open_contexts(settings.with_changes(redis_url=services.redis_url), clock) as opened:
            yield opened, services


async def test_without_redis_mongodb_is_asked_and_an_end_is_written_down_later(
    alone: tuple[Contexts, Services], settle: Settle, clock: MovingClock
) -> None:
    """The end that Redis missed reaches it when it is back, with what it knew before."""
    contexts, services = alone
    person = await settle()
    token, sid = await sign_in(contexts, person)
    kept, _ = await sign_in(contexts, person)
    assert await is_in(contexts, token)
    services.restart_redis(keep_data=True)
    services.kill("valkey")
    assert await is_in(contexts, kept)
    await contexts.sessions.end(person["_id"], sid)
    assert not await is_in(contexts, token)
    services.restart_redis(keep_data=False)
    clock.advance(5)
    liveness = _liveness(contexts)
    for _ in range(100):
        await liveness.settle_all()
        if not liveness._owed:
            break
        clock.advance(1.1)
        await asyncio.sleep(0.02)
    assert await contexts.redis.get(session_key(sid)) == "0"
    assert not await is_in(contexts, token)
    assert await is_in(contexts, kept)
