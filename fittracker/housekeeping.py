"""What has to be looked after while nobody asks for it: every second, on every worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from fittracker.auth.liveness import Liveness
from fittracker.background import beside
from fittracker.grants import Grants
from fittracker.mongo import DATABASE_ERRORS
from fittracker.observability import logger

log = logger(__name__)

TURN_S: Final = 1.0
GRANTS_EVERY: Final = 3


class Housekeeping:
    """Ends of sign-ins that Redis has not heard of yet, and grants whose date has come."""

    def __init__(self, liveness: Liveness, grants: Grants) -> None:
        self._liveness = liveness
        self._grants = grants

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go on until the block ends."""
        async with beside(self._run(), "housekeeping"):
            yield

    async def _run(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(TURN_S)
            turn += 1
            try:
                await self._liveness.settle_all()
                if turn % GRANTS_EVERY == 0:
                    await self._grants.end_expired()
            except DATABASE_ERRORS as error:
                log.warning("housekeeping_unavailable", reason=type(error).__name__)
            except Exception:
                log.exception("housekeeping_failed")  # the next turn may go better; nobody else would try
