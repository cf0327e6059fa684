"""The realtime server of one worker: its parts, put together, and what other workers tell it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from prometheus_client import Counter, Gauge

from config.settings import Settings
from fittracker.background import end
from fittracker.clock import rfc3339
from fittracker.contexts import Contexts
from fittracker.errors import Failure, NotFound
from fittracker.observability import logger
from fittracker.roomlog.record import Place
from fittracker.telemetry import Telemetry
from ws.broker import Broker
from ws.connection import Connection
from ws.frames import Close, Outgoing, decoders, event
from ws.hub import NEWEST, PRESENT, RENEWED, SAID, TELEMETRY, Hub
from ws.orders import Orders
from ws.presence import Presence
from ws.readers import Readers
from ws.regard import Regard
from ws.registry import Registry
from ws.roll_call import Clerk
from ws.typing import Typing
from ws.wheel import Wheel
from ws.writer import Writer

log = logger(__name__)
T = TypeVar("T")

CONFIRM_S = 2.0
"""How long a joining socket waits for Redis."""
LAST_FLUSH_S = 5.0
"""How long draining sockets wait for MongoDB."""
CLOSE_S = 2.0
"""How long a peer may take to read and answer a close frame."""
FLUSH_POLL_S = 0.02

sockets = Gauge("fittracker_sockets", "Open WebSockets of this worker")
rooms = Gauge("fittracker_rooms", "Rooms with members on this worker")
slow = Gauge("fittracker_slow_readers", "Sockets whose telemetry is held back")
closed = Counter("fittracker_sockets_closed", "Sockets the server closed, by code", ["code"])
lag = Gauge("fittracker_loop_lag_seconds", "How late the last turn of the wheel was")


class Realtime:
    """Everything a command may need. One per worker, made in its loop."""

    def __init__(
        self, settings: Settings, contexts: Contexts, registry: Registry, telemetry: Telemetry, worker: str
    ) -> None:
        loop = asyncio.get_running_loop()
        self.settings = settings
        self.contexts = contexts
        self.registry = registry
        self.telemetry = telemetry
        self.worker = worker
        self.loop = loop
        self.decode = decoders(registry.union)
        self.draining = False
        self.wheel = Wheel(loop)
        self.writer = Writer(loop)
        self.broker = Broker(
            settings.redis_url,
            worker,
            deliver=self._deliver,
            control=self._heed,
            reconnected=self.reconnected,
            listening=self._listening,
        )
        meeting = [each.name for each in registry.rooms.values() if each.meeting]
        self.presence = Presence(self.broker, meeting, grace_s=settings.presence_grace_s)
        self.hub = Hub(
            loop,
            self.broker,
            self.presence,
            tick_s=settings.telemetry_tick_s,
            longest_tick_s=settings.telemetry_tick_max_s,
            rooms_per_connection=settings.ws_rooms,
            sockets_per_user=settings.ws_sockets_per_user,
            sockets_per_address=settings.ws_sockets_per_address,
            closed=self._closed,
        )
        self.typing = Typing()
        self.readers = Readers(self.hub, contexts.room_log, self.join, self.spawn)
        self.regard = Regard(
            self.hub, self.broker, self.presence, contexts.discretion, meeting, self.event, self.spawn
        )
        self.clerk = Clerk(self.hub, self.broker, contexts.clock.now() - loop.time())
        self.orders = Orders(
            worker, self.hub, contexts, telemetry, self.clerk, self.regard, self.spawn, self.staying
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._count = 0
        self._second = (0, b"")
        self._turned = loop.time()

    # -- small services ------------------------------------------------------------------------------

    def next_id(self) -> str:
        """A connection id, unique over all workers."""
        self._count += 1
        return f"{self.worker}-{self._count}"

    def at(self) -> bytes:
        """Now, as `at` of an event; all events of a second share the rendering of most of it."""
        second, ms = divmod(self.contexts.clock.now_ms(), 1_000)
        if second != self._second[0]:
            whole = rfc3339(datetime.fromtimestamp(second, UTC)).encode()
            self._second = (second, whole.removesuffix(b"000Z"))
        return b"%b%03dZ" % (self._second[1], ms)

    def event(self, kind: str, room: str, data: Any) -> Outgoing:
        """An event to a room, stamped with now."""
        return event(kind, data, room=room, at=self.contexts.clock.utc())

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Do something beside the sockets; its failure is logged, its end awaited at shutdown."""
        task = self.loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background_work_failed", work=task.get_name(), exc_info=error)

    async def join(self, connection: Connection, room: str) -> None:
        """Put a socket into a room, and wait until the other workers reach it there too.

        While Redis is away that takes until it is back, and nobody waits so long: this worker's members are
        reached at once. NotFound where the socket was taken out of the room meanwhile.
        """
        confirmed = self.hub.join(connection, room)
        if confirmed is not None:
            # Several sockets may wait for one confirmation: one that leaves must not take it along.
            await asyncio.wait((confirmed,), timeout=CONFIRM_S)
            if not confirmed.done():
                # What is said before it is, nobody here hears.
                confirmed.add_done_callback(partial(self._listened_late, room))
        if room not in connection.rooms:
            raise NotFound("There is no such room.")

    def _listened_late(self, room: str, confirmed: asyncio.Future[None]) -> None:
        if not confirmed.cancelled():
            self.readers.doubt(room)

    async def enter(
        self,
        connection: Connection,
        room: str,
        check: Callable[[], Awaitable[None]],
        go_in: Callable[[], Awaitable[T]],
    ) -> T:
        """Check whether a socket may go into a room, and let it; what `check` or `go_in` raises is raised.

        Who did not come in stays outside: whoever is told of a failure would not expect to hear anything.
        Who loses the permission between the check and the joining was not there to be taken out: so where
        anybody lost one meanwhile, it is checked again.
        """
        before = self.orders.sight_changes
        inside = room in connection.rooms
        await check()
        try:
            entered = await go_in()
        except BaseException:
            if not inside:
                self.hub.leave(connection, room)
            raise
        if before != self.orders.sight_changes:
            try:
                await check()
            except Failure:
                self.hub.leave(connection, room)
                raise
        return entered

    # -- life ----------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the way to the other workers and start the clock; close everything at the end."""
        await self.broker.start()
        self.wheel.every_second(self._each_second)
        self.wheel.start()
        try:
            yield
        finally:
            self.wheel.close()
            self.writer.close()
            self.regard.close()
            await asyncio.gather(*map(end, tuple(self._tasks)))
            self.presence.linger()
            await self.broker.close()

    def _each_second(self, now: float) -> None:
        lag.set(max(now - self._turned - 1.0, 0.0))
        self._turned = now
        self.broker.each_second(now)
        self.presence.each_second(now)
        self.regard.tidings.each_second()
        self.hub.tell_stale(now, self.settings.hr_stale_s)
        sockets.set(len(self.hub.connections))
        rooms.set(len(self.hub.rooms))
        slow.set(self.writer.slow)

    def finish(self, connection: Connection, code: int, reason: str) -> None:
        """Close a socket properly, or by force where the peer does not answer."""
        closed.labels(str(code)).inc()
        self.spawn(
            _shut(connection.socket, connection.transport, code, reason), name=f"close-{connection.id}"
        )

    def leave(self, connection: Connection) -> None:
        """The peer closed, or has to, and aiohttp answered it: give it a moment to read what is left.

        A transport that is closed waits until everything is read; a peer that never reads would keep it.
        """
        if connection.open and connection.transport.get_write_buffer_size():
            self.loop.call_later(CLOSE_S, connection.transport.abort)

    async def drain(self) -> None:
        """Let everybody go: tell them when to come back, store what was accepted, close over `drain_s`."""
        self.draining = True
        self.presence.grace_s += self.settings.drain_s  # so much later some of them are asked to come back
        everybody = list(self.hub.connections.values())
        longest = max(int(self.settings.drain_s * 1000), 1_000)
        for connection in everybody:
            wait = random.randint(500, longest)  # noqa: S311  spreads a herd  # nosec B311
            connection.tell("server.draining", {"retry_after_ms": wait, "reason": "restart"})
        batch = max(len(everybody) // 50, 100)
        pause = self.settings.drain_s / 100
        stored = await self._last_acks()
        answered = True
        for start in range(0, len(everybody), batch):
            some = everybody[start : start + batch]
            for connection in some:
                connection.leaving = True
            # Those who are closed later go on meanwhile; without MongoDB nobody waits for it again.
            answered = answered and await self._last_answers(some)
            stored = stored and await self._last_acks()
            for connection in some:
                connection.flush()
                connection.close(Close.RESTART, "the server restarts")
            await asyncio.sleep(pause)
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=CLOSE_S + 1)
        log.info("drained", sockets=len(everybody), stored=stored, answered=answered)

    async def _last_acks(self) -> bool:
        """Store what was accepted so far, which acknowledges it; whether MongoDB confirmed it in time."""
        try:
            async with asyncio.timeout(LAST_FLUSH_S):
                return await self.telemetry.flush()
        except TimeoutError:
            return False

    async def _last_answers(self, some: Sequence[Connection]) -> bool:
        """Wait for the commands of these sockets that are under way; whether all of them came to an end."""
        try:
            async with asyncio.timeout(LAST_FLUSH_S):
                while any(each.busy and each.open for each in some):  # noqa: ASYNC110  no event tells
                    await asyncio.sleep(FLUSH_POLL_S)
        except TimeoutError:
            return False
        return True

    # -- from the other workers ----------------------------------------------------------------------

    def _deliver(self, room: str, kind: bytes, key: str, payload: bytes) -> None:
        if kind == TELEMETRY:
            self.hub.deliver_telemetry(room, key, payload)
        elif kind == NEWEST:
            self.hub.deliver_newest(room, key, Outgoing(payload))
        elif kind == SAID:
            self.readers.hear(room, _place(key), payload)
        elif kind == PRESENT:
            self.regard.hear(room, key, payload)
        elif kind == RENEWED:
            self.readers.renew(room, _place(key))
        else:
            self.hub.deliver(room, key, Outgoing(payload))

    def _heed(self, payload: bytes) -> None:
        self.orders.heed(payload)

    def _closed(self, room: str) -> None:
        self.readers.forget(room)

    def _listening(self) -> None:
        """All rooms are listened to; where that was interrupted, something may have been missed."""
        self.readers.look_again()
        self.regard.look_again()

    def reconnected(self) -> None:
        """Redis is heard again: what was said meanwhile was not, so everything it may have been is done."""
        self.presence.announce(self._present)
        self.spawn(self.orders.look_at_everything(), name="look-at-everything")

    def _present(self) -> Any:
        for room in self.hub.rooms.values():
            kind, _, subject = room.name.partition(":")
            if kind == "user":
                yield room.name, subject, "", ""
            for who in room.people():
                yield room.name, who.user, who.name, who.role

    async def staying(self, users: Collection[str], room: str) -> set[str]:
        """Those of these people who may be in a room now; nobody in what is no room's name."""
        name, _, subject = room.partition(":")
        kind = self.registry.rooms.get(name)
        if kind is None:
            return set()
        if kind.sift is not None:
            return await kind.sift(self, users, subject)
        return {user for user in users if await kind.look(self, user, subject)}

    async def may_watch(self, watcher: str, athlete: str) -> bool:
        """Whether this person may see this athlete's heart rate now."""
        return await self.contexts.people.may_watch(watcher, athlete)


async def _shut(
    socket: web.WebSocketResponse[Any], transport: asyncio.Transport, code: int, reason: str
) -> None:
    """A close frame, its answer, and the end of the transport whatever the peer does."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await socket.close(code=code, message=reason.encode())
            # The close frame stands behind what the peer has not read; no event tells when it is out.
            while transport.get_write_buffer_size():  # noqa: ASYNC110
                await asyncio.sleep(FLUSH_POLL_S)
    except (TimeoutError, ConnectionError):
        log.debug("close_unanswered", code=code)
    finally:
        if transport.get_write_buffer_size():
            transport.abort()


def _place(key: str) -> Place:
    epoch, _, seq = key.partition(" ")
    return Place(epoch, int(seq))


def new_worker_id() -> str:
    """12 hexadecimal digits, different after every start: a worker's ghosts are not its own."""
    return secrets.token_hex(6)
