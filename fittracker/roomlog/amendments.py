"""What becomes of an event after it was said: it says something else, or has something laid over it.

Its place stays. The truth is MongoDB's; the window loses what was rewritten, so that whoever recovers the
room gets what is there now. First the window, then MongoDB: if the worker dies in between, nothing happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from fittracker.roomlog.archive import Archive
from fittracker.roomlog.record import Kept, Record, Spot
from fittracker.roomlog.window import Window

PAUSES_S: Final = (0.05, 0.1)
"""An event is heard some milliseconds before it is stored: so long it is looked for again."""
STEP: Final = 500


class Amendments:
    """Changes to events of all rooms. Each names what it has seen, so two at once do not undo each other."""

    def __init__(self, window: Window, archive: Archive) -> None:
        self._window = window
        self._archive = archive

    async def find(self, event: str) -> Kept | None:
        """An event; None where there is none, also a moment later."""
        found = await self._archive.find(event)
        for pause in PAUSES_S:
            if found is not None:
                break
            await asyncio.sleep(pause)
            found = await self._archive.find(event)
        return found

    async def rewrite(self, kept: Kept, data: Any, *, bare: bool = False) -> bool:
        """Let it say something else, `bare` without what lay over it; False where it has changed since."""
        return await self._replace(kept, _saying(kept.entry.record, data), bare=bare)

    async def disown(self, kept: Kept, data: Any, *, bare: bool = False) -> bool:
        """The same, and nobody has said it any more."""
        record = msgspec.structs.replace(_saying(kept.entry.record, data), by="", client_id="")
        return await self._replace(kept, record, bare=bare)

    async def lay_over(self, kept: Kept, overlay: bytes | None, people: Sequence[str]) -> bool:
        """Lay something over it that these people have to do with; False where it has changed since."""
        return await self._archive.lay_over(kept, overlay, people)

    async def expire(self, kind: str, before: datetime, *, leaving: tuple[str, Any]) -> int:
        """Delete what of a kind was said before then; how many events went.

        Of the newest event of a room its number stays: from there the room counts on should Redis forget.
        `leaving`: the kind and the data of what is left of that one.
        """
        count = 0
        while found := await self._archive.spots({"kind": kind, "at": {"$lt": before}}, STEP):
            await self._expire(found, *leaving)
            count += len(found)
        return count

    async def _expire(self, found: Sequence[Spot], kind: str, data: Any) -> None:
        rooms = {each.room for each in found}
        highest = {room: await self._archive.highest(room) for room in rooms}
        for each in found:
            if each.seq == highest[each.room]:
                await self._window.drop(each.room, [each.seq])
                left = Record(each.id, kind, "", "", each.at_ms, msgspec.json.encode(data))
                await self._archive.retire(each.id, left)
        await self.remove([each for each in found if each.seq < highest[each.room]])
        for room, seq in highest.items():
            await self._archive.remove_retired(room, seq)  # a later one has the number now

    async def remove(self, some: Sequence[Spot]) -> int:
        """Delete events for good, here and there; how many there were."""
        by_room: dict[str, list[int]] = {}
        for each in some:
            by_room.setdefault(each.room, []).append(each.seq)
        for room, numbers in by_room.items():
            await self._window.drop(room, numbers)
        return await self._archive.remove([each.id for each in some]) if some else 0

    async def _replace(self, kept: Kept, record: Record, *, bare: bool) -> bool:
        await self._window.drop(kept.room, [kept.entry.place.seq])
        return await self._archive.rewrite(kept, record, bare=bare)


def _saying(record: Record, data: Any) -> Record:
    return msgspec.structs.replace(record, data=msgspec.json.encode(data))
