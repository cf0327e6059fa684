"""Telling of what changes often: the newest state, at most every so often, and the last one for certain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fittracker.background import beside
from fittracker.mongo import DATABASE_ERRORS
from fittracker.observability import logger
from fittracker.redis import OUTAGES

log = logger(__name__)


class Conflated:
    """Names what has changed to whoever tells of it: at once, and then not again for `apart_s`.

    `tell` gets the names and reads the state itself, so however many changes there were, it is told as it is.
    What it cannot do while a database is away is not told later: the next change is.
    """

    def __init__(self, name: str, tell: Callable[[set[str]], Awaitable[None]], *, apart_s: float) -> None:
        self._name = name
        self._tell = tell
        self._apart_s = apart_s
        self._changed: set[str] = set()
        self._more = asyncio.Event()

    def note(self, name: str) -> None:
        """This has changed."""
        self._changed.add(name)
        self._more.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell until the block ends."""
        async with beside(self._run(), f"conflated-{self._name}"):
            yield

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            changed, self._changed = self._changed, set()
            try:
                await self._tell(changed)
            except (*OUTAGES, *DATABASE_ERRORS) as error:
                log.warning("change_not_told", what=self._name, reason=type(error).__name__)
            except Exception:
                log.exception("change_not_told", what=self._name)  # a defect; others must still be told
            await asyncio.sleep(self._apart_s)
