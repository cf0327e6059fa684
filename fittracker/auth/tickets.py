"""Tickets for browsers, which cannot send a header with a WebSocket: 30 seconds, one use."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from redis.asyncio import Redis

from fittracker.auth.identity import Identity
from fittracker.breaker import Breaker, RedisAway
from fittracker.errors import Unauthenticated, Unavailable
from fittracker.ids import fingerprint, new_secret
from fittracker.redis import ticket_key

PREFIX: Final = "ftt_"
_FORM: Final = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")


class Ticket(msgspec.Struct, frozen=True):
    """Whose it is, and when the access token that asked for it ends (unix seconds)."""

    user: str
    sid: str
    expires_at: float


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Ticket).decode


class Tickets:
    """They live in Redis alone: one that is lost is asked for again."""

    def __init__(self, redis: Redis, breaker: Breaker, *, life_s: int) -> None:
        self._redis = redis
        self._breaker = breaker
        self.life_s = life_s

    async def issue(self, identity: Identity) -> str:
        """A ticket for this sign-in; Unavailable while Redis is away."""
        secret = PREFIX + new_secret()
        ticket = _encode(Ticket(identity.user, identity.sid, identity.expires_at))
        key = ticket_key(fingerprint(secret))
        try:
            await self._breaker.call(lambda: self._redis.set(key, ticket, ex=self.life_s))
        except RedisAway as error:
            raise Unavailable("No tickets at the moment.", retry_after_ms=1_000) from error
        return secret

    async def redeem(self, secret: str) -> Ticket:
        """Use the ticket up; of twenty who try at once, one gets it. Unauthenticated for the others."""
        if not _FORM.fullmatch(secret):
            raise Unauthenticated("The ticket is not valid, or no longer.")
        key = ticket_key(fingerprint(secret))
        try:
            found = await self._breaker.call(lambda: self._redis.getdel(key))
        except RedisAway as error:
            raise Unavailable("No tickets at the moment.", retry_after_ms=1_000) from error
        if found is None:
            raise Unauthenticated("The ticket is not valid, or no longer.")
        return _decode(found)
