"""Who sends a command: there on every socket that may send one."""

from __future__ import annotations

from fittracker.auth.identity import Identity
from fittracker.errors import Unauthenticated
from ws.connection import Connection


def identity_of(connection: Connection) -> Identity:
    """Who they are; Unauthenticated before they have signed in."""
    if connection.identity is None:
        raise Unauthenticated("Send auth first.")
    return connection.identity


def user_of(connection: Connection) -> str:
    """Their id; Unauthenticated likewise."""
    return identity_of(connection).user
