"""Who is on the other end of a request or a socket."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whose token was good.

    `sid` is the sign-in session (or the device token). `scopes` is None for all that a signed-in person
    may do; a device token carries only its own. `expires_at` is in unix seconds.
    """

    user: str
    name: str
    role: str
    sid: str
    scopes: frozenset[str] | None
    expires_at: float
    device: bool
