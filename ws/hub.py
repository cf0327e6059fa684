"""Who is connected to this worker, and which rooms they are in. It knows no Redis: that is the broker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from fittracker.errors import RateLimited, TooLarge
from ws.connection import Connection
from ws.frames import Outgoing, event
from ws.room import Room


class Bus(Protocol):
    """The way to the other workers (ws/broker.py)."""

    def subscribe(self, room: str) -> asyncio.Future[None] | None:
        """Listen to a room; the future is done once Redis confirmed it (None: already confirmed)."""

    def unsubscribe(self, room: str) -> None:
        """Stop listening to a room."""

    def listened(self, room: str) -> bool:
        """Whether somebody on another worker may listen to a room; False only where that is known."""

    def publish(self, room: str, kind: bytes, key: str, payload: bytes) -> None:
        """Give a message to the other workers, at the end of the loop turn."""


class Attendance(Protocol):
    """Where the other workers read who is in a room here (ws/presence.py)."""

    def arrived(self, room: str, user: str, name: str, role: str) -> None:
        """This person now has a connection of this worker in the room."""

    def left(self, room: str, user: str) -> None:
        """This person left the room, or may not be in it any more, with all their connections here."""

    def vanished(self, room: str, user: str) -> None:
        """The last connection of this person in the room on this worker is gone."""


OWN = "user:"
TELEMETRY = b"t"
NEWEST = b"n"
EVENT = b"e"
SAID = b"d"
"""An event of a room's log, as Redis itself publishes it; its key is `<epoch> <number>`."""
PRESENT = b"p"
"""Who came and went, as Redis itself publishes it (ws/presence.lua); its key is a letter."""
RENEWED = b"g"
"""A room's log has a new epoch, likewise."""


class Hub:
    """The connections and rooms of one worker."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        bus: Bus,
        attendance: Attendance,
        *,
        tick_s: float,
        longest_tick_s: float,
        rooms_per_connection: int,
        sockets_per_user: int,
        sockets_per_address: int,
        closed: Callable[[str], None] = lambda _room: None,
    ) -> None:
        """`closed` is told the name of each room that has lost its last member here."""
        self._loop = loop
        self._bus = bus
        self._attendance = attendance
        self._tick = tick_s
        self._longest_tick = longest_tick_s
        self._rooms_per_connection = rooms_per_connection
        self._sockets_per_user = sockets_per_user
        self._sockets_per_address = sockets_per_address
        self._closed = closed
        self.connections: dict[str, Connection] = {}
        self.rooms: dict[str, Room] = {}
        self._addresses: Counter[str] = Counter()

    # -- connections ---------------------------------------------------------------------------------

    def admit(self, address: str) -> None:
        """Refuse an upgrade before it happens where that address has too many sockets."""
        if self._addresses[address] >= self._sockets_per_address:
            raise RateLimited("This address has too many open sockets.", retry_after_ms=10_000)

    def admit_user(self, user: str) -> None:
        """Refuse one more socket of a person who has too many."""
        if len(self.of_user(user)) >= self._sockets_per_user:
            raise RateLimited("You have too many open sockets.", retry_after_ms=10_000)

    def add(self, connection: Connection) -> None:
        """A socket was opened."""
        self.connections[connection.id] = connection
        self._addresses[connection.address] += 1

    def identify(self, connection: Connection) -> None:
        """A socket now belongs to somebody; it joins their own room."""
        identity = connection.identity
        if identity is None:
            raise ValueError("the connection has no identity yet")
        self.join(connection, own_room(identity.user))

    def remove(self, connection: Connection) -> None:
        """A socket is gone: out of its rooms, out of the lists."""
        if self.connections.pop(connection.id, None) is None:
            return
        for room in tuple(connection.rooms):
            self.leave(connection, room, vanished=True)
        self._addresses[connection.address] -= 1
        if self._addresses[connection.address] <= 0:
            del self._addresses[connection.address]

    def of_user(self, user: str) -> tuple[Connection, ...]:
        """A person's sockets on this worker: those in the room that nobody else joins and nobody leaves."""
        room = self.rooms.get(own_room(user))
        return tuple(room.members) if room is not None else ()

    def of_session(self, sid: str) -> Iterator[Connection]:
        """The sockets of a sign-in session on this worker."""
        for connection in tuple(self.connections.values()):
            if connection.identity is not None and connection.identity.sid == sid:
                yield connection

    # -- rooms ---------------------------------------------------------------------------------------

    def join(self, connection: Connection, name: str) -> asyncio.Future[None] | None:
        """Put a socket into a room; the future (where there is one) is done when Redis delivers too."""
        if name in connection.rooms:
            return None
        if len(connection.rooms) >= self._rooms_per_connection:
            raise TooLarge(f"A connection may be in {self._rooms_per_connection} rooms.")
        room = self.rooms.get(name)
        if room is None:
            room = self.rooms[name] = Room(name)
        room.members[connection] = None
        connection.rooms.append(room.name)  # and not `name`: all members share one string
        identity = connection.identity
        if identity is not None and _came(room, identity.user):
            self._attendance.arrived(name, identity.user, identity.name, identity.role)
        return self._bus.subscribe(name)

    def leave(self, connection: Connection, name: str, *, vanished: bool = False) -> None:
        """Take a socket out of a room; the last one closes the room on this worker.

        `vanished`: it is gone, and not only out of the room.
        """
        if name in connection.rooms:
            connection.rooms.remove(name)
        room = self.rooms.get(name)
        if room is None or connection not in room.members:
            return
        if connection.open:
            room.tell()  # what was said before they left, they hear
        del room.members[connection]
        identity = connection.identity
        if identity is not None and _went(room, identity.user):
            tell = self._attendance.vanished if vanished else self._attendance.left
            tell(name, identity.user)
        if not room.members:
            room.close()
            del self.rooms[name]
            self._bus.unsubscribe(name)
            self._closed(name)

    # -- fan-out -------------------------------------------------------------------------------------

    def listened(self, name: str) -> bool:
        """Whether telemetry to this room would have a reader, here or on another worker."""
        return name in self.rooms or self._bus.listened(name)

    def telemetry(self, name: str, key: str, payload: bytes) -> None:
        """Newest-wins data about `key` (an athlete) to everybody in the room, on every worker."""
        self.deliver_telemetry(name, key, payload)
        if self._bus.listened(name):
            self._bus.publish(name, TELEMETRY, key, payload)

    def deliver_telemetry(self, name: str, key: str, payload: bytes) -> None:
        """The same, to the members on this worker only."""
        room = self.rooms.get(name)
        if room is not None:
            room.hear(key, self._loop.time())
            room.gather(key, Outgoing(payload), self._loop, self._tick, self._longest_tick)

    def newest(self, name: str, key: str, outgoing: Outgoing) -> None:
        """Of what has this `key` a slow reader gets the newest; to everybody in the room, on every worker.

        Not as telemetry, nothing follows from it when no more comes.
        """
        self.deliver_newest(name, key, outgoing)
        if self._bus.listened(name):
            self._bus.publish(name, NEWEST, key, outgoing.payload)

    def deliver_newest(self, name: str, key: str, outgoing: Outgoing) -> None:
        """The same, to the members on this worker only."""
        room = self.rooms.get(name)
        if room is not None:
            room.gather(key, outgoing, self._loop, self._tick, self._longest_tick)

    def publish(self, name: str, outgoing: Outgoing, *, about: str = "") -> None:
        """An event to everybody in the room, on every worker. `about`: the athlete whose stream it ends."""
        self.deliver(name, about, outgoing)
        self._bus.publish(name, EVENT, about, outgoing.payload)

    def deliver(self, name: str, about: str, outgoing: Outgoing) -> None:
        """The same, to the members on this worker only."""
        room = self.rooms.get(name)
        if room is not None:
            if about:
                room.forget(about)
            room.send(outgoing, self._loop, _deaf(room) or None)

    def say(self, name: str, outgoing: Outgoing, absent: Collection[Connection]) -> None:
        """An event of a room's log, to the members on this worker but the absent; see Room.send."""
        room = self.rooms.get(name)
        if room is not None:
            deaf = _deaf(room)
            room.send(outgoing, self._loop, {*absent, *deaf} if deaf else absent)

    def tell(self, name: str) -> None:
        """Let the events that a room was told so far leave now."""
        room = self.rooms.get(name)
        if room is not None:
            room.tell()

    def tell_stale(self, now: float, silent_s: float) -> None:
        """Tell each room which athletes have gone silent, once.

        The worker of the watchers does this, not the worker of the athlete: it may be the one that died.
        """
        for room in tuple(self.rooms.values()):
            for user in room.grown_silent(now - silent_s):
                room.send(event("hr.stale", {"user": user}, room=room.name), self._loop)


def _came(room: Room, user: str) -> bool:
    """Whether a socket that is in the room now is the first of this person there.

    In the room that each socket is in, nobody else is: it needs no list of persons.
    """
    return len(room.members) == 1 if room.name == own_room(user) else room.arrive(user)


def _went(room: Room, user: str) -> bool:
    """Whether a socket that has left was the last of this person there."""
    return not room.members if room.name == own_room(user) else room.depart(user)


def own_room(user: str) -> str:
    """The room of all sockets of one person."""
    return f"{OWN}{user}"


def _deaf(room: Room) -> tuple[Connection, ...]:
    """Of somebody's own room the sockets with a device token: it is good for its scopes, not for their inbox.

    They are in it all the same, for that is how all sockets of a person are found.
    """
    if not room.name.startswith(OWN):
        return ()
    return tuple(each for each in room.members if each.identity and each.identity.scopes is not None)
