"""What has to be noticed although nobody says it: a lost contact, a stream that fell silent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from fittracker.errors import Failure
from fittracker.mongo import DATABASE_ERRORS
from fittracker.observability import logger
from ws.heart import end_silent, notice_lost
from ws.realtime import Realtime

log = logger(__name__)

SWEEP_S: Final = 30.0


class Watch:
    """Looks at the heart-rate streams of this worker, and at those that no worker looks after."""

    def __init__(self, realtime: Realtime) -> None:
        self._realtime = realtime

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go on until the block ends."""
        self._realtime.wheel.every_second(self._each_second)
        task = asyncio.create_task(self._run(), name="silent-streams")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _each_second(self, now: float) -> None:
        notice_lost(self._realtime, now)

    async def _run(self) -> None:
        pause = min(SWEEP_S, self._realtime.settings.hr_idle_s / 4)
        while True:
            await asyncio.sleep(pause)
            try:
                await end_silent(self._realtime)
            except (*DATABASE_ERRORS, Failure) as error:
                # Nothing is lost: the next round finds the same streams again.
                log.warning("silent_streams_left", reason=type(error).__name__)
