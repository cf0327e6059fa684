"""What has to be noticed although nobody says it.

A lost contact, a stream that fell silent, a sign-in whose end was told while this worker could not hear it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from fittracker.errors import Failure
from fittracker.mongo import DATABASE_ERRORS
from fittracker.observability import logger
from ws.frames import Close
from ws.heart import end_silent, notice_lost
from ws.realtime import Realtime

log = logger(__name__)

SWEEP_S: Final = 30.0
BATCH: Final = 1_000


class Watch:
    """Looks at the streams and sockets of this worker, and at the streams that no worker looks after."""

    def __init__(self, realtime: Realtime) -> None:
        self._realtime = realtime

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go on until the block ends."""
        self._realtime.wheel.every_second(self._each_second)
        task = asyncio.create_task(self._run(), name="watch")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _each_second(self, now: float) -> None:
        notice_lost(self._realtime, now)

    async def _close_ended(self) -> None:
        """Redis may have been away when a sign-in ended; MongoDB knows."""
        everybody = tuple(self._realtime.hub.connections.values())
        for start in range(0, len(everybody), BATCH):
            some = everybody[start : start + BATCH]
            identities = [each.identity for each in some if each.identity is not None]
            gone = await self._realtime.contexts.authenticator.gone(identities)
            for connection in some:
                if connection.identity is not None and connection.identity.sid in gone:
                    connection.close(Close.SIGNED_OUT, "signed out")

    async def _run(self) -> None:
        pause = min(SWEEP_S, self._realtime.settings.hr_idle_s / 4)
        while True:
            await asyncio.sleep(pause)
            try:
                await end_silent(self._realtime)
                await self._close_ended()
            except (*DATABASE_ERRORS, Failure) as error:
                # Nothing is lost: the next round finds the same streams again.
                log.warning("watch_failed", reason=type(error).__name__)
