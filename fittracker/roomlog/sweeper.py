"""What is between Redis and MongoDB: stored and not yet marked so, or left by a dead worker to be stored."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter
from redis.exceptions import RedisError

from fittracker.herd import Herd
from fittracker.mongo import DATABASE_ERRORS
from fittracker.observability import logger
from fittracker.roomlog.archive import Archive
from fittracker.roomlog.record import Place
from fittracker.roomlog.recovery import Recovery
from fittracker.roomlog.window import Window

log = logger(__name__)

TROUBLE: Final = (*DATABASE_ERRORS, RedisError)
"""MongoDB or Redis is away, between two masters, out of space: nothing of it is a defect of ours."""
NO_EPOCH: Final = "-"
"""Stands for the epoch of a number that nobody must go on from."""
MOST_ROOMS: Final = 100

swept = Counter("fittracker_log_swept", "Durable events that another worker had left behind")


class Sweeper:
    """Looks after all rooms, for one worker."""

    def __init__(self, window: Window, archive: Archive, recovery: Recovery) -> None:
        self._window = window
        self._archive = archive
        self._recovery = recovery
        self._landing: Herd[str, None] = Herd(self._land_all)
        self._owed: dict[str, dict[int, str]] = {}
        """Numbers that are stored, with their epochs, of which Redis has not heard yet."""

    # -- telling Redis ---------------------------------------------------------------------------------

    def owe(self, room: str, place: Place) -> None:
        """This number is stored."""
        self._owed.setdefault(room, {})[place.seq] = place.epoch

    async def settle(self) -> None:
        """Tell Redis what is stored. Where a room has begun anew meanwhile, it has to do so once more.

        For what was stored late belongs to an order that others have left already: they must read again.
        """
        owed, self._owed = self._owed, {}
        if not owed:
            return
        try:
            present = await self._window.archived({room: list(numbers) for room, numbers in owed.items()})
            for room, epoch in present.items():
                if set(owed[room].values()) != {epoch}:
                    await self._recovery.begin(room, instead_of=epoch)
                del owed[room]
        except TROUBLE as error:
            log.warning("log_not_settled", rooms=len(owed), reason=type(error).__name__)
        finally:
            for room, numbers in owed.items():
                self._owed[room] = {**numbers, **self._owed.get(room, {})}

    # -- storing ---------------------------------------------------------------------------------------

    async def sweep(self, before_ms: int) -> int:
        """Store what was placed in Redis before then and never came to MongoDB; how many events."""
        await self.settle()
        count = 0
        for room in await self._window.overdue(before_ms, MOST_ROOMS):
            try:
                count += await self.sweep_room(room, before_ms)
            except TROUBLE:
                raise
            except Exception:
                # One that cannot be read (its key is gone) must not keep the others waiting.
                log.exception("log_room_not_swept", room=room)
        swept.inc(count)
        return count

    async def sweep_room(self, room: str, before_ms: int | None = None) -> int:
        """Store what of a room waits, of before then: the others are on their way."""
        waiting, vanished = await self._window.pending(room)
        younger = [each.record.at_ms for each in waiting if before_ms and each.record.at_ms > before_ms]
        entries = [each for each in waiting if not before_ms or each.record.at_ms <= before_ms]
        astray = await self._archive.store([(room, each) for each in entries]) if entries else {}
        for entry in entries:
            place = entry.place
            self.owe(room, Place(NO_EPOCH, place.seq) if entry.record.id in astray else place)
        if astray:
            log.warning("log_swept_astray", room=room, count=len(astray))
        if vanished:
            log.error("log_window_lost", room=room, count=len(vanished))
            await self._window.archived({room: vanished})
        await self.settle()
        if younger:
            await self._window.waits_since(room, min(younger))
        return len(entries)

    async def land(self, room: str) -> None:
        """Store what waits in a room, whoever it is on its way with."""
        await self._landing.ask(room)

    async def _land_all(self, rooms: list[str]) -> Mapping[str, None]:
        await asyncio.gather(*map(self.sweep_room, rooms))
        return dict.fromkeys(rooms)
