"""A worker that pushes to a service of ours and mails to a server of ours, with a clock that tests move."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

import config.settings
from config.settings import Settings
from fittracker.contexts import Contexts
from fittracker.ids import new_id
from fittracker.opening import open_contexts
from fittracker.profile import new_person
from fittracker.push.subscriptions import Target
from fittracker.push.vapid import new_key
from tests.mail_server import MailServer, open_mail_server
from tests.moving_clock import MovingClock
from tests.push_service import Browser, PushService, host_of, open_push_service


@pytest.fixture(scope="module")
def clock() -> MovingClock:
    """The clock of the worker."""
    return MovingClock()


@pytest.fixture(scope="module")
async def service() -> AsyncIterator[PushService]:
    """Where browsers have subscribed."""
    async with open_push_service() as opened:
        yield opened


@pytest.fixture(scope="module")
async def mails() -> AsyncIterator[MailServer]:
    """A mail server that takes everything."""
    async with open_mail_server() as opened:
        yield opened


@pytest.fixture(scope="module")
def settings(
    mongo_url: str, mongo_database: str, redis_url: str, service: PushService, mails: MailServer
) -> Settings:
    """With push on."""
    return config.settings.load(
        mode="test",
        mongo_url=mongo_url,
        mongo_database=mongo_database,
        redis_url=redis_url,
        smtp_port=mails.port,
        smtp_security="none",
        public_origin="https://fit.example.org",
        vapid_key=new_key(),
        vapid_contact="mailto:push@example.org",
        push_hosts=(host_of(service),),
    )


@pytest.fixture(scope="module")
async def contexts(settings: Settings, clock: MovingClock) -> AsyncIterator[Contexts]:
    """One worker."""
    async with open_contexts(settings, clock) as opened:
        yield opened


@dataclass
class Town:
    """People with browsers, and what happens among them."""

    contexts: Contexts
    clock: MovingClock
    service: PushService

    async def person(self, name: str = "Anna", zone: str = "UTC", **preferences: Any) -> str:
        """Somebody who is there; their id."""
        user, now = new_id(), self.clock.utc()
        person = new_person(user, f"{user}@example.org", name, "user", now, {"time_zone": zone})
        await self.contexts.database.users.insert_one(
            {**person, "preferences": preferences, "verified_at": now}
        )
        return user

    async def browser(self, user: str) -> Browser:
        """A browser in which they are signed in and have subscribed."""
        browser = self.service.browser()
        await self.subscribe(user, await self.sign_in(user), browser)
        return browser

    async def sign_in(self, user: str) -> str:
        """The id of a new sign-in."""
        person = await self.contexts.users.get(user)
        pair = await self.contexts.sessions.begin(person, device="test", address="127.0.0.1")
        return pair.sid

    async def subscribe(self, user: str, sid: str, browser: Browser) -> str:
        """Subscribe; the id of the subscription."""
        target = Target(browser.subscription["endpoint"], **browser.subscription["keys"])
        return str((await self.contexts.push_subscriptions.add(user, sid, target))["_id"])

    async def happens(
        self, user: str, by: str | None = None, *, kind: str = "social", subject: str = "post:1"
    ) -> None:
        """Something happens to them."""
        await self.contexts.notifications.notify(
            user,
            kind,
            event="post.liked",
            key=new_id(),
            by=by,
            subject=subject,
            data={"excerpt": "My secret diary"},
        )

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and do what is due by then."""
        await self.send()
        self.clock.advance(seconds)
        await self.send()

    async def send(self) -> None:
        """Do what is due, to the end: what a worker has taken must not seem to be abandoned by it."""
        await self.contexts.notifying.sending.send_due()
        await self.contexts.notifying.sending.idle()


@pytest.fixture(scope="module")
def town(contexts: Contexts, clock: MovingClock, service: PushService) -> Town:
    """For the tests of a module."""
    return Town(contexts, clock, service)
