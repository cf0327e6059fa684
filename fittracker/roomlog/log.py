"""The log of all rooms: whatever is said here is in one order, there once, and not lost once confirmed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import Counter, Gauge

from fittracker.background import beside
from fittracker.clock import Clock
from fittracker.errors import Failure, Unavailable
from fittracker.herd import Herd
from fittracker.mongo import DATABASE_ERRORS
from fittracker.mongo import OUTAGES as MONGO_OUTAGES
from fittracker.observability import logger
from fittracker.redis import OUTAGES as REDIS_OUTAGES
from fittracker.roomlog.archive import Archive
from fittracker.roomlog.record import Entry, Place, record
from fittracker.roomlog.window import Placed, Said, Unplaced, Window

log = logger(__name__)

JUMP: Final = 10_000
"""A new epoch begins so far behind what MongoDB has: what is still on its way there fits between."""
MOST_WAITING: Final = 20_000
PATIENCE_S: Final = 10.0
TRIES: Final = 5
RETRY_S: Final = (0.05, 2.0)
SWEEP_S: Final = 2.0
OVERDUE_MS: Final = 5_000
MOST_RECOVERED: Final = 1_000
"""Whoever missed more is told to read the history instead."""

said = Counter("fittracker_log_events", "Durable events that were confirmed to their sender")
unstored = Gauge("fittracker_log_waiting", "Durable events of this worker that wait for MongoDB")
swept = Counter("fittracker_log_swept", "Durable events that another worker had left behind")
epochs = Counter("fittracker_log_epochs", "Rooms that began anew because Redis had lost their order")


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What is sure: the event's id, its place, and when it was said (unix ms)."""

    id: str
    place: Place
    at_ms: int


@dataclass(slots=True)
class _Waiting:
    said: Said
    done: asyncio.Future[Confirmed]
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Recovered:
    """A room's newest place, and what was said after some other one: None where that cannot be told."""

    head: Place
    entries: list[Entry] | None


class RoomLog:
    """The rooms of all workers, as one worker reads and writes them."""

    def __init__(self, window: Window, archive: Archive, clock: Clock) -> None:
        self._window = window
        self.archive = archive
        self._clock = clock
        self._out: list[_Waiting] = []
        self._more = asyncio.Event()
        self._placed: list[tuple[_Waiting, Placed]] = []
        self._landed = asyncio.Event()
        self._owed: dict[str, dict[int, str]] = {}
        self._beginning: Herd[str, Place] = Herd(self._begin_all)
        self._recovering: Herd[tuple[str, Place], Recovered] = Herd(self._recover_all)

    # -- saying --------------------------------------------------------------------------------------

    async def say(self, room: str, kind: str, data: Any, *, by: str, client_id: str) -> Confirmed:
        """Say something durable in a room; when this returns it is stored and in the room's order.

        The same `client_id` by the same person in the same room is the same event, whatever it says.
        Unavailable: the outcome is unknown, and sending the same again is safe.
        """
        if len(self._out) + len(self._placed) >= MOST_WAITING:
            raise Unavailable("Too much waits to be stored.", retry_after_ms=2_000)
        one = record(room, kind, data, by=by, client_id=client_id, at_ms=self._clock.now_ms())
        waiting = _Waiting(Said(room, one), asyncio.get_running_loop().create_future())
        self._out.append(waiting)
        self._more.set()
        try:
            async with asyncio.timeout(PATIENCE_S):
                confirmed = await asyncio.shield(waiting.done)
        except TimeoutError:
            waiting.done.add_done_callback(_heard)
            raise _unknown() from None
        said.inc()
        return confirmed

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work in the background until the block ends; what is placed by then is stored before it does."""
        try:
            async with (
                beside(self._publish(), "log-publish"),
                beside(self._store(), "log-store"),
                beside(self._sweep(), "log-sweep"),
            ):
                yield
        finally:
            for waiting in self._out:
                _refuse(waiting, Unavailable("The server restarts.", retry_after_ms=1_000))
            with contextlib.suppress(TimeoutError, *DATABASE_ERRORS, *REDIS_OUTAGES):
                async with asyncio.timeout(PATIENCE_S):
                    while self._placed:
                        await self._store_some()

    async def flush(self) -> None:
        """Wait until all that was said so far is stored, or was refused."""
        waiting = [each.done for each in (*self._out, *(one for one, _ in self._placed))]
        if waiting:
            await asyncio.wait(waiting)

    # -- to Redis ------------------------------------------------------------------------------------

    async def _publish(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            some, self._out = self._out, []
            try:
                await self._place(some)
            except Exception as error:
                if not isinstance(error, (*REDIS_OUTAGES, *MONGO_OUTAGES)):
                    log.exception("log_broken")
                for waiting in some:
                    _refuse(waiting, _unknown())

    async def _place(self, some: list[_Waiting]) -> None:
        for _ in range(TRIES):
            again: list[_Waiting] = []
            doubtful: list[_Waiting] = []
            answers = await self._window.append([each.said for each in some])
            lost = {one.said.room for one, each in zip(some, answers, strict=True) if each is Unplaced.LOST}
            await asyncio.gather(*map(self._beginning.ask, lost))
            for waiting, answer in zip(some, answers, strict=True):
                match answer:
                    case Placed(new=True):
                        self._placed.append((waiting, answer))
                    case Placed():
                        again += await self._confirm(waiting, answer)
                    case Unplaced.LOST:
                        again.append(waiting)
                    case Unplaced.DOUBTFUL:
                        doubtful.append(waiting)
                    case Failure():
                        _refuse(waiting, answer)
            self._landed.set()
            some = again + await self._clear(doubtful)
            if not some:
                return
        for waiting in some:
            _refuse(waiting, _unknown())

    async def _confirm(self, waiting: _Waiting, placed: Placed) -> list[_Waiting]:
        """It was sent before: confirmed once it is stored, by whoever had it. Those to be tried again."""
        one = waiting.said.record
        if await self.archive.placed(one.id) is None:
            await self._sweep_room(waiting.said.room)
            if not await self.archive.seen(one.id):
                await self._window.forget(waiting.said)  # neither stored nor in the window any more
                return [waiting]
        stored = await self.archive.placed(one.id)
        if stored is None:
            # Written a moment ago, by somebody else: not yet by a majority.
            await asyncio.sleep(RETRY_S[0])
            return [waiting]
        _settle(waiting, Confirmed(one.id, stored, placed.at_ms))
        return []

    async def _clear(self, doubtful: list[_Waiting]) -> list[_Waiting]:
        """Confirm those that MongoDB has; the others are new, and to be tried again."""
        fresh = []
        for waiting in doubtful:
            one = waiting.said.record
            stored = await self.archive.placed(one.id)
            if stored is None:
                waiting.said = Said(waiting.said.room, one, fresh=True)
                fresh.append(waiting)
            else:
                _settle(waiting, Confirmed(one.id, stored, one.at_ms))
        return fresh

    # -- to MongoDB ----------------------------------------------------------------------------------

    async def _store(self) -> None:
        pause, longest = RETRY_S
        while True:
            await self._landed.wait()
            self._landed.clear()
            while self._placed:
                try:
                    await self._store_some()
                    pause = RETRY_S[0]
                except DATABASE_ERRORS as error:
                    log.warning("log_not_stored", waiting=len(self._placed), reason=type(error).__name__)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, longest)

    async def _store_some(self) -> None:
        """Store what has its place, and confirm it."""
        some = self._placed[:]
        unstored.set(len(some))
        entries = [(one.said.room, Entry(placed.place, one.said.record)) for one, placed in some]
        misplaced = {entry.record.id for _, entry in await self.archive.store(entries)}
        del self._placed[: len(some)]
        unstored.set(len(self._placed))
        good = [(one, placed) for one, placed in some if one.said.record.id not in misplaced]
        for one, placed in good:
            _settle(one, Confirmed(one.said.record.id, placed.place, placed.at_ms))
            self._owed.setdefault(one.said.room, {})[placed.place.seq] = placed.place.epoch
        for one, placed in some:
            if one.said.record.id in misplaced:
                await self._replace(one, placed)
        await self._settle_with_redis()

    async def _replace(self, waiting: _Waiting, placed: Placed) -> None:
        """Its number had gone to another event, out of a Redis that lived beside this one: begin anew."""
        room = waiting.said.room
        log.error("log_number_taken", room=room, seq=placed.place.seq)
        try:
            await self._begin(room, instead_of=placed.place.epoch)
            await self._window.forget(waiting.said)
        except REDIS_OUTAGES:
            _refuse(waiting, _unknown())
            return
        self._out.append(waiting)
        self._more.set()

    async def _settle_with_redis(self) -> None:
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
                    await self._begin(room, instead_of=epoch)
        except (*REDIS_OUTAGES, *MONGO_OUTAGES) as error:
            log.warning("log_not_settled", rooms=len(owed), reason=type(error).__name__)
            for room, numbers in owed.items():
                self._owed[room] = {**numbers, **self._owed.get(room, {})}

    # -- beginning anew ------------------------------------------------------------------------------

    async def _begin_all(self, rooms: list[str]) -> Mapping[str, Place]:
        return {room: await self._begin(room) for room in rooms}

    async def _begin(self, room: str, *, instead_of: str = "") -> Place:
        highest = await self.archive.highest(room)
        epoch = secrets.token_hex(8)
        place = await self._window.begin(room, epoch, highest + JUMP if highest else 0, instead_of=instead_of)
        if place.epoch == epoch:
            epochs.inc()
            log.info("log_epoch", room=room, seq=place.seq, again=bool(highest))
        return place

    # -- reading -------------------------------------------------------------------------------------

    async def head(self, room: str) -> Place:
        """The newest place of a room, over all workers."""
        return await self._window.head(room) or await self._beginning.ask(room)

    async def recover(self, room: str, after: Place) -> Recovered:
        """What was said after a place, up to the newest. Many who ask at once are answered by one look."""
        return await self._recovering.ask((room, after))

    async def _recover_all(self, asked: list[tuple[str, Place]]) -> Mapping[tuple[str, Place], Recovered]:
        by_room: dict[str, list[Place]] = {}
        for room, after in asked:
            by_room.setdefault(room, []).append(after)
        found: dict[tuple[str, Place], Recovered] = {}
        for room, places in by_room.items():
            head = await self.head(room)
            # Only places of this epoch can be gone on from, and none that lies ahead.
            good = [each for each in places if each.epoch == head.epoch and each.seq <= head.seq]
            known = await self._since(room, head, [each.seq for each in good])
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
        found = await self._window.between(room, head.epoch, first, head.seq)
        if found is None:
            found = await self.archive.between(room, head.epoch, first, head.seq)
        return found or []

    async def between(self, room: str, epoch: str, first: int, last: int) -> list[Entry] | None:
        """The events with these numbers, all of them, or None: first out of the window, then MongoDB."""
        if last - first >= MOST_RECOVERED:
            return None
        found = await self._window.between(room, epoch, first, last)
        return found if found is not None else await self.archive.between(room, epoch, first, last)

    # -- what dead workers left ------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.sweep()
            except (*REDIS_OUTAGES, *DATABASE_ERRORS) as error:
                log.warning("log_not_swept", reason=type(error).__name__)
            except Exception:
                log.exception("log_sweep_broken")  # a defect; what waits must still be looked after

    async def sweep(self, *, older_than_ms: int = OVERDUE_MS) -> int:
        """Store what was placed in Redis and never came to MongoDB; how many events."""
        await self._settle_with_redis()
        count = 0
        for room in await self._window.overdue(self._clock.now_ms() - older_than_ms, 100):
            count += await self._sweep_room(room)
        return count

    async def _sweep_room(self, room: str) -> int:
        entries, vanished = await self._window.pending(room)
        if entries:
            misplaced = {
                entry.place.seq for _, entry in await self.archive.store([(room, e) for e in entries])
            }
            if misplaced:
                log.error("log_swept_number_taken", room=room, count=len(misplaced))
            swept.inc(len(entries) - len(misplaced))
        if vanished:
            log.error("log_window_lost", room=room, count=len(vanished))
        numbers = [*(entry.place.seq for entry in entries), *vanished]
        if numbers:
            await self._window.archived({room: numbers})
        return len(entries)


def _settle(waiting: _Waiting, confirmed: Confirmed) -> None:
    if not waiting.done.done():
        waiting.done.set_result(confirmed)


def _refuse(waiting: _Waiting, failure: Failure) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(failure)


def _unknown() -> Unavailable:
    return Unavailable(
        "The outcome is unknown; the same client_id is safe to send again.", retry_after_ms=1_000
    )


def _heard(done: asyncio.Future[Confirmed]) -> None:
    """Nobody waits any more: what came of it is not lost in a warning."""
    if not done.cancelled():
        done.exception()
