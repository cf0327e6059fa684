"""Access tokens: the only module that knows what a JWT looks like, and the only one that imports jose.

Nothing of a token is believed before its signature, and the header never chooses anything: all tokens of
one key have the same header, byte for byte, so a header is looked up in a table of those we write. An `alg`,
`kid`, `crit`, `jku`, `jwk` or `x5u` of somebody else's making is simply not in it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from jose import jwk, jws
from jose.constants import ALGORITHMS
from jose.exceptions import JOSEError

from fittracker.clock import Clock
from fittracker.errors import Unauthenticated

ALGORITHM: Final = ALGORITHMS.HS256
KIND: Final = "at+jwt"
"""RFC 9068: what tells an access token from every other token signed with the same key."""
LEEWAY_S: Final = 5
"""How far the clocks of two workers may differ."""
MOST_CHARACTERS: Final = 1_024
MOST_KEPT: Final = 2_000

# Three parts of base64url, the last of 32 bytes. jose skips characters that are none; we refuse them.
_FORM: Final = re.compile(r"([A-Za-z0-9_-]{10,400})\.[A-Za-z0-9_-]{10,600}\.[A-Za-z0-9_-]{43}")

Role = Literal["user", "trainer", "admin"]
DocumentId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{24}\Z")]
Moment = Annotated[int, msgspec.Meta(ge=1, le=2**40)]


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an access token says: who (`sub`), by which sign-in (`sid`), and until when (unix seconds)."""

    iss: str
    aud: str
    sub: DocumentId
    sid: DocumentId
    role: Role
    iat: Moment
    nbf: Moment
    exp: Moment
    jti: Annotated[str, msgspec.Meta(min_length=16, max_length=64)]


_decode = msgspec.json.Decoder(Claims).decode


class AccessTokens:
    """Signs with the first key, verifies with all of them, so that keys can be rotated without a break."""

    def __init__(
        self, keys: Sequence[tuple[str, str]], clock: Clock, *, issuer: str, audience: str, life_s: int
    ) -> None:
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._life_s = life_s
        self._kid = keys[0][0]
        self._key = jwk.construct(keys[0][1], ALGORITHM)
        self._verified: dict[str, Claims] = {}
        self._by_header: dict[str, Any] = {}
        for kid, secret in keys:
            key = jwk.construct(secret, ALGORITHM)
            written = jws.sign({}, key, {"kid": kid, "typ": KIND}, ALGORITHM)
            self._by_header[written.partition(".")[0]] = key

    def issue(self, user: str, sid: str, role: str) -> tuple[str, int]:
        """A fresh token and when it ends, unix seconds."""
        now = int(self._clock.now())
        expires = now + self._life_s
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user,
            "sid": sid,
            "role": role,
            "iat": now,
            "nbf": now,
            "exp": expires,
            "jti": secrets.token_urlsafe(16),
        }
        return jws.sign(claims, self._key, {"kid": self._kid, "typ": KIND}, ALGORITHM), expires

    def verify(self, token: str, *, keep: bool = True) -> Claims:
        """What the token says; Unauthenticated, without the reason, unless all of it is as we write it.

        `keep` remembers a good one: a kilobyte each, for the newest 2,000.
        """
        known = self._verified.get(token)
        if known is not None:
            self._check(known)
            return known
        form = _FORM.fullmatch(token) if len(token) <= MOST_CHARACTERS else None
        key = self._by_header.get(form[1]) if form else None
        if key is None:
            raise _refusal()
        try:
            claims = _decode(jws.verify(token, key, [ALGORITHM]))
        except (JOSEError, msgspec.DecodeError) as error:
            raise _refusal() from error
        self._check(claims)
        if keep:
            # A request asks twice, and a person's next one again: only what passed is kept, and its times
            # are looked at each time.
            self._verified[token] = claims
            if len(self._verified) > MOST_KEPT:
                del self._verified[next(iter(self._verified))]
        return claims

    def _check(self, claims: Claims) -> None:
        now = self._clock.now()
        good = (
            claims.iss == self._issuer
            and claims.aud == self._audience
            and claims.exp > now
            and claims.nbf <= now + LEEWAY_S
            and claims.iat <= now + LEEWAY_S
            and claims.iat <= claims.nbf < claims.exp <= claims.iat + self._life_s
        )
        if not good:
            raise _refusal()


def _refusal() -> Unauthenticated:
    return Unauthenticated("The token is not valid, or no longer.")
