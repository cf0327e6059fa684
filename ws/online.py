"""Whether people are online: the question, and what is told of those who come and go."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fittracker.policy import SIGNED_IN
from ws.commands import command
from ws.connection import Connection
from ws.events import EventType
from ws.fields import Id
from ws.realtime import Realtime
from ws.sender import user_of
from ws.tidings import Changed, Joined, Left

MEETING: Final = ("session", "chat", "challenge")
EVENTS: Final = (
    EventType("presence.joined", Joined, MEETING),
    EventType("presence.left", Left, MEETING),
    EventType("presence.changed", Changed, MEETING),
)


class Query(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to look for."""

    users: Annotated[list[Id], Meta(min_length=1, max_length=100)]


class Online(msgspec.Struct):
    """Those who are online, each with `true`; whom one may not know of is missing like whoever is offline."""

    online: dict[str, bool]


@command("presence.query", Query, Online, policy=SIGNED_IN)
async def query(realtime: Realtime, connection: Connection, data: Query) -> Online:
    """Which of these people are online; until it closes this socket is told of changes, of up to 500 people.

    Of everybody who is `public`; else of those with whom one shares a grant, a coaching session that is not
    over, or a conversation; never where one of the two blocked the other.
    """
    online = await realtime.regard.acquaintance.ask(connection, user_of(connection), data.users)
    return Online(dict.fromkeys(sorted(online), True))
