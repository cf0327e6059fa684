"""Reading the log: where a room is, what was said since, and a new epoch where Redis has lost the order."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter

from fittracker.herd import Herd
from fittracker.observability import logger
from fittracker.roomlog.archive import Archive
from fittracker.roomlog.record import Entry, Place
from fittracker.roomlog.window import Window

log = logger(__name__)

JUMP: Final = 10_000
"""A new epoch begins so far behind what MongoDB has: what is still on its way there fits between."""
MOST_RECOVERED: Final = 1_000
"""Whoever missed more is told to read the history instead."""

epochs = Counter("fittracker_log_epochs", "Rooms that began anew because Redis had lost their order")


@dataclass(frozen=True, slots=True)
class Recovered:
    """A room's newest place, and what was said after some other one: None where that cannot be told."""

    head: Place
    entries: list[Entry] | None


class Recovery:
    """The rooms of all workers, as one worker reads them."""

    def __init__(self, window: Window, archive: Archive) -> None:
        self._window = window
        self._archive = archive
        self._beginning: Herd[str, Place] = Herd(self._begin_all)
        self._looking: Herd[str, Place] = Herd(self._look_all)
        self._recovering: Herd[tuple[str, Place], Recovered] = Herd(self._recover_all)

    # -- beginning anew ------------------------------------------------------------------------------

    async def begin_where_lost(self, room: str) -> Place:
        """A new epoch, unless another worker was quicker; what holds now."""
        return await self._beginning.ask(room)

    async def _begin_all(self, rooms: list[str]) -> Mapping[str, Place]:
        return dict(zip(rooms, await asyncio.gather(*map(self.begin, rooms)), strict=True))

    async def begin(self, room: str, *, instead_of: str = "") -> Place:
        """The same; `instead_of`: an epoch that shall not go on."""
        highest = await self._archive.highest(room)
        epoch = secrets.token_hex(8)
        place = await self._window.begin(room, epoch, highest + JUMP if highest else 0, instead_of=instead_of)
        if place.epoch == epoch:
            epochs.inc()
            log.info("log_epoch", room=room, seq=place.seq, again=bool(highest))
        return place

    # -- reading -------------------------------------------------------------------------------------

    async def head(self, room: str) -> Place:
        """The newest place of a room, over all workers. Many who ask at once are answered by one look."""
        return await self._looking.ask(room)

    async def _look_all(self, rooms: list[str]) -> Mapping[str, Place]:
        heads = await self._window.heads(rooms)
        lost = [room for room, place in heads.items() if place is None]
        begun = dict(zip(lost, await asyncio.gather(*map(self._beginning.ask, lost)), strict=True))
        return {room: place or begun[room] for room, place in heads.items()}

    async def recover(self, room: str, after: Place) -> Recovered:
        """What was said after a place, up to the newest. Many who ask at once are answered by one look."""
        return await self._recovering.ask((room, after))

    async def _recover_all(self, asked: list[tuple[str, Place]]) -> Mapping[tuple[str, Place], Recovered]:
        by_room: dict[str, list[Place]] = {}
        for room, after in asked:
            by_room.setdefault(room, []).append(after)
        heads = await self._look_all(list(by_room))
        reads = (self._recover_room(heads[room], room, places) for room, places in by_room.items())
        return {key: found for each in await asyncio.gather(*reads) for key, found in each.items()}

    async def _recover_room(
        self, head: Place, room: str, places: list[Place]
    ) -> dict[tuple[str, Place], Recovered]:
        # Only places of this epoch can be gone on from, and none that lies ahead.
        good = [each for each in places if each.epoch == head.epoch and each.seq <= head.seq]
        known = await self._since(room, head, [each.seq for each in good])
        found = {}
        for each in places:
            missed = head.seq - each.seq
            told = each in good and len(known) >= missed
            entries = known[len(known) - missed :] if told else None
            found[room, each] = Recovered(head, entries)
        return found

    async def _since(self, room: str, head: Place, numbers: Sequence[int]) -> list[Entry]:
        """The newest events, back to the oldest number asked for if that is possible."""
        wanted = [each for each in numbers if head.seq - each <= MOST_RECOVERED]
        first = min(wanted, default=head.seq) + 1
        if first > head.seq:
            return []
        return await self._find(room, head.epoch, first, head.seq) or []

    async def between(self, room: str, epoch: str, first: int, last: int) -> list[Entry] | None:
        """The events with these numbers, all of them, or None: first out of the window, then MongoDB."""
        if last - first >= MOST_RECOVERED:
            return None
        return await self._find(room, epoch, first, last)

    async def _find(self, room: str, epoch: str, first: int, last: int) -> list[Entry] | None:
        """All of them: out of the window, and what has left it (see `amendments`) out of MongoDB."""
        count = last - first + 1
        found = {each.place.seq: each for each in await self._window.between(room, epoch, first, last)}
        if len(found) < count:
            found |= {each.place.seq: each for each in await self._archive.between(room, epoch, first, last)}
        return [found[seq] for seq in sorted(found)] if len(found) == count else None
