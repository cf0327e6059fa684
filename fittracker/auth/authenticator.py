"""From a token to a person: the one question that every request and every socket asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fittracker.auth.device_tokens import PREFIX as DEVICE_PREFIX
from fittracker.auth.device_tokens import fingerprint_of
from fittracker.auth.identity import Identity
from fittracker.auth.liveness import Liveness, State
from fittracker.auth.tickets import Tickets
from fittracker.auth.tokens import AccessTokens, Claims
from fittracker.clock import Clock
from fittracker.errors import Unauthenticated

DEVICE_LIFE_S: Final = 10 * 365 * 86_400
"""Device tokens end by being revoked; sockets that wait for the end of theirs get a date far away."""


class Authenticator:
    """Who a token stands for, right now: a good signature alone opens nothing."""

    def __init__(self, tokens: AccessTokens, tickets: Tickets, liveness: Liveness, clock: Clock) -> None:
        self._tokens = tokens
        self._tickets = tickets
        self._liveness = liveness
        self._clock = clock

    async def authenticate(self, token: str, *, once: bool = False) -> Identity:
        """The person behind an access token or a device token; Unauthenticated where there is none.

        `once`: the same token will hardly come again soon, as from a socket, and need not be remembered.
        """
        if token.startswith(DEVICE_PREFIX):
            return await self._of_device(token)
        claims = self._tokens.verify(token, keep=not once)
        state = await self._living(claims.sid, claims.sub)
        return _identity(state, None, claims.exp, device=False)

    async def redeem(self, ticket: str) -> Identity:
        """The person behind a ticket, which is used up by this; Unauthenticated where it was before."""
        redeemed = await self._tickets.redeem(ticket)
        state = await self._living(redeemed.sid, redeemed.user)
        return _identity(state, None, redeemed.expires_at, device=False)

    async def resume(self, sid: str, expires_at: float) -> Identity:
        """The person of a sign-in that a console's cookie stands for; Unauthenticated where it is over.

        `expires_at` (unix seconds) is the longest that may be believed without asking again.
        """
        state = await self._liveness.of_session(sid)
        if state is None:
            raise Unauthenticated("This sign-in is over.")
        return _identity(state, None, expires_at, device=False)

    def peek(self, token: str) -> str | None:
        """The user an access token names, by its signature alone, without I/O: good for counting."""
        try:
            claims: Claims = self._tokens.verify(token)
        except Unauthenticated:
            return None
        return claims.sub

    async def gone(self, identities: Iterable[Identity]) -> set[str]:
        """The sids among these that are over; a socket outlives the request that checked its token."""
        everybody = list(identities)
        sids = {each.sid for each in everybody if not each.device}
        return await self._liveness.gone(sids, {each.sid for each in everybody if each.device})

    def forget(self, sid: str) -> None:
        """A sign-in ended elsewhere: look again at the next request."""
        self._liveness.forget(sid)

    def forget_user(self, user: str) -> None:
        """Somebody was disabled or has another role: look again at all their sign-ins."""
        self._liveness.forget_user(user)

    async def _living(self, sid: str, user: str) -> State:
        state = await self._liveness.of_session(sid)
        if state is None or state.user != user:
            raise Unauthenticated("This sign-in is over.")
        return state

    async def _of_device(self, token: str) -> Identity:
        fingerprint = fingerprint_of(token)
        state = await self._liveness.of_device(fingerprint) if fingerprint else None
        if state is None or state.scopes is None:
            raise Unauthenticated("The device token is not valid, or no longer.")
        return _identity(state, frozenset(state.scopes), self._clock.now() + DEVICE_LIFE_S, device=True)


def _identity(state: State, scopes: frozenset[str] | None, expires_at: float, *, device: bool) -> Identity:
    return Identity(
        user=state.user,
        name=state.name,
        role=state.role,
        sid=state.sid,
        scopes=scopes,
        expires_at=expires_at,
        device=device,
    )
