"""Work on strangers' bytes beside the event loop: in processes with a limit on memory and on time.

A thread could be neither limited nor stopped. Each process has an executor of its own, so that
killing the one that hangs breaks nobody else's work.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Self

from fittracker.errors import Unavailable

START_S = 60
"""A process that has not started by then will not: the machine is out of something."""


class Overdue(Exception):  # noqa: N818  it reads as what it is
    """It took longer than it may; its process was killed."""


class Sandbox:
    """`processes` processes for functions of modules; more calls than that wait for their turn.

    Work that takes longer than `timeout_s` is given up, and its process killed and replaced; an allocation
    above `memory_bytes` of address space is a MemoryError in the function. The processes start with the
    first call and end with `close`, or with the process that owns them.
    """

    def __init__(self, *, processes: int = 1, timeout_s: float = 30, memory_bytes: int = 1 << 30) -> None:
        self._timeout_s = timeout_s
        self._processes = [_Process(memory_bytes) for _ in range(processes)]
        self._free: asyncio.Queue[_Process] = asyncio.Queue()
        self._closed = False
        for process in self._processes:
            self._free.put_nowait(process)

    async def run(self, function: Callable[..., bytes], *arguments: Any) -> bytes:
        """What `function(*arguments)` returns: bytes, since a pickle of much else holds up the server.

        Raises Overdue, and Unavailable when the process ended or did not start: trying again is safe.
        """
        process = await self._free.get()
        try:
            if self._closed:
                raise Unavailable("the server is closing")
            return await self._ask(process, function, arguments)
        finally:
            self._free.put_nowait(process)

    async def _ask(
        self, process: _Process, function: Callable[..., bytes], arguments: tuple[Any, ...]
    ) -> bytes:
        executor = await process.ready()
        work = executor.submit(function, *arguments)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            process.kill()
            raise Overdue(f"reading the file took longer than {self._timeout_s:g} s") from None
        except BrokenProcessPool as error:
            process.kill()
            raise Unavailable("the process that read the file ended; please try again") from error
        except asyncio.CancelledError:
            process.kill()  # nobody waits for the answer: the process is free for the next file at once
            raise

    @property
    def pids(self) -> list[int]:
        """The process ids of the processes that run now."""
        return [process.pid for process in self._processes if process.pid]

    async def close(self) -> None:
        """End the processes and wait until they are gone; what is being done is given up."""
        self._closed = True
        await asyncio.gather(*(process.end() for process in self._processes))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Process:
    """One process and its executor, made when needed and again after it was killed."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._executor: ProcessPoolExecutor | None = None
        self.pid = 0

    async def ready(self) -> ProcessPoolExecutor:
        """The executor of a process that has answered: its time limit starts when the work does."""
        executor = self._executor
        if executor is None:
            # spawn: a fork of a server would take over its sockets, its threads' locks and its secrets.
            executor = ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), _prepare, (self._memory_bytes,)
            )
            self._executor = executor
            try:
                pid = await asyncio.to_thread(_first_answer, executor)
            except (BrokenProcessPool, TimeoutError, OSError) as error:
                self.kill()
                raise Unavailable("no process could be started to read the file") from error
            except asyncio.CancelledError:
                self.kill()
                raise
            if self._executor is not executor:
                raise Unavailable("the server is closing")
            self.pid = pid
        return executor

    def kill(self) -> None:
        """End the process at once, whatever it does; the next `ready` starts another."""
        executor = self._killed()
        if executor is not None:
            executor.shutdown(wait=False)

    async def end(self) -> None:
        """The same, and wait until the process is gone."""
        executor = self._killed()
        if executor is not None:
            await asyncio.to_thread(executor.shutdown)

    def _killed(self) -> ProcessPoolExecutor | None:
        """The executor, which is ours no more; a process that has not answered yet ends with its executor."""
        executor, pid = self._executor, self.pid
        self._executor, self.pid = None, 0
        for child in multiprocessing.active_children():
            if child.pid == pid:
                child.kill()
        return executor


def _first_answer(executor: ProcessPoolExecutor) -> int:
    """Wait until the process has started and imported what it needs; its process id."""
    try:
        return executor.submit(os.getpid).result(timeout=START_S)
    except RuntimeError as error:  # the executor was closed meanwhile
        raise BrokenProcessPool("closed before it had started") from error


def _prepare(memory_bytes: int) -> None:
    """In the process, before its first file: limits, and an end that needs no word from the parent."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold where somebody lives
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes us
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent closes nothing, and an executor's process would wait for its work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
