"""Inbox, push and mail of notifications, put together for one worker."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from redis.asyncio import Redis

from config.settings import Settings
from fittracker.blocks import Blocks
from fittracker.breaker import Breaker, RedisAway
from fittracker.clock import Clock
from fittracker.inbox.deliveries import Deliveries
from fittracker.inbox.digest import Digest
from fittracker.inbox.pushing import Pushing
from fittracker.inbox.sending import Sending
from fittracker.mail import Mail
from fittracker.mongo import Database
from fittracker.notifications import Notifications
from fittracker.push.courier import Courier
from fittracker.push.endpoints import Endpoints
from fittracker.push.subscriptions import Subscriptions
from fittracker.push.vapid import Vapid
from fittracker.roomlog.log import RoomLog
from fittracker.sealing import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What it stands on."""

    settings: Settings
    database: Database
    redis: Redis
    breaker: Breaker
    room_log: RoomLog
    blocks: Blocks
    mail: Mail
    clock: Clock


@dataclass(frozen=True, slots=True)
class Notifying:
    """The inboxes, the browsers to push to, and what sends."""

    notifications: Notifications
    subscriptions: Subscriptions
    sending: Sending

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell and send until the block ends."""
        async with self.sending.running(), self.notifications.running():
            yield


def open_notifying(ground: Ground) -> Notifying:
    """All of it; without a VAPID key push is off."""
    settings, database, clock = ground.settings, ground.database, ground.clock
    endpoints = Endpoints(settings.push_hosts)
    vapid = Vapid(settings.vapid_key, settings.vapid_contact, clock) if settings.vapid_key else None
    subscriptions = Subscriptions(
        database,
        Seal(settings.token_keys, "push"),
        endpoints,
        clock,
        key=vapid.public_key if vapid else None,
    )
    deliveries = Deliveries(
        database, clock, mail_after_s=settings.notification_mail_after_s, push=vapid is not None
    )
    courier = Courier(vapid, endpoints, clock) if vapid else None
    origin = settings.public_origin
    sending = Sending(
        database,
        deliveries,
        Pushing(database, deliveries, subscriptions, courier, clock, origin=origin),
        Digest(database, deliveries, ground.mail, clock, origin=origin),
        _online(ground.redis, ground.breaker),
        clock,
        grace_s=settings.push_grace_s,
    )
    notifications = Notifications(
        database,
        ground.room_log,
        ground.blocks,
        deliveries,
        clock,
        most=settings.notifications_kept,
        days=settings.notification_days,
    )
    notifications.when_due(sending.more)
    return Notifying(notifications, subscriptions, sending)


def _online(redis: Redis, breaker: Breaker) -> Callable[[str], Awaitable[bool]]:
    async def online(user: str) -> bool:
        """Whether a worker listens to this person's own room, which it does while it has a socket of theirs.

        While Redis is away nobody is: then nothing reaches a socket on another worker either.
        """
        channel = f"room:user:{user}"
        try:
            found = await breaker.call(lambda: redis.pubsub_numsub(channel))
        except RedisAway:
            return False
        return any(count > 0 for _, count in found)

    return online
