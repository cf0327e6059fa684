"""Pushing: an entry of an inbox, to every browser that its person has subscribed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import msgspec

from fittracker.clock import Clock, rfc3339
from fittracker.inbox.deliveries import Deliveries
from fittracker.inbox.entries import text_of
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.present import names
from fittracker.push.courier import Answer, Courier, Message, Outcome
from fittracker.push.subscriptions import Subscription, Subscriptions

log = logger(__name__)

TITLE: Final = "FitTracker Pro"
HOUR_S: Final = 3_600
DAY_S: Final = 24 * HOUR_S
LIVES_S: Final[Mapping[str, int]] = {"coaching": HOUR_S, "security": 7 * DAY_S}
"""How long a push service keeps a push for a device that is off, by kind; a day for the others."""
URGENCY: Final[Mapping[str, str]] = {
    "security": "high",
    "coaching": "high",
    "booking": "high",
}
"""RFC 8030: what is `normal`, as the others are, may wait while the battery is low."""
TOPIC: Final = 32


class Pushing:
    """Pushes entries; `courier` is None where push is off."""

    def __init__(
        self,
        database: Database,
        deliveries: Deliveries,
        subscriptions: Subscriptions,
        courier: Courier | None,
        clock: Clock,
        *,
        origin: str,
    ) -> None:
        self._entries = database.notifications
        self._users = database.users
        self._deliveries = deliveries
        self._subscriptions = subscriptions
        self._courier = courier
        self._clock = clock
        self._origin = origin

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Pushes may be sent until the block ends."""
        async with contextlib.AsyncExitStack() as stack:
            if self._courier is not None:
                await stack.enter_async_context(self._courier.running())
            else:
                log.info("push_off", reason="VAPID_KEY is not set")
            yield

    async def send(self, delivery: Document, _person: Document) -> None:
        """Push an entry as it is now, to the browsers that have not got it yet; not where it was read."""
        entry = await self._entries.find_one({"_id": delivery["entry"], "open": True})
        if entry is None or self._courier is None:
            await self._deliveries.done(delivery)
            return
        done = set(delivery["done"])
        left = [each for each in await self._subscriptions.of(delivery["user"]) if each.id not in done]
        message = await self._message(entry)
        answers = await asyncio.gather(*(self._courier.send(each.target, message) for each in left))
        later = await self._settle(left, answers)
        done |= {each.id for each in left} - later.keys()
        pause = max((each.pause_s or 0.0 for each in later.values()), default=0.0)
        if later:
            if await self._deliveries.retry(delivery, sorted(done), pause):
                return
            log.warning("push_given_up", entry=entry["_id"], browsers=len(later))
        await self._finish(delivery, entry)

    async def _message(self, entry: Document) -> Message:
        known = await names(self._users, entry["actors"])
        return Message(
            payload(entry, known, origin=self._origin),
            LIVES_S.get(entry["kind"], DAY_S),
            URGENCY.get(entry["kind"], "normal"),
            topic(entry["_id"]),
        )

    async def _settle(self, targets: list[Subscription], answers: list[Answer]) -> dict[str, Answer]:
        """Draw the conclusions; those that are to be tried again."""
        later: dict[str, Answer] = {}
        for each, answer in zip(targets, answers, strict=True):
            match answer.outcome:
                case Outcome.TAKEN:
                    await self._subscriptions.taken(each.id)
                case Outcome.GONE:
                    await self._subscriptions.forget(each.id)
                case Outcome.REFUSED:
                    log.warning("push_refused", subscription=each.id, reason=answer.reason)
                    await self._subscriptions.refused(each.id)
                case Outcome.LATER:
                    log.info("push_later", subscription=each.id, reason=answer.reason)
                    later[each.id] = answer
        return later

    async def _finish(self, delivery: Document, entry: Document) -> None:
        pushed = {"$set": {"pushed_at": self._clock.utc()}}
        await self._entries.update_one({"_id": entry["_id"]}, pushed)
        # What no inbox shows is over once it was sent.
        hidden = {"_id": entry["_id"], "shown": False, "to_mail": False}
        await self._entries.update_one(hidden, {"$set": {"open": False}})
        await self._deliveries.done(delivery)


def payload(entry: Mapping[str, Any], known: Mapping[str, str], *, origin: str) -> bytes:
    """What a service worker shows: one sentence, and where a tap leads. No data of the entry's, no texts."""
    return msgspec.json.encode(
        {
            "id": entry["_id"],
            "kind": entry["kind"],
            "event": entry["event"],
            "title": TITLE,
            "body": text_of(entry, known),
            "tag": topic(entry["_id"]),
            "url": f"{origin}/",
            "at": rfc3339(entry["changed_at"]),
        }
    )


def topic(entry: str) -> str:
    """32 characters that mean an entry to nobody else: a later push of it replaces an earlier one."""
    digest = hashlib.sha256(f"topic {entry}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:TOPIC]
