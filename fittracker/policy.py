"""Who may do something: declared beside every route and every command, which have no default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may. A device token may where `scope` is one of its own."""

    name: str
    anonymous: bool = False
    """Whether nobody has to be signed in."""
    roles: frozenset[str] | None = None
    """The roles that may; None: all."""
    scope: str | None = None


ANYBODY: Final = Policy("anybody", anonymous=True)
SIGNED_IN: Final = Policy("signed in")
TRAINER: Final = Policy("trainer", roles=frozenset({"trainer"}))
ADMIN: Final = Policy("admin", roles=frozenset({"admin"}))
