"""Work that nobody waits for: its failures are logged, and it is done or dropped before the worker ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, Self

from fittracker.observability import logger

log = logger(__name__)

MOST: Final = 500
LAST_WORDS_S: Final = 5.0


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
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
