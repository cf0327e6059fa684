"""Putting something into an inbox about what is stored already: an outage must not undo it, or fail it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from fittracker.errors import Unavailable
from fittracker.mongo import OUTAGES as MONGO_OUTAGES
from fittracker.notifications import Notifications
from fittracker.observability import logger
from fittracker.redis import OUTAGES as REDIS_OUTAGES

log = logger(__name__)


class Informing:
    """The inboxes of others, for whoever has done something that is about them."""

    def __init__(self, notifications: Notifications) -> None:
        self._notifications = notifications

    async def tell(self, user: str, kind: str, **what: Any) -> None:
        """As `Notifications.notify`; while that cannot be done it is left, with a line in the log."""
        await self._try(user, self._notifications.notify(user, kind, **what))

    async def take_back(self, user: str, key: str) -> None:
        """As `Notifications.withdraw`, likewise."""
        await self._try(user, self._notifications.withdraw(user, key=key))

    async def _try(self, user: str, work: Awaitable[None]) -> None:
        try:
            await work
        except (Unavailable, *MONGO_OUTAGES, *REDIS_OUTAGES) as error:
            log.warning("not_informed", user=user, reason=type(error).__name__)
