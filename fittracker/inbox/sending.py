"""Sending: what is due leaves by push or mail, if it still has to, and if it may now.

It need not where it was read meanwhile, and may not in quiet hours. Being connected is not having seen it: a
socket that is open only gives the person some seconds to read it there first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fittracker.background import end
from fittracker.clock import Clock
from fittracker.inbox.deliveries import Deliveries
from fittracker.inbox.digest import Digest
from fittracker.inbox.pushing import Pushing
from fittracker.inbox.quiet import PUSHES, quiet_until
from fittracker.mongo import DATABASE_ERRORS, Database, Document
from fittracker.observability import logger
from fittracker.preferences import ALWAYS, wants

log = logger(__name__)

LOOK_S: Final = 2.0
AT_ONCE: Final = 10
LAST_S: Final = 5.0
_PERSON: Final = {"preferences": 1, "time_zone": 1, "email": 1, "disabled_at": 1, "verified_at": 1}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something leaves now, later, or never."""

    leaves: bool
    later: datetime | None = None


NOW: Final = Verdict(True)
NEVER: Final = Verdict(False)


def verdict(
    delivery: Document, person: Document | None, now: datetime, *, online: bool, grace: timedelta
) -> Verdict:
    """What becomes of a delivery, by the preferences, the quiet hours and the devices of its person."""
    if person is None or person["disabled_at"] is not None or person["verified_at"] is None:
        return NEVER
    kind, channel = delivery["kind"], delivery["channel"]
    if not wants(person, kind, channel):
        return NEVER
    if kind in ALWAYS:
        return NOW
    until = quiet_until(person, now)
    if until is not None and channel == "push" and PUSHES[kind] == "dropped":
        return NEVER
    if until is None and channel == "push" and online and now < delivery["since"] + grace:
        until = delivery["since"] + grace
    return NOW if until is None else Verdict(False, until)


class Sending:
    """Takes what is due and sends it, some at a time, on every worker."""

    def __init__(
        self,
        database: Database,
        deliveries: Deliveries,
        pushing: Pushing,
        digest: Digest,
        online: Callable[[str], Awaitable[bool]],
        clock: Clock,
        *,
        grace_s: float,
    ) -> None:
        self._users = database.users
        self._deliveries = deliveries
        self._pushing = pushing
        self._digest = digest
        self._online = online
        self._clock = clock
        self._grace = timedelta(seconds=grace_s)
        self._ending = False
        self._under_way: set[asyncio.Task[None]] = set()
        self.more = asyncio.Event()
        """Set when something may be due."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send until the block ends; what is on its way then has a moment, the rest another worker sends."""
        async with self._pushing.running():
            task = asyncio.get_running_loop().create_task(self._run(), name="notifications-send")
            try:
                yield
            finally:
                self._ending = True
                self.more.set()
                await asyncio.wait({task, *self._under_way}, timeout=LAST_S)
                await asyncio.gather(*map(end, (task, *self._under_way)))

    async def _run(self) -> None:
        while not self._ending:
            self.more.clear()
            try:
                await self.send_due()
                await self._deliveries.measure()
            except DATABASE_ERRORS as error:
                log.warning("deliveries_unreadable", reason=type(error).__name__)
            except Exception:
                log.exception("deliveries_failed")  # nobody else would go on
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self.more.wait()

    async def send_due(self) -> int:
        """Begin to send all that is due, ten at a time; how many were taken."""
        count = 0
        while not self._ending and (taken := await self._deliveries.take()):
            count += 1
            task = asyncio.get_running_loop().create_task(self._send(taken))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            if len(self._under_way) >= AT_ONCE:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        return count

    async def idle(self) -> None:
        """Wait until what was taken so far is sent, or put off."""
        if self._under_way:
            await asyncio.wait(tuple(self._under_way))

    async def _send(self, delivery: Document) -> None:
        """One that was taken. Whatever goes wrong, its lease ends and it is taken again."""
        try:
            await self._judge(delivery)
        except DATABASE_ERRORS as error:
            log.warning("delivery_later", channel=delivery["channel"], reason=type(error).__name__)
        except Exception:
            # A defect that one shows must keep no other back.
            log.exception("delivery_broken", delivery=delivery["_id"])
            with contextlib.suppress(*DATABASE_ERRORS):  # then it is taken again when its lease ends
                if not await self._deliveries.retry(delivery, delivery["done"], None):
                    await self._deliveries.done(delivery)

    async def _judge(self, delivery: Document) -> None:
        person = await self._users.find_one({"_id": delivery["user"]}, _PERSON)
        online = delivery["channel"] == "push" and await self._online(delivery["user"])
        found = verdict(delivery, person, self._clock.utc(), online=online, grace=self._grace)
        if found.later is not None:
            await self._deliveries.wait(delivery, found.later)
        elif not found.leaves or person is None:
            await self._deliveries.done(delivery)
        else:
            await self._ways[delivery["channel"]](delivery, person)

    @property
    def _ways(self) -> dict[str, Callable[[Document, Document], Awaitable[None]]]:
        return {"push": self._pushing.send, "mail": self._digest.send}
