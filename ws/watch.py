"""What has to be noticed although nobody says it.

A lost contact, a stream that fell silent, a sign-in whose end was told while this worker could not hear it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from fittracker.background import beside
from fittracker.errors import Failure
from fittracker.mongo import DATABASE_ERRORS
from fittracker.observability import logger
from ws.frames import Close
from ws.heart import end_silent, notice_lost
from ws.pulses import Pulses
from ws.realtime import Realtime

log = logger(__name__)

SWEEP_S: Final = 30.0
BATCH: Final = 1_000


class Watch:
    """Looks at the streams and sockets of this worker, and at the streams that no worker looks after."""

    def __init__(self, realtime: Realtime) -> None:
        self._realtime = realtime
        self._pulses = Pulses(realtime)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go on until the block ends."""
        self._realtime.wheel.every_second(self._each_second)
        async with beside(self._run(), "watch"):
            yield

    def _each_second(self, now: float) -> None:
        notice_lost(self._realtime, now)
        self._pulses.each_second(now)

    async def close_ended(self) -> None:
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
            await self.round()

    async def round(self) -> None:
        """Look once. What fails is found again the next time, and keeps nothing else from being seen."""
        for duty in (partial(end_silent, self._realtime), self.close_ended):
            try:
                await duty()
            except (*DATABASE_ERRORS, Failure) as error:
                log.warning("watch_failed", reason=type(error).__name__)
            except Exception:
                log.exception("watch_broken")  # a defect; it must not be the end of all watching
