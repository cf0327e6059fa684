"""From a token to a person, at the price of a connect."""

from __future__ import annotations

from fittracker.contexts import Contexts
from tests.fittracker.auth.conftest import Settle


async def test_peeking_names_the_user_without_asking_anybody(contexts: Contexts, settle: Settle) -> None:
    """Also of an ended session: it is good for counting, not for letting in."""
    person = await settle()
    pair = await contexts.sessions.begin(person, device="x", address="y")
    await contexts.sessions.end(person["_id"], pair.sid)
    assert contexts.authenticator.peek(pair.access_token) == person["_id"]
    for other in (pair.refresh_token, "ftd_" + "x" * 43, pair.access_token[:-2], ""):
        assert contexts.authenticator.peek(other) is None


async def test_a_name_and_a_role_are_those_of_now(contexts: Contexts, settle: Settle) -> None:
    """Not those of when the token was made: it says nothing about them that is believed."""
    person = await settle("Anna", "user")
    pair = await contexts.sessions.begin(person, device="x", address="y")
    await contexts.database.users.update_one(
        {"_id": person["_id"]}, {"$set": {"name": "Tina", "role": "trainer"}}
    )
    await contexts.redis.flushdb()
    contexts.authenticator.forget_user(person["_id"])
    identity = await contexts.authenticator.authenticate(pair.access_token)
    assert (identity.name, identity.role) == ("Tina", "trainer")
    assert identity.scopes is None
