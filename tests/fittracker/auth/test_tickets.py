"""Tickets for browsers."""

from __future__ import annotations

import pytest

from fittracker.auth.identity import Identity
from fittracker.auth.tickets import Tickets
from fittracker.breaker import Breaker
from fittracker.clock import Clock
from fittracker.contexts import Contexts
from fittracker.errors import Unauthenticated, Unavailable
from fittracker.ids import fingerprint
from fittracker.redis import open_redis, ticket_key
from tests.fittracker.auth.conftest import Settle

ANNA = Identity("a" * 24, "Anna", "user", "b" * 24, None, 2_000_000_000.0, False)


async def test_a_ticket_is_kept_by_its_hash_for_thirty_seconds(contexts: Contexts) -> None:
    """And then forgotten by Redis itself."""
    ticket = await contexts.tickets.issue(ANNA)
    key = ticket_key(fingerprint(ticket))
    assert ticket not in key
    assert 28 <= await contexts.redis.ttl(key) <= 30
    redeemed = await contexts.tickets.redeem(ticket)
    assert (redeemed.user, redeemed.sid, redeemed.expires_at) == (ANNA.user, ANNA.sid, ANNA.expires_at)
    with pytest.raises(Unauthenticated):
        await contexts.tickets.redeem(ticket)


async def test_a_ticket_of_an_ended_session_opens_nothing(contexts: Contexts, settle: Settle) -> None:
    """Signing out between asking for it and using it is enough."""
    person = await settle()
    pair = await contexts.sessions.begin(person, device="browser", address="127.0.0.1")
    identity = await contexts.authenticator.authenticate(pair.access_token)
    ticket = await contexts.tickets.issue(identity)
    await contexts.sessions.end(person["_id"], pair.sid)
    with pytest.raises(Unauthenticated):
        await contexts.authenticator.redeem(ticket)


@pytest.mark.parametrize("text", ["", "x", "ftt_" + "x" * 43, "ftt_" + "x" * 5_000, "*", "ftt_*"])
async def test_made_up_tickets_are_refused(contexts: Contexts, text: str) -> None:
    """Whatever they look like."""
    with pytest.raises(Unauthenticated):
        await contexts.tickets.redeem(text)


async def test_without_redis_there_are_no_tickets() -> None:
    """Unavailable, with a time to come back; not a ticket that would never work."""
    clock = Clock()
    async with open_redis("redis://127.0.0.1:9") as redis:
        tickets = Tickets(redis, Breaker(clock), life_s=30)
        with pytest.raises(Unavailable):
            await tickets.issue(ANNA)
        with pytest.raises(Unavailable):
            await tickets.redeem("ftt_" + "x" * 43)
