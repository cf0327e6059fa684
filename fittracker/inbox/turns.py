"""Work for one person at a time: who asks while it is being done shares the next turn with everybody else.

Fifty likes of one moment become two or three writes into one inbox, not fifty that get in each other's way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from fittracker.background import end

LAST_TURNS_S: Final = 3.0


class Turns:
    """Turns of one kind of work on this worker, by person."""

    def __init__(self, work: Callable[[str], Awaitable[Any]], name: str) -> None:
        self._work = work
        self._name = name
        self._next: dict[str, asyncio.Future[None]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    def ask(self, person: str) -> asyncio.Future[None]:
        """A turn that begins after this call; what it raises is raised by the future, to all who wait."""
        waiting = self._next.get(person)
        if waiting is None:
            waiting = asyncio.get_running_loop().create_future()
            waiting.add_done_callback(_heard)
            self._next[person] = waiting
            if person not in self._running:
                self._start(person)
        return waiting

    def _start(self, person: str) -> None:
        task = asyncio.get_running_loop().create_task(self._go(person), name=f"{self._name}-{person}")
        self._running[person] = task

    async def _go(self, person: str) -> None:
        waiting: asyncio.Future[None] | None = None
        try:
            while waiting := self._next.pop(person, None):
                try:
                    await self._work(person)
                except Exception as error:  # noqa: BLE001  everybody who asked gets it
                    if not waiting.done():
                        waiting.set_exception(error)
                if not waiting.done():
                    waiting.set_result(None)
        finally:
            del self._running[person]
            for each in (waiting, self._next.pop(person, None)):
                if each is not None and not each.done():
                    each.cancel()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What was asked for by the end of the block is done, if that does not take long."""
        try:
            yield
        finally:
            tasks = tuple(self._running.values())
            if tasks:
                await asyncio.wait(tasks, timeout=LAST_TURNS_S)
            await asyncio.gather(*map(end, tuple(self._running.values())))


def _heard(done: asyncio.Future[None]) -> None:
    """Whether or not anybody waits: a failure is not to be lost in a warning of the garbage collector."""
    if not done.cancelled():
        done.exception()
