"""The log of all rooms: whatever is said here is in one order, there once, and not lost once confirmed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import Counter, Gauge
from redis.exceptions import RedisError

from fittracker.background import beside, end
from fittracker.clock import Clock
from fittracker.errors import Failure, Unavailable
from fittracker.observability import logger
from fittracker.roomlog.amendments import Amendments
from fittracker.roomlog.archive import Archive
from fittracker.roomlog.record import Confirmed, Entry, Place, record
from fittracker.roomlog.recovery import Recovered, Recovery
from fittracker.roomlog.sweeper import NO_EPOCH, TROUBLE, Sweeper
from fittracker.roomlog.window import UNKNOWN, Placed, Said, Unplaced, Window

__all__ = ["Confirmed", "Recovered", "RoomLog"]

log = logger(__name__)

MOST_WAITING: Final = 20_000
PATIENCE_S: Final = 10.0
TRIES: Final = 5
RETRY_S: Final = (0.05, 2.0)
SWEEP_S: Final = 2.0
OVERDUE_MS: Final = 5_000

said = Counter("fittracker_log_events", "Durable events that were confirmed to their sender")
unstored = Gauge("fittracker_log_waiting", "Durable events of this worker that wait for MongoDB")


@dataclass(slots=True, eq=False)
class _Waiting:
    said: Said
    done: asyncio.Future[Confirmed]


class RoomLog:
    """The rooms of all workers, as one worker reads and writes them."""

    def __init__(self, window: Window, archive: Archive, clock: Clock) -> None:
        self._window = window
        self.archive = archive
        self._recovery = Recovery(window, archive)
        self.amendments = Amendments(window, archive)
        self._clock = clock
        self._unsettled: set[_Waiting] = set()
        """All that is neither confirmed nor refused."""
        self._out: list[_Waiting] = []
        self._more = asyncio.Event()
        self._resolving: set[asyncio.Task[None]] = set()
        self._placed: list[tuple[_Waiting, Placed]] = []
        self._landed = asyncio.Event()
        self._sweeper = Sweeper(window, archive, self._recovery)

    # -- saying --------------------------------------------------------------------------------------

    async def say(self, room: str, kind: str, data: Any, *, by: str, client_id: str) -> Confirmed:
        """Say something durable in a room; when this returns it is stored and in the room's order.

        The same `client_id` by the same person in the same room is the same event, whatever it says.
        Unavailable: the outcome is unknown, and sending the same again is safe.
        """
        if len(self._unsettled) >= MOST_WAITING:
            raise Unavailable("Too much waits to be stored.", retry_after_ms=2_000)
        one = record(room, kind, data, by=by, client_id=client_id, at_ms=self._clock.now_ms())
        waiting = _Waiting(Said(room, one), asyncio.get_running_loop().create_future())
        self._unsettled.add(waiting)
        self._send([waiting])
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
            await asyncio.gather(*map(end, tuple(self._resolving)))
            with contextlib.suppress(TimeoutError, *TROUBLE):
                async with asyncio.timeout(PATIENCE_S):
                    while self._placed:
                        await self._store_some()
                    await self._sweeper.settle()
            for waiting in tuple(self._unsettled):
                self._refuse(waiting, _unknown())

    async def flush(self) -> None:
        """Wait until all that was said so far is stored, or was refused."""
        if self._unsettled:
            await asyncio.wait([each.done for each in self._unsettled])

    def _settle(self, waiting: _Waiting, confirmed: Confirmed) -> None:
        self._unsettled.discard(waiting)
        if not waiting.done.done():
            waiting.done.set_result(confirmed)

    def _refuse(self, waiting: _Waiting, failure: Failure) -> None:
        self._unsettled.discard(waiting)
        if not waiting.done.done():
            waiting.done.set_exception(failure)

    # -- to Redis ------------------------------------------------------------------------------------

    def _send(self, some: Sequence[_Waiting]) -> None:
        self._out += some
        self._more.set()

    async def _publish(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            some, self._out = self._out, []
            try:
                rest = await self._place(some)
            except Exception as error:  # noqa: BLE001  whatever it is, it must not end this loop
                self._give_up(some, error)
            else:
                if rest:
                    # What has to be looked into must not hold up what others say.
                    self._spawn(self._resolve(rest))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="log-resolve")
        self._resolving.add(task)
        task.add_done_callback(self._resolving.discard)

    def _give_up(self, some: Sequence[_Waiting], error: Exception) -> None:
        """The outcome is unknown: the senders will ask again."""
        if isinstance(error, TROUBLE):
            log.warning("log_not_placed", count=len(some), reason=type(error).__name__)
        else:
            log.error("log_broken", exc_info=error)
        for waiting in some:
            self._refuse(waiting, _unknown())

    async def _place(self, some: Sequence[_Waiting]) -> list[tuple[_Waiting, Placed | Unplaced]]:
        """Give each its place; those that are no news to Redis, or of which it does not know, are left."""
        answers = await self._window.append([each.said for each in some])
        rest: list[tuple[_Waiting, Placed | Unplaced]] = []
        for waiting, answer in zip(some, answers, strict=True):
            match answer:
                case Failure():
                    self._refuse(waiting, answer)
                case Placed(new=True):
                    self._placed.append((waiting, answer))
                case _:
                    rest.append((waiting, answer))
        self._landed.set()
        return rest

    async def _resolve(self, rest: list[tuple[_Waiting, Placed | Unplaced]]) -> None:
        try:
            for _ in range(TRIES):
                again = await self._look_into(rest)
                if not again:
                    return
                rest = await self._place(again)
                if not rest:
                    return
            for waiting, _ in rest:
                self._refuse(waiting, _unknown())
        except Exception as error:  # noqa: BLE001  whatever it is, the senders have to hear of it
            self._give_up([waiting for waiting, _ in rest], error)

    async def _look_into(self, rest: list[tuple[_Waiting, Placed | Unplaced]]) -> list[_Waiting]:
        """Confirm what is stored already; those that have to be placed (again)."""
        lost = [waiting for waiting, answer in rest if answer is Unplaced.LOST]
        rooms = {each.said.room for each in lost}
        await asyncio.gather(*map(self._recovery.begin_where_lost, rooms))
        known = [waiting for waiting, answer in rest if isinstance(answer, Placed)]
        doubtful = [waiting for waiting, answer in rest if answer is Unplaced.DOUBTFUL]
        fresh = await self._confirm(doubtful)
        for waiting in fresh:
            waiting.said = Said(waiting.said.room, waiting.said.record, fresh=True)
        return lost + fresh + await self._confirm_known(known)

    async def _confirm(self, some: Sequence[_Waiting]) -> list[_Waiting]:
        """Confirm those that MongoDB has; the others."""
        if not some:
            return []
        found = await self.archive.confirmed([each.said.record.id for each in some])
        missing = []
        for waiting in some:
            confirmed = found.get(waiting.said.record.id)
            if confirmed is None:
                missing.append(waiting)
            else:
                self._settle(waiting, confirmed)
        return missing

    async def _confirm_known(self, some: Sequence[_Waiting]) -> list[_Waiting]:
        """They were sent before: confirmed once they are stored, by whoever had them."""
        missing = await self._confirm(some)
        for room in {each.said.room for each in missing}:
            await self._sweeper.sweep_room(room)
        missing = await self._confirm(missing)
        if not missing:
            return []
        seen = await self.archive.seen([each.said.record.id for each in missing])
        for waiting in missing:
            if waiting.said.record.id not in seen:
                await self._window.forget(waiting.said)  # neither stored nor in the window any more
        if seen:
            await asyncio.sleep(RETRY_S[0])  # written a moment ago, by somebody else: a majority will have it
        return missing

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
                except Exception as error:  # whatever it is, what waits must be stored all the same
                    if isinstance(error, TROUBLE):
                        log.warning("log_not_stored", waiting=len(self._placed), reason=type(error).__name__)
                    else:
                        log.exception("log_store_broken", waiting=len(self._placed))
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, longest)

    async def _store_some(self) -> None:
        """Store what has its place, and confirm it."""
        some = self._placed[:]
        unstored.set(len(some))
        astray = await self.archive.store(
            [(one.said.room, Entry(placed.place, one.said.record)) for one, placed in some]
        )
        del self._placed[: len(some)]
        unstored.set(len(self._placed))
        taken = []
        for one, placed in some:
            event, room, place = one.said.record.id, one.said.room, placed.place
            if event not in astray:
                self._settle(one, Confirmed(event, place, placed.at_ms))
                self._sweeper.owe(room, place)
            elif (elsewhere := astray[event]) is not None:
                # Sent twice over a loss of memory, and both were told. The first one counts.
                self._settle(one, elsewhere)
                self._sweeper.owe(room, Place(NO_EPOCH, place.seq))
            else:
                taken.append((one, placed))
        await self._sweeper.settle()
        for one, placed in taken:
            await self._replace(one, placed)

    async def _replace(self, waiting: _Waiting, placed: Placed) -> None:
        """Its number had gone to another event, out of a Redis that lived beside this one: begin anew."""
        room = waiting.said.room
        log.error("log_number_taken", room=room, seq=placed.place.seq)
        try:
            await self._recovery.begin(room, instead_of=placed.place.epoch)
            await self._window.forget(waiting.said)
        except TROUBLE as error:
            self._give_up([waiting], error)
        else:
            self._send([waiting])

    # -- what dead workers left ------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.sweep()
            except TROUBLE as error:
                log.warning("log_not_swept", reason=type(error).__name__)
            except Exception:
                log.exception("log_sweep_broken")  # a defect; what waits must still be looked after

    async def sweep(self, *, older_than_ms: int = OVERDUE_MS) -> int:
        """Store what was placed in Redis so long ago and never came to MongoDB; how many events."""
        return await self._sweeper.sweep(self._clock.now_ms() - older_than_ms)

    async def landed(self, room: str) -> None:
        """Wait until all that has its place in a room is stored: what lies up to its head can be read then.

        Many who ask at once are answered by one look. Where Redis is away nobody can tell what is on its way.
        """
        try:
            await self._sweeper.land(room)
        except RedisError as error:
            log.warning("log_not_landed", room=room, reason=type(error).__name__)

    # -- reading -------------------------------------------------------------------------------------

    async def head(self, room: str) -> Place:
        """The newest place of a room, over all workers."""
        return await self._recovery.head(room)

    async def recover(self, room: str, after: Place) -> Recovered:
        """What was said after a place, up to the newest. Many who ask at once are answered by one look."""
        return await self._recovery.recover(room, after)

    async def between(self, room: str, epoch: str, first: int, last: int) -> list[Entry] | None:
        """The events with these numbers, all of them, or None: first out of the window, then MongoDB."""
        return await self._recovery.between(room, epoch, first, last)


def _unknown() -> Unavailable:
    return Unavailable(UNKNOWN, retry_after_ms=1_000)


def _heard(done: asyncio.Future[Confirmed]) -> None:
    """Nobody waits any more: what came of it is not lost in a warning."""
    if not done.cancelled():
        done.exception()
