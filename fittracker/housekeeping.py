"""What has to be looked after while nobody asks for it, on every worker.

A duty is done by whichever worker comes first, or by all of them: it must bear both.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fittracker.background import beside
from fittracker.mongo import DATABASE_ERRORS
from fittracker.observability import logger

log = logger(__name__)

SOON: Final = 30.0
"""So long (s) after the start the rarer duties are done for the first time: starting has enough to do."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done every so many seconds, by the worker's own time."""

    name: str
    every_s: float
    do: Callable[[], Awaitable[Any]]


class Housekeeping:
    """Does its duties side by side: one that takes long, or fails, keeps no other waiting."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._duties = duties

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go on until the block ends."""
        async with contextlib.AsyncExitStack() as stack:
            for duty in self._duties:
                await stack.enter_async_context(beside(_repeat(duty), f"housekeeping-{duty.name}"))
            yield


async def _repeat(duty: Duty) -> None:
    await asyncio.sleep(min(duty.every_s, SOON))
    while True:
        try:
            await duty.do()
        except DATABASE_ERRORS as error:
            log.warning("housekeeping_unavailable", duty=duty.name, reason=type(error).__name__)
        except Exception:
            # The next turn may go better; nobody else would try.
            log.exception("housekeeping_failed", duty=duty.name)
        await asyncio.sleep(duty.every_s)
