"""A server that is restarted goes on where it was: what was stored is told, what was put off is pushed."""

from __future__ import annotations

from config.settings import Settings
from fittracker.inbox.facts import Facts
from fittracker.opening import open_contexts
from tests.fittracker.inbox.conftest import Town
from tests.moving_clock import MovingClock
from tests.push_service import PushService


async def test_what_waits_outlives_the_server(
    settings: Settings, clock: MovingClock, service: PushService
) -> None:
    """One thing was put off by its push service, another one only just stored, when everything ended."""
    async with open_contexts(settings, clock) as contexts:
        before = Town(contexts, clock, service)
        anna, bert = await before.person(), await before.person("Bert")
        browser = await before.browser(anna)
        service.answer(browser, 503)
        await before.happens(anna, bert)
        await browser.got(1)
        await before.send()
        fact = {"user": anna, "kind": "social", "event": "user.followed", "by": bert, "data": {}}
        await Facts(contexts.database, clock, days=1).store({**fact, "subject": None}, "follow", None)
    service.answer(browser, 201)
    clock.advance(10)
    async with open_contexts(settings, clock) as contexts:
        after = Town(contexts, clock, service)
        await contexts.notifications.look_after()
        await contexts.notifications.settle(anna)
        await after.send()
        bodies = {each["body"] for each in (await browser.got(3))[1:]}
        assert bodies == {"Bert liked your post", "Bert started following you"}
        assert (await contexts.notifications.page(anna, 9, None)).unread == 2
        told = await contexts.room_log.archive.before(f"user:{anna}", "notification", None, 9)
        assert len(told) == 2
        await after.pass_time(3_600)
        assert len(browser.requests) == 3
