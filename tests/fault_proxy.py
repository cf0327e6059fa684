"""A TCP proxy that misbehaves when it is told to: it cuts, stalls, delays and throttles.

Where it cuts by itself, the seed decides after how many bytes of which connection, and how: the n-th
connection of two runs with one seed breaks at the same byte. So a cut may fall into the middle of a frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from types import TracebackType
from typing import Self

PIECE = 16_384
# Lingering for 0 s makes the kernel forget what was not sent, and answer with RST.
AT_ONCE = struct.pack("ii", 1, 0)


class Cut(Enum):
    """How a connection ends: RESET as when a machine is gone, FINISH as when a process is."""

    RESET = "reset"
    FINISH = "finish"


Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Fate:
    """Where a connection goes, and how it breaks after how many bytes of both directions (None: never)."""

    target: Address
    bytes: int | None = None
    how: Cut = Cut.RESET


@dataclass(eq=False, slots=True)
class _Link:
    """One connection through the proxy: the client's socket, and ours to the server."""

    fate: Fate
    near: socket.socket
    far: socket.socket
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    passed: int = 0


class FaultProxy:
    """Listens on a port of the loopback and passes everything on to one of the targets, faults apart.

    `receive_buffer` bounds what the kernel takes from the server while the proxy does not read: with it, a
    stalled proxy is a reader that stopped reading, without it the kernel hides some megabytes of that.
    """

    def __init__(self, *targets: Address, seed: int = 0, receive_buffer: int | None = None) -> None:
        """With several targets the seed decides as well which connection goes where."""
        self._targets = targets
        self.delay_s = 0.0
        """How long each piece is held back."""
        self.bytes_per_s: float | None = None
        """How fast each direction of each connection passes bytes on."""
        self.mean_life: int | None = None
        """Bytes after which new connections break on average; None: not by themselves."""
        self.accepted = 0
        self.cuts = 0
        self._seed = seed
        self._receive_buffer = receive_buffer
        self._links: set[_Link] = set()
        self._asks, self._answers = asyncio.Event(), asyncio.Event()
        self.flow()
        self._listener = socket.socket()
        self._accepting: asyncio.Task[None] | None = None
        self._starting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(256)
        self._listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(), name="fault-proxy")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._accepting is not None
        await _end([self._accepting, *self._starting])
        self._listener.close()
        await self.cut(Cut.RESET)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The same, for HTTP clients."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections go through it now."""
        return len(self._links)

    # -- faults --------------------------------------------------------------------------------------

    async def cut(self, how: Cut = Cut.RESET) -> int:
        """Break every connection that is open, at both ends; how many there were."""
        links = tuple(self._links)
        for link in links:
            await self._break(link, how)
        return len(links)

    def stall(self, *, answers_only: bool = False) -> None:
        """From now on accept connections, and pass nothing on; what was read before waits.

        With `answers_only` the client is still heard, as one who talks and does not listen.
        """
        self._answers.clear()
        if not answers_only:
            self._asks.clear()

    def flow(self) -> None:
        """Pass everything on again, beginning with what waits."""
        self._asks.set()
        self._answers.set()

    def fate(self, number: int) -> Fate:
        """What becomes of the connection of this number, counted from 0, were it accepted now."""
        random = Random(f"{self._seed}:{number}")
        target, how = random.choice(self._targets), random.choice(tuple(Cut))
        if self.mean_life is None:
            return Fate(target)
        return Fate(target, 1 + int(random.expovariate(1 / self.mean_life)), how)

    # -- connections ---------------------------------------------------------------------------------

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            near, _ = await loop.sock_accept(self._listener)
            near.setblocking(False)
            number, self.accepted = self.accepted, self.accepted + 1
            task = asyncio.create_task(self._begin(near, number))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _begin(self, near: socket.socket, number: int) -> None:
        fate = self.fate(number)
        far = socket.socket()
        try:
            far.setblocking(False)
            if self._receive_buffer is not None:  # counts only where it is set before the handshake
                far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            await asyncio.get_running_loop().sock_connect(far, fate.target)
        except OSError:  # nobody listens there: neither do we
            _close(near, Cut.RESET)
            _close(far, Cut.RESET)
            return
        except asyncio.CancelledError:
            _close(near, Cut.RESET)
            _close(far, Cut.RESET)
            raise
        for each in (near, far):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(fate, near, far)
        self._links.add(link)
        link.tasks = [
            asyncio.create_task(self._pump(link, near, far, self._asks)),
            asyncio.create_task(self._pump(link, far, near, self._answers)),
        ]

    async def _pump(
        self, link: _Link, source: socket.socket, sink: socket.socket, flows: asyncio.Event
    ) -> None:
        """Pass on one direction until it ends; the end of both is the end of the link."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await flows.wait()
                piece = await loop.sock_recv(source, PIECE)
                await flows.wait()
                if not piece:
                    sink.shutdown(socket.SHUT_WR)
                    break
                await self._hold(len(piece))
                piece, last = self._spend(link, piece)
                await loop.sock_sendall(sink, piece)
                if last:
                    self._break_soon(link, link.fate.how)
                    return
        except OSError:  # one end was reset: so is the other
            self._break_soon(link, Cut.RESET, counted=False)
            return
        if all(task.done() or task is asyncio.current_task() for task in link.tasks):
            self._break_soon(link, Cut.FINISH, counted=False)

    async def _hold(self, size: int) -> None:
        wait = self.delay_s + (size / self.bytes_per_s if self.bytes_per_s is not None else 0.0)
        if wait:
            await asyncio.sleep(wait)

    @staticmethod
    def _spend(link: _Link, piece: bytes) -> tuple[bytes, bool]:
        """What of the piece still passes, and whether the link breaks after it."""
        if link.fate.bytes is None:
            return piece, False
        left = link.fate.bytes - link.passed
        link.passed += len(piece)
        return piece[:left], len(piece) >= left

    def _break_soon(self, link: _Link, how: Cut, *, counted: bool = True) -> None:
        """Break a link from within one of its own tasks."""
        task = asyncio.create_task(self._break(link, how, counted=counted))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _break(self, link: _Link, how: Cut, *, counted: bool = True) -> None:
        if link not in self._links:
            return
        self._links.discard(link)
        self.cuts += counted
        try:
            await _end(link.tasks)
        finally:  # whoever ends the proxy meanwhile cancels us
            _close(link.near, how)
            _close(link.far, how)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _close(end: socket.socket, how: Cut) -> None:
    if how is Cut.RESET:
        with contextlib.suppress(OSError):  # the peer was quicker
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    end.close()
