"""Commands about the socket itself: signing in and renewing in band, and the ping of an application."""

from __future__ import annotations

from typing import Final

import msgspec

from fittracker.auth.identity import Identity
from fittracker.errors import Forbidden
from fittracker.policy import ANYBODY
from ws.commands import Nothing, command
from ws.connection import Connection
from ws.events import EventType
from ws.realtime import Realtime

PROTOCOL_VERSION = 1


class Auth(msgspec.Struct, forbid_unknown_fields=True):
    """A token: an access token or a device token."""

    token: str


class Hello(msgspec.Struct):
    """Who the server takes this socket for. `expires_at`: unix seconds at which the token ends."""

    connection: str
    user: str
    role: str
    ping_s: float
    expires_at: float
    version: int = PROTOCOL_VERSION


class Pong(msgspec.Struct):
    """The server's time, unix ms."""

    t: int


class Expiring(msgspec.Struct):
    """The token of this socket ends in so many seconds: send `auth` with a fresh one."""

    in_s: int


class Draining(msgspec.Struct):
    """The server restarts: finish what you are doing, and come back after so many milliseconds."""

    retry_after_ms: int
    reason: str


class Notice(msgspec.Struct):
    """Those who run the server have something to say to everybody."""

    text: str


EVENTS: Final = (
    EventType("hello", Hello),
    EventType("auth.expiring", Expiring),
    EventType("server.draining", Draining),
    EventType("server.notice", Notice),
)


@command("auth", Auth, Hello, policy=ANYBODY)
async def auth(realtime: Realtime, connection: Connection, data: Auth) -> Hello:
    """Sign in within 10 s of an upgrade without a token, or renew before the token ends.

    The first one is followed by `hello`; a renewal must be by the same person.
    """
    identity = await realtime.contexts.authenticator.authenticate(data.token, once=True)
    before = connection.identity
    if before is not None and before.user != identity.user:
        raise Forbidden("This socket belongs to somebody else.")
    if before is None:
        realtime.hub.admit_user(identity.user)
        welcome(realtime, connection, identity)
    else:
        adopt(realtime, connection, identity)
    return hello(realtime, connection, identity)


@command("ping", Nothing, Pong, policy=ANYBODY)
def ping(realtime: Realtime, _connection: Connection, _data: Nothing) -> Pong:
    """Ask the server for its time, or only for a sign of life."""
    return Pong(realtime.contexts.clock.now_ms())


def welcome(realtime: Realtime, connection: Connection, identity: Identity) -> None:
    """The socket now belongs to this person: into the lists, and hello."""
    adopt(realtime, connection, identity)
    realtime.hub.identify(connection)
    connection.tell("hello", hello(realtime, connection, identity))


def adopt(realtime: Realtime, connection: Connection, identity: Identity) -> None:
    """Take over what a (new) token says."""
    connection.identity = identity
    left = identity.expires_at - realtime.contexts.clock.now()
    connection.expires = realtime.loop.time() + left
    connection.expiring_told = False


def hello(realtime: Realtime, connection: Connection, identity: Identity) -> Hello:
    """What `hello` says."""
    return Hello(
        connection.id, identity.user, identity.role, realtime.settings.ws_ping_s, identity.expires_at
    )
