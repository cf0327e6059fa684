"""Which features there are. A new one is a file with commands, events, rooms, and a line here."""

from __future__ import annotations

from ws import challenges, chat, coaching, form, heart, notifications, online, rooms, session, social
from ws.registry import Registry

FEATURES = (session, rooms, online, heart, notifications, chat, coaching, social, form, challenges)


def registry() -> Registry:
    """All that the protocol consists of."""
    return Registry(FEATURES)
