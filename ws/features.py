"""Which files of commands there are. A new feature is a file with tagged functions, and a line here."""

from __future__ import annotations

from ws import heart, rooms, session
from ws.commands import Registry

FEATURES = (session, rooms, heart)


def registry() -> Registry:
    """All commands of the protocol."""
    return Registry(FEATURES)
