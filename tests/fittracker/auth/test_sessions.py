"""Sign-in sessions and their refresh tokens; the stories are in tests/handlers/test_auth.py."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fittracker.auth.sessions import MOST, RefreshReused, Sessions
from fittracker.auth.tokens import AccessTokens
from fittracker.contexts import Contexts
from fittracker.errors import Unauthenticated
from tests.fittracker.auth.conftest import Settle
from tests.moving_clock import MovingClock

DAY = 86_400


async def test_only_hashes_are_stored(contexts: Contexts, settle: Settle) -> None:
    """Neither the token nor its successor can be read from the database."""
    person = await settle()
    first = await contexts.sessions.begin(person, device="phone", address="127.0.0.1")
    second = await contexts.sessions.refresh(first.refresh_token)
    stored = str(await contexts.database.sessions.find_one({"_id": first.sid}))
    for token in (first.refresh_token, second.refresh_token):
        assert token[28:] not in stored


async def test_a_session_that_is_used_lives_on_and_one_that_is_not_ends(
    contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """Thirty days after it was last refreshed."""
    person = await settle()
    used = await contexts.sessions.begin(person, device="phone", address="127.0.0.1")
    unused = await contexts.sessions.begin(person, device="tablet", address="127.0.0.1")
    for _ in range(3):
        clock.advance(20 * DAY)
        used = await contexts.sessions.refresh(used.refresh_token)
    with pytest.raises(Unauthenticated):
        await contexts.sessions.refresh(unused.refresh_token)


async def refresh_every_20_days(contexts: Contexts, clock: MovingClock, token: str, *, times: int) -> None:
    """As an app does that is opened now and then."""
    for _ in range(times):
        clock.advance(20 * DAY)
        token = (await contexts.sessions.refresh(token)).refresh_token


async def test_after_a_year_the_password_is_asked_for_again(
    contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """However often it was refreshed."""
    person = await settle()
    pair = await contexts.sessions.begin(person, device="phone", address="127.0.0.1")
    await refresh_every_20_days(contexts, clock, pair.refresh_token, times=18)
    pair = await contexts.sessions.begin(person, device="phone", address="127.0.0.1")
    with pytest.raises(Unauthenticated):
        await refresh_every_20_days(contexts, clock, pair.refresh_token, times=20)
    assert len(await contexts.sessions.of_user(person["_id"])) == 0


async def test_the_retry_works_while_keys_are_rotated(contexts: Contexts, settle: Settle) -> None:
    """One worker has the new keys already, the next one not yet or the other way round."""
    person = await settle()
    pair = await contexts.sessions.begin(person, device="phone", address="127.0.0.1")
    old = contexts.settings.token_keys[0]
    rotated = _with_keys(contexts, (("new", "a-new-key-of-more-than-thirty-two-bytes"), old))
    successor = await rotated.refresh(pair.refresh_token)
    assert (await rotated.refresh(pair.refresh_token)).refresh_token == successor.refresh_token
    again = await contexts.sessions.refresh(successor.refresh_token)
    assert (await rotated.refresh(successor.refresh_token)).refresh_token == again.refresh_token


def _with_keys(contexts: Contexts, keys: tuple[tuple[str, str], ...]) -> Sessions:
    settings = contexts.settings
    tokens = AccessTokens(keys, contexts.clock, issuer="fittracker", audience="fittracker", life_s=900)
    return Sessions(
        contexts.database,
        tokens,
        contexts.sessions._liveness,
        contexts.audit,
        contexts.clock,
        keys=keys,
        access_s=settings.access_token_s,
        refresh_s=settings.refresh_token_s,
    )


async def test_somebody_who_is_disabled_gets_no_new_tokens(contexts: Contexts, settle: Settle) -> None:
    """Though the session was not ended."""
    person = await settle()
    pair = await contexts.sessions.begin(person, device="phone", address="127.0.0.1")
    now = contexts.clock.utc()
    await contexts.database.users.update_one({"_id": person["_id"]}, {"$set": {"disabled_at": now}})
    with pytest.raises(Unauthenticated) as caught:
        await contexts.sessions.refresh(pair.refresh_token)
    assert not isinstance(caught.value, RefreshReused)


async def test_a_guess_at_a_known_session_ends_it(contexts: Contexts, settle: Settle) -> None:
    """Its id is random and known to its owner alone: a wrong secret with it is an old one, or an attack."""
    person = await settle()
    pair = await contexts.sessions.begin(person, device="phone", address="127.0.0.1")
    with pytest.raises(RefreshReused):
        await contexts.sessions.refresh(pair.refresh_token[:-4] + "AAAA")
    with pytest.raises(Unauthenticated):
        await contexts.sessions.refresh(pair.refresh_token)


async def test_one_person_has_so_many_sessions_and_no_more(contexts: Contexts, settle: Settle) -> None:
    """One more ends the one that was not used for longest."""
    person = await settle()
    now = contexts.clock.utc() + timedelta(seconds=5)
    template = await contexts.sessions.begin(person, device="phone", address="127.0.0.1")
    first = await contexts.database.sessions.find_one({"_id": template.sid})
    assert first is not None
    more = [{**first, "_id": f"{n:024x}", "last_used_at": now} for n in range(1, MOST)]
    await contexts.database.sessions.insert_many(more)
    await contexts.sessions.begin(person, device="new", address="127.0.0.1")
    alive = await contexts.sessions.of_user(person["_id"])
    assert len(alive) == MOST
    assert template.sid not in {each["_id"] for each in alive}


async def test_ending_all_but_one_leaves_that_one(contexts: Contexts, settle: Settle) -> None:
    """As after a change of password."""
    person = await settle()
    pairs = [await contexts.sessions.begin(person, device="x", address="y") for _ in range(3)]
    await contexts.sessions.end_all(person["_id"], but=pairs[1].sid)
    assert [each["_id"] for each in await contexts.sessions.of_user(person["_id"])] == [pairs[1].sid]
