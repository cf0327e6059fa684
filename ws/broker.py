"""The way between workers: one connection that listens, one that publishes, both replaced when they fail.

A connection can look healthy and deliver nothing (a half-open peer, a paused server). So every worker listens
to a channel of its own and, when nothing has come for a while, says something there: if that does not come
back, the listening connection is replaced. Channels are subscribed only for rooms with members here, and
telemetry is published only where somebody listens elsewhere (`ws/interest.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from prometheus_client import Counter

from fittracker.background import end
from fittracker.observability import logger
from fittracker.redis import CONTROL_CHANNEL, WORKERS, worker_key
from ws.answers import Answers, Take
from ws.interest import Interest
from ws.link import Link, LinkLost, open_link, pack

log = logger(__name__)

IDLE_S: Final = 10.0
"""Silence after which the listening connection is probed."""
ANSWER_S: Final = 5.0
"""How long a probe, or any published message, may go unanswered."""
HEARTBEAT_S: Final = 5.0
"""How often a worker says that it lives."""
ALIVE_S: Final = 9
"""A worker counts as dead when it has not said so for this long: others notice within two heartbeats."""
RETRY_S: Final = (0.1, 2.0)
BACKLOG: Final = 8 * 1024 * 1024
"""Unsent bytes at which publishing drops messages: they are telemetry, a newer one is on its way."""
CHUNK: Final = 1_000
LISTENING: Final = b"listening"
"""Where a worker says that it begins to listen: to the room it names, or without one to all its rooms."""

dropped = Counter(
    "fittracker_broker_dropped", "Messages to other workers that were dropped, Redis being away"
)
received = Counter("fittracker_broker_received", "Messages that came from other workers")
replaced = Counter("fittracker_broker_replaced", "Connections to Redis that were replaced", ["which"])

Deliver = Callable[[str, bytes, str, bytes], None]


class Broker:
    """Publishes to, and listens for, the rooms of this worker."""

    def __init__(
        self,
        url: str,
        worker: str,
        *,
        deliver: Deliver,
        control: Callable[[bytes], None],
        reconnected: Callable[[], None],
        listening: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url
        self.worker = worker
        self._origin = worker.encode()
        self._deliver = deliver
        self._control = control
        self._reconnected = reconnected
        self._listening = listening
        self._probe = f"probe:{worker}".encode()
        self._fixed = (CONTROL_CHANNEL.encode(), LISTENING, self._probe)
        self._wanted: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._listener: Link | None = None
        self._publisher: Link | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._probed: float | None = None
        self._answers = Answers()
        self._interest = Interest()
        self._alive_due = 0.0

    async def start(self) -> None:
        """Open both connections; raises LinkLost when Redis cannot be reached at all."""
        self._publisher = await self._open_publisher()
        self._say_alive(None)
        self._listener = await self._open_listener()
        self._tasks = [
            asyncio.create_task(self._keep_publisher(), name="broker-publisher"),
            asyncio.create_task(self._keep_listener(), name="broker-listener"),
        ]

    async def close(self) -> None:
        """Say that this worker is gone, and let go of both connections."""
        await asyncio.gather(*map(end, self._tasks))
        if self._publisher is not None and self._publisher.connected:
            self.command(b"DEL", worker_key(self.worker).encode())
            self.command(b"SREM", WORKERS.encode(), self._origin)
            await asyncio.sleep(0)  # the write happens at the end of this loop turn
        for link in (self._publisher, self._listener):
            if link is not None:
                link.abort()
        self._answers.lose(LinkLost("This worker ends."))
        for future in self._waiting.values():
            future.cancel()

    @property
    def healthy(self) -> bool:
        """Whether both connections stand and answer."""
        return all(link is not None and link.connected for link in (self._listener, self._publisher))

    # -- rooms ---------------------------------------------------------------------------------------

    def subscribe(self, room: str) -> asyncio.Future[None] | None:
        """Listen to a room; the future is done once Redis confirmed it (None: it already has)."""
        if room in self._wanted:
            return self._waiting.get(room)
        self._wanted.add(room)
        if _streamed(room):
            self._interest.changes += 1  # an answer on its way may or may not count us
        future = self._waiting[room] = self._loop.create_future()
        if self._listener is not None and self._listener.connected:
            self._listener.send(pack((b"SUBSCRIBE", _channel(room))))
        return future

    def unsubscribe(self, room: str) -> None:
        """Stop listening to a room."""
        self._wanted.discard(room)
        future = self._waiting.pop(room, None)
        if future is not None and not future.done():
            future.set_result(None)  # whoever waits for it looks again whether they are still in the room
        if self._listener is not None and self._listener.connected:
            self._listener.send(pack((b"UNSUBSCRIBE", _channel(room))))

    def listened(self, room: str) -> bool:
        """Whether somebody on another worker may listen to a room; False only where that is known."""
        return not self._interest.alone(room)

    def publish(self, room: str, kind: bytes, key: str, payload: bytes) -> None:
        """Give a message to the other workers; all of one loop turn leave in one write."""
        subject = key.encode()
        body = b"%b%b%c%b%b" % (kind, self._origin, len(subject), subject, payload)
        self._send((b"PUBLISH", _channel(room), body), partial(self._counted, room, self._interest.changes))

    def command(self, *parts: bytes) -> None:
        """Send a command whose answer matters to nobody; dropped while Redis is away."""
        self._send(parts, None)

    def submit(self, take: Take, *parts: bytes) -> None:
        """Send a command; `take` is given its answer, or the exception: LinkLost while Redis is away."""
        if not self._send(parts, take):
            take(LinkLost("Redis is away."))

    def ask(self, *parts: bytes) -> asyncio.Future[Any]:
        """Send a command; its answer, text as bytes. LinkLost while Redis is away, or when it refuses."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._send(parts, partial(_settle, future)):
            future.set_exception(LinkLost("Redis is away."))
        return future

    def _send(self, parts: tuple[bytes, ...], take: Take | None) -> bool:
        link = self._publisher
        if link is None or not link.connected or link.backlog > BACKLOG:
            dropped.inc()
            return False
        self._answers.expect(take, self._loop.time())
        link.send(pack(parts))
        return True

    # -- keeping the connections ---------------------------------------------------------------------

    def each_second(self, now: float) -> None:
        """Say that this worker lives; notice a connection that has gone dumb or deaf."""
        if self._answers and now - self._answers.since > ANSWER_S and self._publisher is not None:
            self._publisher.abort()
        self._interest.age(now)
        if now >= self._alive_due:
            self._say_alive(self._was_alive)
        if self._probed is not None and now - self._probed > ANSWER_S:
            self._probed = None
            if self._listener is not None:
                log.warning("broker_deaf", silent_s=round(now - self._heard, 1))
                self._listener.abort()
        elif self._probed is None and now - self._heard > IDLE_S:
            self._probed = now
            self.command(b"PUBLISH", self._probe, b"")

    def _say_alive(self, take: Take | None) -> None:
        self._alive_due = self._loop.time() + HEARTBEAT_S
        key = worker_key(self.worker).encode()
        self._send((b"SET", key, b"1", b"EX", b"%d" % ALIVE_S, b"GET"), take)
        self._send((b"SADD", WORKERS.encode(), self._origin), None)

    def _was_alive(self, before: Any) -> None:
        """Where we had counted as dead, our people may have been taken for ghosts: say them again."""
        if before is None:
            self._reconnected()

    async def _open_publisher(self) -> Link:
        return await open_link(self._url, self._answered, name=f"fittracker-pub-{self.worker}")

    async def _open_listener(self) -> Link:
        link = await open_link(self._url, self._received, name=f"fittracker-sub-{self.worker}")
        self._heard = self._loop.time()
        self._probed = None
        self._interest.forget()  # whoever began to listen meanwhile, we did not hear of it
        # The fixed ones last: when Redis confirms them, the rooms are listened to.
        channels = [*map(_channel, self._wanted), *self._fixed]
        for start in range(0, len(channels), CHUNK):
            link.send(pack((b"SUBSCRIBE", *channels[start : start + CHUNK])))
        return link

    async def _keep_publisher(self) -> None:
        while True:
            assert self._publisher is not None
            await self._publisher.lost
            self._answers.lose(LinkLost("The connection to Redis broke."))
            self._publisher = await self._again("publisher", self._open_publisher)
            self._say_alive(None)  # first: whose worker is not alive is a ghost
            self._reconnected()

    async def _keep_listener(self) -> None:
        while True:
            assert self._listener is not None
            await self._listener.lost
            self._listener = await self._again("listener", self._open_listener)

    async def _again(self, which: str, connect: Callable[[], Any]) -> Link:
        """Connect again, for ever, with growing and jittered pauses."""
        replaced.labels(which).inc()
        pause, longest = RETRY_S
        while True:
            with contextlib.suppress(LinkLost):
                link: Link = await connect()
                log.info("broker_connected", which=which)
                return link
            log.warning("broker_unreachable", which=which, retry_s=round(pause, 1))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  jitter, no secret  # nosec B311
            pause = min(pause * 2, longest)

    # -- what comes in -------------------------------------------------------------------------------

    def _answered(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            log.error("broker_refused", reply=str(reply))
        self._answers.come(reply, self._loop.time())

    def _counted(self, room: str, asked: int, reply: Any) -> None:
        """What was published had so many readers, this worker perhaps among them."""
        own = 1 if room in self._wanted else 0
        if reply == own and room not in self._waiting:
            self._interest.note(room, asked)

    def _received(self, reply: Any) -> None:
        self._heard = self._loop.time()
        self._probed = None
        if not isinstance(reply, list):
            log.error("broker_refused", reply=str(reply))
            return
        kind, channel, body = reply
        if kind == b"message":
            self._message(channel, body)
        elif kind == b"subscribe":
            self._confirmed(channel)

    def _confirmed(self, channel: bytes) -> None:
        """From now on Redis delivers what is said there."""
        room = channel[5:].decode() if channel.startswith(b"room:") else ""
        if channel == self._probe or (room and _streamed(room)):
            self._interest.changes += 1
            self.command(b"PUBLISH", LISTENING, room.encode())
        future = self._waiting.pop(room, None)
        if future is not None and not future.done():
            future.set_result(None)
        if channel == self._probe:
            self._listening()  # the last one: all rooms are listened to, perhaps after a break

    def _message(self, channel: bytes, body: bytes) -> None:
        if channel.startswith(b"room:"):
            if body[1:13] == self._origin:
                return
            received.inc()
            end = 14 + body[13]
            self._deliver(channel[5:].decode(), body[:1], body[14:end].decode(), body[end:])
        elif channel == LISTENING:
            self._interest.strike(body.decode()) if body else self._interest.forget()
        elif channel != self._probe:
            self._control(body)


def _settle(future: asyncio.Future[Any], reply: Any) -> None:
    """Hand an answer to whoever still waits for it."""
    if future.done():
        return
    if isinstance(reply, Exception):
        future.set_exception(reply if isinstance(reply, LinkLost) else LinkLost(str(reply)))
    else:
        future.set_result(reply)


def _streamed(room: str) -> bool:
    """Whether telemetry is ever sent to such a room: each socket is in one where it is not."""
    return room.startswith(("heart:", "session:"))


def _channel(room: str) -> bytes:
    return b"room:" + room.encode()
