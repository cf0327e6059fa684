"""The rooms whose log this worker reads: joining them, hearing what is said, mending what was not heard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
from prometheus_client import Counter

from fittracker.mongo import OUTAGES as MONGO_OUTAGES
from fittracker.observability import logger
from fittracker.redis import OUTAGES as REDIS_OUTAGES
from fittracker.roomlog.log import RoomLog
from fittracker.roomlog.record import Entry, Place, wire
from ws.connection import Connection
from ws.frames import Outgoing, event
from ws.hub import Hub
from ws.reading import Reading

log = logger(__name__)

OUTAGES: Final = (*REDIS_OUTAGES, *MONGO_OUTAGES)
TRIES: Final = 5
PAUSE_S: Final = 0.1
"""What is missing may be on its way to MongoDB: it is looked for a few times."""
LONGEST_PAUSE_S: Final = 2.0
AT_ONCE: Final = 500
"""So many rooms are looked at in one go."""

MOST_BYTES: Final = 524_288
"""An answer with more than that would count as unread, and close the connection as too slow."""

healed = Counter("fittracker_log_healed", "Durable events that did not arrive by themselves and were fetched")
gaps = Counter("fittracker_log_gaps", "Times a room was told that it has to read its history again")

Join = Callable[[Connection, str], Coroutine[Any, Any, None]]
Spawn = Callable[[Coroutine[Any, Any, Any], str], None]
Seen = TypeVar("Seen")


class Gap(msgspec.Struct):
    """Events were said that will not come: read the history again. It goes on after this place."""

    epoch: str
    seq: int
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Entered:
    """Where the room is; what was missed, where that could be had."""

    place: Place | None
    recovered: bool
    events: list[msgspec.Raw]


class Readers:
    """All rooms with a log and members on this worker."""

    def __init__(self, hub: Hub, room_log: RoomLog, join: Join, spawn: Spawn) -> None:
        self._hub = hub
        self._log = room_log
        self._join = join
        self._spawn = spawn
        self._rooms: dict[str, Reading] = {}
        self._doubted: set[str] = set()
        self._looking = False

    # -- joining -------------------------------------------------------------------------------------

    async def enter(
        self, connection: Connection, room: str, since: Place | None, look: Callable[[], Awaitable[Seen]]
    ) -> tuple[Entered, Seen]:
        """Put a socket into a room with a log; from the place it is told on, it hears everything once.

        `look` is done on the way, after the socket has come in: its answer comes back as well. From the
        moment this returns events are sent, so whoever called answers at once. While Redis is away there is
        no place: the room is told of a gap when it is back.
        """
        reading = self._rooms.get(room)
        if reading is None:
            reading = self._rooms[room] = self._read(room)
        reading.joining.add(connection)
        try:
            await self._join(connection, room)
            seen = await look()
            return await self._catch_up(reading, room, since), seen
        finally:
            self._hub.tell(room)  # what waits was said before: whoever is coming in has it in the answer
            reading.arrived(connection)
            if room not in self._hub.rooms:
                self.forget(room)

    async def _catch_up(self, reading: Reading, room: str, since: Place | None) -> Entered:
        """What was missed since that place, up to where this worker is when this returns."""
        try:
            if reading.place is None:
                await self._begin(reading, room)
            if since is None:
                return Entered(reading.place, False, [])
            found = await self._log.recover(room, since)
            await self._keep_up(room, reading, found.head)
        except OUTAGES as error:
            log.warning("room_place_unknown", room=room, reason=type(error).__name__)
            return Entered(reading.place, False, [])
        place = reading.place
        if found.entries is None or place is None or place.epoch != found.head.epoch:
            return Entered(place, False, [])
        known = [wire(room, each) for each in found.entries]
        later = reading.since(found.head.seq)
        if found.head.seq + len(later) != place.seq or sum(map(len, (*known, *later))) > MOST_BYTES:
            return Entered(place, False, [])
        return Entered(place, True, [msgspec.Raw(each) for each in (*known, *later)])

    async def _begin(self, reading: Reading, room: str) -> None:
        """Find out where the room is.

        What was heard before the question is no newer than the answer. Where another epoch was heard of
        meanwhile, nobody can tell which is the newer one: ask again.
        """
        while reading.place is None:
            before = set(reading.epochs)
            head = await self._log.head(room)
            if reading.epochs <= before | {head.epoch}:
                reading.begin(head)

    async def _keep_up(self, room: str, reading: Reading, head: Place) -> None:
        """Somebody has seen more of the room than this worker has: it must not be told to them twice."""
        now = reading.place
        if now is not None and now.epoch == head.epoch and now.seq < head.seq:
            self._fill(
                room, reading, head.epoch, await self._log.between(room, head.epoch, now.seq + 1, head.seq)
            )

    def _fill(self, room: str, reading: Reading, epoch: str, entries: list[Entry] | None) -> None:
        """Pass on what was fetched, unless the room has left that epoch while it was on its way."""
        for entry in entries or ():
            if reading.place is not None and reading.place.epoch == epoch:
                reading.hear(entry.place, wire(room, entry))

    # -- hearing -------------------------------------------------------------------------------------

    def hear(self, room: str, place: Place, payload: bytes) -> None:
        """An event of a room's log came from Redis."""
        reading = self._rooms.get(room)
        if reading is None:
            # A room that nobody asked the place of, such as everybody's own: passed on as it comes.
            self._hub.deliver(room, "", Outgoing(payload))
            return
        reading.hear(place, payload)
        self._mend(room, reading)

    def renew(self, room: str, place: Place) -> None:
        """A room has begun a new epoch."""
        reading = self._rooms.get(room)
        if reading is not None and (reading.place is None or reading.place.epoch != place.epoch):
            reading.renew(place)

    def forget(self, room: str) -> None:
        """The last member on this worker has left."""
        reading = self._rooms.get(room)
        if reading is not None and not reading.joining:
            del self._rooms[room]

    def look_again(self) -> None:
        """Something may have been said while this worker could not listen: find out, room by room."""
        self.doubt(*self._rooms)

    def doubt(self, *rooms: str) -> None:
        """The same for these rooms; until it is known, however long Redis and MongoDB are away."""
        self._doubted.update(rooms)
        if self._doubted and not self._looking:
            self._looking = True
            self._spawn(self._look(), "rooms-looked-at")

    async def _look(self) -> None:
        pause = PAUSE_S
        try:
            while self._doubted:
                rooms = [self._doubted.pop() for _ in range(min(len(self._doubted), AT_ONCE))]
                looks = await asyncio.gather(*map(self._look_at, rooms), return_exceptions=True)
                failed = {room: error for room, error in zip(rooms, looks, strict=True) if error is not None}
                self._doubted.update(failed)
                if failed:
                    reason = type(next(iter(failed.values()))).__name__
                    log.warning("room_not_looked_at", rooms=len(self._doubted), reason=reason)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_S)
                else:
                    pause = PAUSE_S
        finally:
            self._looking = False

    async def _look_at(self, room: str) -> None:
        reading = self._rooms.get(room)
        while reading is not None and self._rooms.get(room) is reading:
            before = reading.place
            if before is None:
                await self._begin(reading, room)
                if reading.place is not None:
                    self._tell(room, reading, reading.place)  # its members were never told where it is
                return
            head = await self._log.head(room)
            if reading.place is not None and reading.place.epoch == before.epoch:
                reading.reach(head)
                self._mend(room, reading)
                return
            # A new epoch was heard of meanwhile: which of the two is newer, only another look tells.

    # -- mending -------------------------------------------------------------------------------------

    def _mend(self, room: str, reading: Reading) -> None:
        if reading.missing is not None and not reading.healing:
            reading.healing = True
            self._spawn(self._heal(room, reading), f"heal-{room}")

    async def _heal(self, room: str, reading: Reading) -> None:
        """Fetch what is missing, hole by hole; where it cannot be had, say so."""
        try:
            while self._rooms.get(room) is reading and (hole := reading.missing) and reading.place:
                epoch = reading.place.epoch
                entries = await self._fetch(room, epoch, *hole)
                self._fill(room, reading, epoch, entries)
                healed.inc(len(entries or ()))
                # Unless it came by itself meanwhile, or the epoch changed.
                if entries is None and reading.missing == hole and reading.place.epoch == epoch:
                    reading.renew(Place(epoch, hole[1]))
        finally:
            reading.healing = False

    async def _fetch(self, room: str, epoch: str, first: int, last: int) -> list[Entry] | None:
        for attempt in range(TRIES):
            try:
                found = await self._log.between(room, epoch, first, last)
            except OUTAGES as error:
                log.warning("room_not_healed", room=room, reason=type(error).__name__)
                found = None
            if found is not None:
                return found
            await asyncio.sleep(PAUSE_S * 2**attempt)
        return None

    # -- out -----------------------------------------------------------------------------------------

    def _read(self, room: str) -> Reading:
        def emit(payload: bytes) -> None:
            self._pass_on(room, reading, Outgoing(payload))

        def tell(place: Place) -> None:
            self._tell(room, reading, place)

        reading = Reading(emit, tell)
        return reading

    def _tell(self, room: str, reading: Reading, place: Place) -> None:
        gaps.inc()
        self._pass_on(room, reading, event("room.gap", Gap(place.epoch, place.seq), room=room))

    def _pass_on(self, room: str, reading: Reading, outgoing: Outgoing) -> None:
        """To everybody who has come in."""
        self._hub.say(room, outgoing, reading.joining)
