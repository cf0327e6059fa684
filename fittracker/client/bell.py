"""Waiting for "something changed": everybody who waits hears the next ring."""

from __future__ import annotations

import asyncio


class Bell:
    """Look at the state, then `wait`, then look again: no ring between two looks is missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits now."""
        rung, self._event = self._event, asyncio.Event()
        rung.set()

    async def wait(self) -> None:
        """Return at the next ring."""
        await self._event.wait()
