"""Who comes and goes in the rooms of this worker: heard from Redis, told to those who may know it.

What comes within a moment is told together, and looked up together who is not to know it. Where a room has
more than a hundred people only their number is told, at most once a second: of two thousand who come at once,
each hears some numbers, and not two thousand names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final

import msgspec

from fittracker.discretion import AGREED, Discretion
from fittracker.mongo import OUTAGES as MONGO_OUTAGES
from fittracker.observability import logger
from fittracker.redis import OUTAGES as REDIS_OUTAGES
from ws.frames import Outgoing
from ws.hub import Hub
from ws.presence import Card, Presence

log = logger(__name__)

GATHER_S: Final = 0.1
"""So long comings and goings are gathered."""
AGAIN_S: Final = 1.0
"""When to try again while nobody can say who may know."""


class Joined(msgspec.Struct):
    """Somebody has come into the room. One who was away for a moment only has not left, and does not come."""

    user: str
    name: str
    role: str


class Left(msgspec.Struct):
    """Somebody is in the room no more."""

    user: str


class Changed(msgspec.Struct, omit_defaults=True):
    """To a room of more than 100 people: how many are in it now, at most once a second.

    To a socket that has asked with `presence.query`: whether that person is online now.
    """

    user: str | None = None
    online: bool | None = None
    count: int | None = None


Spawn = Callable[[Coroutine[Any, Any, Any], str], None]
Event = Callable[[str, str, Any], Outgoing]
_joined = msgspec.json.Decoder(tuple[str, Card]).decode
_left = msgspec.json.Decoder(tuple[str]).decode


class Tidings:
    """What the rooms of one worker are told of those who come and go."""

    def __init__(
        self,
        hub: Hub,
        presence: Presence,
        discretion: Discretion,
        meeting: Collection[str],
        event: Event,
        spawn: Spawn,
    ) -> None:
        """`meeting`: the kinds of rooms in which people are told of each other; `event` makes one of now."""
        self._loop = asyncio.get_running_loop()
        self._hub = hub
        self._presence = presence
        self._discretion = discretion
        self._meeting = frozenset(meeting)
        self._event = event
        self._spawn = spawn
        self._heard: dict[tuple[str, str], Joined | Left] = {}
        self._due: asyncio.TimerHandle | None = None
        self._uncounted: set[str] = set()
        self._counting = False

    # -- hearing -------------------------------------------------------------------------------------

    def hear(self, room: str, letter: str, payload: bytes) -> None:
        """Redis says: somebody joined (j), left (l), or that only the count of the room is told (c)."""
        if room not in self._hub.rooms:
            return
        if letter == "c":
            self._uncounted.add(room)
        elif letter == "j":
            user, card = _joined(payload)
            self._gather(room, user, Joined(user, card.name, card.role))
        elif letter == "l":
            (user,) = _left(payload)
            self._gather(room, user, Left(user))

    def _gather(self, room: str, user: str, what: Joined | Left) -> None:
        self._heard.pop((room, user), None)  # the newest is all that is told, and in its place
        self._heard[room, user] = what
        self._tell_in(GATHER_S)

    def look_again(self) -> None:
        """Something may have been missed: tell every room where people meet how many are there."""
        self._uncounted |= {room for room in self._hub.rooms if _kind(room) in self._meeting}

    # -- telling persons -----------------------------------------------------------------------------

    def _tell_in(self, seconds: float) -> None:
        if self._due is None:
            self._due = self._loop.call_later(seconds, self._begin)

    def close(self) -> None:
        """Tell nothing any more."""
        if self._due is not None:
            self._due.cancel()

    def _begin(self) -> None:
        self._due = None
        self._spawn(self._tell(), "tidings")

    async def _tell(self) -> None:
        heard, self._heard = self._heard, {}
        try:
            for agreed in (True, False):
                some = {pair: what for pair, what in heard.items() if (_kind(pair[0]) == AGREED) is agreed}
                if some:
                    await self._tell_some(some, agreed)
        except MONGO_OUTAGES as error:
            log.warning("tidings_wait", reason=type(error).__name__)
            self._heard = {**heard, **self._heard}
            self._tell_in(AGAIN_S)

    async def _tell_some(self, some: dict[tuple[str, str], Joined | Left], agreed: bool) -> None:
        viewers = {
            who.user
            for room in {room for room, _ in some}
            for who in (self._hub.rooms[room].people() if room in self._hub.rooms else ())
        }
        users = {user for _, user in some}
        if not viewers - users and len(users) <= 1:
            return  # nobody but themselves
        hidden = await self._discretion.hidden_pairs(viewers, users, agreed=agreed)
        for (room, user), what in some.items():
            self._say(room, user, what, hidden)

    def _say(self, room: str, user: str, what: Joined | Left, hidden: set[tuple[str, str]]) -> None:
        found = self._hub.rooms.get(room)
        if found is None:
            return
        outgoing = self._event("presence.joined" if isinstance(what, Joined) else "presence.left", room, what)
        for member in found.members:
            who = member.identity
            if who is not None and who.user != user and (who.user, user) not in hidden:
                member.send(outgoing.frame(member.encoding))

    async def part(self, one: str, other: str) -> None:
        """One of the two blocked the other: where one sees the other now, they have left."""
        for connection in self._hub.of_user(one):
            for room in tuple(connection.rooms):
                if _kind(room) in self._meeting and await self._presence.among(room, other):
                    connection.send(
                        self._event("presence.left", room, Left(other)).frame(connection.encoding)
                    )

    # -- telling counts ------------------------------------------------------------------------------

    def each_second(self) -> None:
        """Count the rooms of which somebody came or went since the last time."""
        if self._uncounted and not self._counting:
            self._counting = True
            rooms, self._uncounted = self._uncounted, set()
            self._spawn(self._count(rooms), "count-rooms")

    async def _count(self, rooms: set[str]) -> None:
        try:
            here = [room for room in rooms if room in self._hub.rooms]
            counts = await asyncio.gather(*map(self._presence.count, here))
            for room, count in zip(here, counts, strict=True):
                self._hub.deliver(room, "", self._event("presence.changed", room, Changed(count=count)))
        except REDIS_OUTAGES:
            self._uncounted |= rooms
        finally:
            self._counting = False


def _kind(room: str) -> str:
    return room.partition(":")[0]
