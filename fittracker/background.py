"""Work that nobody waits for: its failures are logged, and it is done or dropped before the worker ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

from fittracker.observability import logger

log = logger(__name__)

MOST: Final = 500
LAST_WORDS_S: Final = 5.0
CANCEL_AGAIN_S: Final = 0.5


class Background(AbstractAsyncContextManager["Background"]):
    """The background work of one worker, at most 500 pieces at a time."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do this beside everything else; refused, with a line in the log, while there is too much."""
        if len(self._tasks) >= MOST:
            work.close()
            log.error("background_work_refused", work=name)
            return
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background_work_failed", work=task.get_name(), exc_info=error)

    async def idle(self) -> None:
        """Wait until all that was begun so far is done."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=LAST_WORDS_S)
        await asyncio.gather(*map(end, tuple(self._tasks)))


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Do this beside the block, and end it with the block."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    try:
        yield
    finally:
        await end(task)


async def end(task: asyncio.Task[None]) -> None:
    """Cancel until it has ended; its failure, if there is one, is logged.

    Once is not enough: a cancellation that comes at the very moment of what is waited for gets lost in some
    libraries, `asyncio.wait_for` of Python 3.11 among them, and whoever awaits such a task waits for ever.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background_work_failed", work=task.get_name(), exc_info=error)
