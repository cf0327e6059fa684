"""Pushes: what is unread reaches every browser once, encrypted, and nobody in quiet hours."""

from __future__ import annotations

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from redis.asyncio import Redis

from config.settings import Settings
from fittracker.errors import Conflict, Invalid, NotFound
from fittracker.inbox.facts import Facts
from fittracker.inbox.pushing import topic
from fittracker.push.endpoints import Endpoints
from fittracker.push.subscriptions import MOST, MOST_REFUSALS, Subscriptions, Target
from fittracker.sealing import Seal
from tests.fittracker.inbox.conftest import Town
from tests.push_service import claims


async def test_what_happens_is_pushed_and_only_the_browser_can_read_it(
    town: Town, settings: Settings
) -> None:
    """By our key, for a day, under a topic that a later push of the same entry shares; without any text."""
    anna, bert = await town.person(), await town.person("Bert")
    browser = await town.browser(anna)
    await town.happens(anna, bert)
    (shown,) = await browser.got(1)
    (entry,) = (await town.contexts.notifications.page(anna, 1, None)).items
    assert (shown["body"], shown["id"]) == ("Bert liked your post", entry["_id"])
    assert shown["url"] == "https://fit.example.org/"
    (request,) = browser.requests
    assert b"Bert" not in request.body
    assert "diary" not in str(shown)
    headers = request.headers
    assert (headers["TTL"], headers["Urgency"], headers["Topic"]) == ("86400", "normal", topic(entry["_id"]))
    assert (headers["Content-Encoding"], len(headers["Topic"])) == ("aes128gcm", 32)
    said = claims(headers["Authorization"], str(town.contexts.push_subscriptions.key))
    assert (said["aud"], said["sub"]) == (town.service.url, settings.vapid_contact)
    assert 0 < said["exp"] - town.clock.now() <= 24 * 3600


async def test_what_grew_is_pushed_again_but_not_at_once(town: Town) -> None:
    """A popular post does not ring all evening."""
    anna = await town.person()
    browser = await town.browser(anna)
    await town.happens(anna, await town.person("Bert"))
    await browser.got(1)
    await town.send()
    for name in ("Carla", "Dora", "Emil"):
        await town.happens(anna, await town.person(name))
    await town.send()
    assert len(browser.requests) == 1
    await town.pass_time(15 * 60)
    shown = await browser.got(2)
    assert shown[1]["body"] == "Emil and 3 others liked your post"
    assert shown[0]["tag"] == shown[1]["tag"]
    assert len({each.headers["Topic"] for each in browser.requests}) == 1


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_over_is_forgotten(town: Town, status: int) -> None:
    """Its service says so; the other browsers are not concerned."""
    anna = await town.person()
    gone, there = await town.browser(anna), await town.browser(anna)
    town.service.answer(gone, status)
    await town.happens(anna)
    await gone.got(1)
    await there.got(1)
    await town.send()
    (left,) = await town.contexts.push_subscriptions.of(anna)
    assert left.target.endpoint == there.subscription["endpoint"]


async def test_a_service_that_is_busy_gets_it_later_and_only_once(town: Town) -> None:
    """Not before the time that it names, nor before ours; a browser that has it is left alone."""
    anna = await town.person()
    busy, there = await town.browser(anna), await town.browser(anna)
    town.service.answer(busy, 429, Retry_After="120")
    await town.happens(anna)
    await busy.got(1)
    await there.got(1)
    await town.send()
    await town.pass_time(60)
    assert len(busy.requests) == 1
    town.service.answer(busy, 503)
    await town.pass_time(61)
    assert len(await busy.got(2)) == 2
    town.service.answer(busy, 201)
    await town.pass_time(30)
    await busy.got(3)
    await town.send()
    await town.pass_time(3_600)
    assert (len(busy.requests), len(there.requests)) == (3, 1)


async def test_a_service_that_refuses_is_not_asked_for_ever(town: Town) -> None:
    """A redirect is a refusal, and is not followed; after ten in a row the subscription is given up."""
    anna = await town.person()
    browser = await town.browser(anna)
    town.service.answer(browser, 307, Location=f"{town.service.url}/elsewhere")
    for number in range(MOST_REFUSALS):
        await town.happens(anna, subject=f"post:{number}")
        await browser.got(number + 1)
    await town.send()
    assert await town.contexts.push_subscriptions.of(anna) == []
    assert [each for each in town.service.pushed if each.path == "/elsewhere"] == []


async def test_what_was_read_on_a_socket_is_not_pushed(town: Town, settings: Settings) -> None:
    """Who has a socket open has ten seconds to read it there."""
    anna = await town.person()
    browser = await town.browser(anna)
    async with Redis.from_url(settings.redis_url) as redis, redis.pubsub() as listening:
        await listening.subscribe(f"room:user:{anna}")  # as a worker with a socket of hers does
        await town.happens(anna, subject="post:1")
        await town.send()
        await town.contexts.notifications.read(anna, None)
        await town.pass_time(11)
        assert browser.requests == []
        await town.happens(anna, subject="post:2")
        await town.send()
        assert browser.requests == []
        await town.pass_time(11)
        assert len(await browser.got(1)) == 1
        await town.send()


def around(town: Town, zone: str, hours: float) -> dict[str, str]:
    """Quiet hours that began some minutes ago, and last so long from now."""
    local = town.clock.utc().astimezone(ZoneInfo(zone))
    begin, end = local - timedelta(minutes=10), local + timedelta(hours=hours)
    return {"from": f"{begin:%H:%M}", "to": f"{end:%H:%M}"}


async def test_in_quiet_hours_a_push_waits_or_is_dropped_unless_it_is_about_security(town: Town) -> None:
    """In the inbox it is at once."""
    zone = "Asia/Tokyo"
    anna = await town.person(zone=zone, quiet_hours=around(town, zone, 3))
    browser = await town.browser(anna)
    for kind in ("social", "coaching", "security"):
        await town.happens(anna, kind=kind, subject=f"{kind}:1")
    assert (await town.contexts.notifications.page(anna, 9, None)).unread == 3
    assert [each["kind"] for each in await browser.got(1)] == ["security"]
    await town.pass_time(3_000)
    assert len(browser.requests) == 1
    await town.pass_time(3 * 3_600)
    assert [each["kind"] for each in await browser.got(2)] == ["security", "social"]
    await town.send()


async def test_a_worker_that_ends_before_it_pushes_leaves_it_to_another(town: Town) -> None:
    """Even one that ends right after it has stored what happened, and before anything else."""
    anna, contexts = await town.person(), town.contexts
    browser = await town.browser(anna)
    fact = {"user": anna, "kind": "social", "event": "post.liked", "by": None, "subject": None, "data": {}}
    assert await Facts(contexts.database, town.clock, days=1).store(fact, "key", None)
    await contexts.notifications.look_after()
    assert (await contexts.notifications.page(anna, 1, None)).items == []  # it may still be at it
    town.clock.advance(6)
    await contexts.notifications.look_after()
    await browser.got(1)
    await contexts.notifications.settle(anna)
    told = await contexts.room_log.archive.before(f"user:{anna}", "notification", None, 10)
    assert len(told) == 1


async def test_what_happens_in_a_transaction_happens_with_it(town: Town) -> None:
    """Or not at all."""
    anna, contexts = await town.person(), town.contexts
    async with contexts.database.client.start_session() as session:
        for commits in (False, True):
            await session.start_transaction()
            await contexts.notifications.notify(
                anna, "social", event="user.followed", key="f", by="f" * 24, session=session
            )
            await (session.commit_transaction() if commits else session.abort_transaction())
            await contexts.notifications.look_after()
            await contexts.notifications.settle(anna)
            assert (await contexts.notifications.page(anna, 1, None)).unread == int(commits)


# -- subscriptions -------------------------------------------------------------------------------------


async def test_who_signs_out_is_not_pushed_to_in_that_browser(town: Town) -> None:
    """The next person at that machine is not told."""
    anna = await town.person()
    sid, browser, other = await town.sign_in(anna), town.service.browser(), await town.browser(anna)
    await town.subscribe(anna, sid, browser)
    await town.contexts.sessions.end(anna, sid)
    await town.happens(anna)
    await other.got(1)
    await town.send()
    assert browser.requests == []


async def test_a_browser_belongs_to_who_subscribed_last(town: Town) -> None:
    """Again is the same one."""
    anna, bert = await town.person(), await town.person("Bert")
    browser = town.service.browser()
    first = await town.subscribe(anna, await town.sign_in(anna), browser)
    assert await town.subscribe(bert, await town.sign_in(bert), browser) == first
    assert await town.contexts.push_subscriptions.of(anna) == []
    with pytest.raises(NotFound):
        await town.contexts.push_subscriptions.remove(anna, first)
    await town.contexts.push_subscriptions.remove(bert, first)


async def test_a_person_has_so_many_browsers(town: Town) -> None:
    """The oldest makes way."""
    anna = await town.person()
    sid = await town.sign_in(anna)
    for _ in range(MOST + 1):
        town.clock.advance(1)
        await town.subscribe(anna, sid, town.service.browser())
    items, _ = await town.contexts.push_subscriptions.page(anna, 100, None)
    assert len(items) == MOST
    assert {*items[0]} == {"_id", "host", "created_at"}


async def test_what_a_browser_is_reached_by_is_sealed(town: Town) -> None:
    """Neither address nor keys can be read in the database."""
    anna = await town.person()
    browser = await town.browser(anna)
    stored = await town.contexts.database.push_subscriptions.find_one({"user": anna})
    keys = browser.subscription["keys"]
    for secret in (browser.path, keys["auth"], keys["p256dh"]):
        assert secret not in str(stored)


GOOD_KEY = "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM"
BAD = {
    "no point of the curve": {"p256dh": "B" + "x" * 86},
    "a compressed point": {"p256dh": "Ag" + "A" * 42},
    "no base64": {"p256dh": "*" * 87},
    "a short secret": {"auth": "AAAA"},
    "no base64 secret": {"auth": "%" * 22},
}


@pytest.mark.parametrize("trick", BAD)
async def test_keys_that_are_none_are_refused(town: Town, trick: str) -> None:
    """They would fail at every push."""
    keys = {"p256dh": GOOD_KEY, "auth": "A" * 22} | BAD[trick]
    with pytest.raises(Invalid):
        await town.contexts.push_subscriptions.add(
            await town.person(), "f" * 24, Target("https://push.example.org/x", **keys)
        )


async def test_without_a_key_push_is_off_and_says_so(town: Town) -> None:
    """Nobody can subscribe, and nothing waits to be pushed."""
    contexts = town.contexts
    seal = Seal(contexts.settings.token_keys, "push")
    off = Subscriptions(contexts.database, seal, Endpoints(), contexts.clock, key=None)
    with pytest.raises(Conflict, match="off"):
        await off.add("a" * 24, "f" * 24, Target("https://push.example.org/x", GOOD_KEY, "A" * 22))


async def test_a_night_in_which_the_clock_is_changed_is_as_quiet_as_it_is_long(town: Town) -> None:
    """From 23:30 to 07:00 by the clock in Berlin are six and a half hours then, or eight and a half."""
    zone = ZoneInfo("Europe/Berlin")
    evening = town.clock.utc().astimezone(zone).replace(hour=23, minute=30) + timedelta(days=1)
    while evening.utcoffset() == (evening + timedelta(days=1)).utcoffset():
        evening += timedelta(days=1)
    shorter = (evening + timedelta(days=1)).utcoffset() > evening.utcoffset()
    town.clock.advance((evening.astimezone(UTC) - town.clock.utc()).total_seconds())
    anna = await town.person(zone=zone.key, quiet_hours={"from": "22:00", "to": "07:00"})
    browser = await town.browser(anna)
    await town.happens(anna)
    await town.pass_time((6.5 if shorter else 8.5) * 3_600 - 120)
    assert browser.requests == []
    await town.pass_time(180)
    assert len(await browser.got(1)) == 1
