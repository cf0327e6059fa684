"""Heart rate on its way up: number the samples, keep each until it is stored, send again what may be lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from fittracker.client import binary
from fittracker.client.bell import Bell
from fittracker.client.errors import ClientError, CommandError, ConnectionLost, Disconnected, StreamTaken
from fittracker.client.lifeline import Lifeline
from fittracker.client.messages import ErrorBody, HrClosed, HrOpened
from fittracker.client.sample import Numbered, Sample, number
from fittracker.client.wire import Wire

MOST_IN_A_PUSH: Final = 300
PUSH_BYTES: Final = 48_000
"""Below the server's limit of 64 KiB a frame, with room for long numbers."""
PAUSE_MS: Final = 1_000


class Device(msgspec.Struct, omit_defaults=True):
    """What measures: a name for people, and a kind such as "chest strap"."""

    name: str
    kind: str | None = None


class HeartStream:
    """One recording that is being made. `Client.open_stream` makes them.

    Each sample gets the next number and is held until the server says that it is stored; after a reconnect
    everything that is not is sent again, and the server ignores what it has. There is never more than one
    push on its way: were the second one accepted after the first was refused, the first would be lost.
    """

    def __init__(
        self,
        line: Lifeline,
        stream: str,
        *,
        sport: str | None,
        session: str | None,
        device: Device | None,
        binary: bool,
        bound: int,
        timeout_s: float,
    ) -> None:
        opening = {"stream": stream, "sport": sport, "session": session, "device": device}
        self.id = stream
        self.acked = 0
        """The number up to which everything is stored. After opening: what need not be pushed again."""
        self.opened: HrOpened | None = None
        """What the server said at the latest opening: zones, alert limits."""
        self._line = line
        self._opening = {name: value for name, value in opening.items() if value is not None}
        self._binary = binary
        self._bound = bound
        self._timeout_s = timeout_s
        self._held: deque[Numbered] = deque()
        self._last = 0  # the highest number given out
        self._sent = 0  # the highest that this connection accepted
        self._bell = Bell()
        self._refusal: ErrorBody | None = None
        self._failure: Exception | None = None
        self._closing = False
        self._result: HrClosed | None = None
        self._task: asyncio.Task[None] | None = None

    # -- for the user --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the stream; raises what the server refused it with."""
        self._task = asyncio.create_task(self._work(), name=f"heart-stream-{self.id}")
        try:
            await self._until(lambda: self.opened is not None)
        except BaseException:
            self.abandon()
            raise

    async def push(self, samples: Iterable[Sample]) -> None:
        """Take samples, in the order of their time; waits while too many are not acknowledged.

        A ValueError for a sample that no server takes; the ones before it are taken.
        """
        for sample in samples:
            self._raise_failure()
            if self._closing:
                raise ClientError("this stream is closed")
            await self._until(lambda: len(self._held) < self._bound)
            self._held.append(number(sample, self._last + 1))
            self._last += 1
            self._bell.ring()

    async def flush(self) -> None:
        """Wait until everything pushed so far is stored."""
        last = self._last
        await self._until(lambda: self.acked >= last)

    async def close(self) -> HrClosed:
        """Wait until everything is stored, end the stream, and return the workout it became."""
        self._closing = True
        self._bell.ring()
        await self._until(lambda: self._result is not None)
        assert self._result is not None
        return self._result

    @property
    def unacknowledged(self) -> list[Sample]:
        """The samples that are held: not known to be stored."""
        return [Sample(each.t, each.bpm, each.rr or [], each.contact) for each in self._held]

    @property
    def over(self) -> bool:
        """Whether it was closed, or has failed."""
        return self._task is None or self._task.done()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the stream; after an error it stays open on the server, to be gone on with."""
        if error is None:
            await self.close()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._raise_failure()
            await self._bell.wait()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # -- what the connection says --------------------------------------------------------------------

    def acknowledge(self, seq: int) -> None:
        """Everything up to this number is stored."""
        while self._held and self._held[0].seq <= seq:
            self._held.popleft()
        self.acked = max(self.acked, seq)
        self._bell.ring()

    def taken(self) -> None:
        """Another connection has opened this stream."""
        self._fail(StreamTaken("another connection has taken this stream"))

    def refused(self, body: ErrorBody) -> None:
        """Something without an id was refused; it may have been the binary frame of this stream."""
        self._refusal = body
        self._bell.ring()

    def wake(self) -> None:
        """The connection has changed."""
        self._bell.ring()

    def abandon(self) -> None:
        """The client is closing."""
        self._fail(Disconnected(1000, "closed by this client"))

    def _fail(self, error: Exception) -> None:
        if self._task is None or self._task.done():
            return
        self._failure = self._failure or error
        self._task.cancel()
        self._bell.ring()

    # -- sending -------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Open, send and close, over as many connections as it takes."""
        try:
            while self._result is None:
                wire = await self._line.wire()
                with contextlib.suppress(ConnectionLost, TimeoutError):
                    if await self._open(wire):
                        await self._send_all(wire)
                    answer = await self._ask(wire, "hr.close", {"stream": self.id})
                    self._result = msgspec.convert(answer, HrClosed)
        except (ClientError, msgspec.ValidationError) as error:
            self._failure = error
        finally:
            self._closing = True
            self._bell.ring()

    async def _open(self, wire: Wire) -> bool:
        """Open the stream on this connection; False where the server has closed it and has all of it."""
        try:
            answer = await self._ask(wire, "hr.open", self._opening)
        except CommandError as error:
            if error.code == "gone" and self.opened is not None and not self._held:
                return False
            raise
        opened = msgspec.convert(answer, HrOpened)
        if self.opened is None:
            self._last = opened.acked
        self._sent = opened.acked
        self._refusal = None
        self.opened = opened
        self.acknowledge(opened.acked)
        return True

    async def _ask(self, wire: Wire, command: str, data: dict[str, Any]) -> dict[str, Any]:
        """Send a command until the server can do it."""
        while True:
            try:
                return await wire.call(command, data, self._timeout_s)
            except CommandError as error:
                if not error.retry:
                    raise
                await asyncio.sleep((error.retry_after_ms or PAUSE_MS) / 1000)

    async def _send_all(self, wire: Wire) -> None:
        """Send what is held and what will be pushed; returns when the stream is to be closed."""
        while self._held or not self._closing:
            batch = self._next_batch()
            if batch and self._binary:
                await self._send_binary(wire, batch)
            elif batch:
                await self._send(wire, batch)
            else:
                await self._news(wire)

    def _next_batch(self) -> list[Numbered]:
        """The oldest samples that this connection has not had, as many as a frame takes."""
        if not self._held or self._held[-1].seq <= self._sent:
            return []
        start = max(self._sent + 1 - self._held[0].seq, 0)
        most = binary.MOST_IN_A_FRAME if self._binary else MOST_IN_A_PUSH
        batch: list[Numbered] = []
        size = 0
        for sample in islice(self._held, start, start + most):
            size += sample.size
            if batch and size > PUSH_BYTES:
                break
            batch.append(sample)
        return batch

    async def _send(self, wire: Wire, batch: list[Numbered]) -> None:
        try:
            await self._ask(wire, "hr.push", {"stream": self.id, "samples": batch})
        except CommandError as error:
            if error.code != "not_found":
                raise
            # The server ended the stream because it was silent for long: opening it again tells.
            await self._open(wire)
        else:
            self._sent = batch[-1].seq

    async def _send_binary(self, wire: Wire, batch: list[Numbered]) -> None:
        """Send a frame and wait for its acknowledgement: a binary frame has no answer of its own."""
        assert self.opened is not None
        self._refusal = None
        await wire.send_binary(binary.frame(self.opened.handle, batch))
        refusal = await self._verdict(wire, batch[-1].seq)
        if refusal is None:
            self._sent = batch[-1].seq
        elif refusal.retry:
            await asyncio.sleep((refusal.retry_after_ms or PAUSE_MS) / 1000)
        else:
            # The same as a command: its answer says whether it was this stream that was refused, and why.
            await self._send(wire, batch)

    async def _verdict(self, wire: Wire, seq: int) -> ErrorBody | None:
        """Wait until everything up to `seq` is stored (None), or something was refused."""
        while self.acked < seq:
            if self._refusal is not None:
                return self._refusal
            await self._news(wire)
        return None

    async def _news(self, wire: Wire) -> None:
        """Wait until something changes; ConnectionLost where the connection has ended."""
        wire.check()
        await self._bell.wait()
        wire.check()
