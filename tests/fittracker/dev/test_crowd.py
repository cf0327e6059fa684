from __future__ import annotations

from config.settings import Settings
from fittracker.clock import Clock
from fittracker.dev.crowd import AT_ONCE, gather_crowd
from fittracker.opening import open_contexts


async def test_everybody_gets_a_token_that_the_server_believes(settings: Settings) -> None:
    """As if each had signed in: a person, a sign-in of their own, and hours to go."""
    count = AT_ONCE + 5
    crowd = await gather_crowd(settings, count, session=False)
    assert len(set(crowd.tokens)) == count
    assert crowd.session is None
    async with open_contexts(settings, Clock()) as contexts:
        identities = [await contexts.authenticator.authenticate(token) for token in crowd.tokens]
        assert len({each.user for each in identities}) == len({each.sid for each in identities}) == count
        assert min(each.expires_at for each in identities) > Clock().now() + 80_000
        physiology = await contexts.users.physiology(identities[0].user)
        assert physiology.zones is not None


async def test_with_a_session_they_all_belong_to_it(settings: Settings) -> None:
    """And may watch each other in it."""
    crowd = await gather_crowd(settings, 3, session=True)
    assert crowd.session is not None
    async with open_contexts(settings, Clock()) as contexts:
        users = [(await contexts.authenticator.authenticate(token)).user for token in crowd.tokens]
        for user in users:
            assert await contexts.coaching.belongs(crowd.session, user)
        assert await contexts.coaching.sharing(users[1], {users[0]}) == {users[0]}


async def test_nobody_signs_in_to_them_with_a_password(settings: Settings) -> None:
    """They have none; the collection says so."""
    await gather_crowd(settings, 1, session=False)
    async with open_contexts(settings, Clock()) as contexts:
        found = await contexts.database.users.find_one({"email": {"$regex": "crowd"}}, {"password": 1})
        assert found is not None
        assert found["password"] is None
