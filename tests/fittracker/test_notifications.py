"""The inbox: each thing that happened is in it once, and is told to the person's devices."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from config.settings import Settings
from fittracker.blocks import Blocks
from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.errors import NotFound
from fittracker.ids import new_id
from fittracker.inbox.folding import TRIM_EVERY
from fittracker.opening import open_contexts
from fittracker.profile import new_person
from tests.moving_clock import MovingClock


async def somebody(contexts: Contexts, name: str = "Anna", **preferences: Any) -> str:
    """A person who is there; their id."""
    user, now = new_id(), contexts.clock.utc()
    person = new_person(user, f"{user}@example.org", name, "user", now, {})
    await contexts.database.users.insert_one(
        {**person, "preferences": {"notifications": preferences}, "verified_at": now}
    )
    return user


async def like(contexts: Contexts, user: str, by: str, post: str = "post:1") -> None:
    """Somebody likes a post of theirs."""
    await contexts.notifications.notify(
        user, "social", event="post.liked", key=f"like:{post}:{by}", by=by, subject=post
    )


async def inbox(contexts: Contexts, user: str) -> list[tuple[str, int, bool]]:
    """Text, count, and whether it was read."""
    page = await contexts.notifications.page(user, 100, None)
    return [(each["text"], each["count"], each["read"]) for each in page.items]


async def told(contexts: Contexts, user: str, kind: str = "notification") -> list[Any]:
    """The events of this kind that a person's devices were told so far."""
    await contexts.notifications.settle(user)
    found = await contexts.room_log.archive.before(f"user:{user}", kind, None, 100)
    return [msgspec.json.decode(each.record.data) for each in found]


async def test_the_same_key_is_the_same_notification(contexts: Contexts) -> None:
    """However often it is sent."""
    user, by = await somebody(contexts), await somebody(contexts, "Bert")
    for _ in range(3):
        await like(contexts, user, by)
    assert await inbox(contexts, user) == [("Bert liked your post", 1, False)]
    (event,) = await told(contexts, user)
    assert (event["by"], event["unread"], event["actors"]) == (by, 1, [{"user": by, "name": "Bert"}])


async def test_a_kind_that_nobody_can_choose_is_a_mistake_of_ours(contexts: Contexts) -> None:
    """Each kind has its preferences."""
    with pytest.raises(KeyError):
        await contexts.notifications.notify(new_id(), "gossip", event="x", key="1")


async def test_fifty_at_once_are_one_entry_with_the_newest_people(contexts: Contexts) -> None:
    """And the devices are told of few of the fifty steps, the last one being right."""
    user = await somebody(contexts)
    people = [await somebody(contexts, f"Fan {each}") for each in range(50)]
    await asyncio.gather(*(like(contexts, user, each) for each in people))
    page = await contexts.notifications.page(user, 100, None)
    (entry,) = page.items
    assert (entry["count"], entry["people"], page.unread) == (50, 50, 1)
    assert len(entry["actors"]) == 3
    assert entry["text"].endswith(" and 49 others liked your post")
    events = await told(contexts, user)
    assert max(events, key=lambda each: each["revision"])["count"] == 50
    assert len(events) <= 10


async def test_what_was_read_is_not_grown_any_more(contexts: Contexts) -> None:
    """The next like begins a new entry: it is news again."""
    user = await somebody(contexts)
    await like(contexts, user, await somebody(contexts, "Bert"))
    assert await contexts.notifications.read(user, None) == (0, 2)
    await like(contexts, user, await somebody(contexts, "Carla"))
    assert await inbox(contexts, user) == [
        ("Carla liked your post", 1, False),
        ("Bert liked your post", 1, True),
    ]


async def test_a_like_that_is_taken_back_before_anybody_saw_it_disappears(contexts: Contexts) -> None:
    """From the entry of several as from that of one, whose devices are told."""
    user = await somebody(contexts)
    bert, carla = await somebody(contexts, "Bert"), await somebody(contexts, "Carla")
    await like(contexts, user, bert)
    await like(contexts, user, carla)
    await contexts.notifications.withdraw(user, key=f"like:post:1:{carla}")
    assert await inbox(contexts, user) == [("Bert liked your post", 1, False)]
    await contexts.notifications.withdraw(user, key=f"like:post:1:{bert}")
    assert await inbox(contexts, user) == []
    (event,) = await told(contexts, user, "notification.withdrawn")
    assert event["unread"] == 0
    await like(contexts, user, bert)
    assert await inbox(contexts, user) == [("Bert liked your post", 1, False)]


async def test_a_like_that_was_seen_stays_when_it_is_taken_back(contexts: Contexts) -> None:
    """And liking again is nothing new."""
    user, bert = await somebody(contexts), await somebody(contexts, "Bert")
    await like(contexts, user, bert)
    await contexts.notifications.read(user, None)
    await contexts.notifications.withdraw(user, key=f"like:post:1:{bert}")
    await like(contexts, user, bert)
    assert await inbox(contexts, user) == [("Bert liked your post", 1, True)]


async def test_nobody_hears_of_themselves_or_of_whom_they_have_blocked(contexts: Contexts) -> None:
    """Whoever made the block; what was in the inbox of either goes with it."""
    user, bert = await somebody(contexts), await somebody(contexts, "Bert")
    await like(contexts, user, user)
    await like(contexts, user, bert)
    await like(contexts, bert, user)
    await contexts.notifications.read(user, None)
    blocks: Blocks = contexts.blocks
    await blocks.add(user, bert, SYSTEM)
    assert await inbox(contexts, user) == await inbox(contexts, bert) == []
    await like(contexts, user, bert, "post:2")
    await like(contexts, bert, user, "post:2")
    assert await inbox(contexts, user) == await inbox(contexts, bert) == []


async def test_what_is_turned_off_for_sockets_is_not_in_the_inbox(contexts: Contexts) -> None:
    """And what is turned off everywhere is forgotten."""
    user = await somebody(contexts, social={"socket": False})
    await like(contexts, user, await somebody(contexts, "Bert"))
    page = await contexts.notifications.page(user, 10, None)
    assert (page.items, page.unread, await told(contexts, user)) == ([], 0, [])


async def test_reading_is_of_ones_own_entries(contexts: Contexts) -> None:
    """Those of others are not there, and stay unread."""
    user, other = await somebody(contexts), await somebody(contexts)
    bert = await somebody(contexts, "Bert")
    for each in (user, other):
        await like(contexts, each, bert)
    (theirs,) = (await contexts.notifications.page(other, 1, None)).items
    (mine,) = (await contexts.notifications.page(user, 1, None)).items
    with pytest.raises(NotFound):
        await contexts.notifications.read(user, [theirs["_id"]])
    await contexts.notifications.read(user, [theirs["_id"], mine["_id"]])
    assert (await contexts.notifications.page(other, 1, None)).unread == 1
    (event,) = await told(contexts, user, "notification.read")
    assert event == {"ids": [mine["_id"]], "all": False, "unread": 0, "revision": 2}


# -- several workers, and what may go away -----------------------------------------------------------------


async def test_two_workers_put_into_one_inbox_what_happens_at_once(
    contexts: Contexts, other: Contexts
) -> None:
    """Each thing once, though both were told of all of them; the count is that of the entries."""
    user = await somebody(contexts)
    people = [await somebody(contexts, f"Fan {each}") for each in range(25)]
    await asyncio.gather(
        *(like(worker, user, each) for each in people for worker in (contexts, other)),
        *(like(other, user, each, "post:2") for each in people[:5]),
    )
    found = {(text, count) for text, count, _ in await inbox(contexts, user)}
    assert {count for _, count in found} == {25, 5}
    assert (await other.notifications.page(user, 10, None)).unread == 2
    await other.notifications.settle(user)
    events = await told(contexts, user)
    newest = max(events, key=lambda each: each["revision"])
    assert newest["unread"] == 2
    assert len({(each["revision"], each["id"]) for each in events}) == len(events)


async def test_what_happens_while_redis_is_away_is_told_by_whoever_hears_it_again(
    contexts: Contexts, settings: Settings, clock: MovingClock
) -> None:
    """It is in the inbox at once; the devices hear of it later, once."""
    user, bert = await somebody(contexts), await somebody(contexts, "Bert")
    async with open_contexts(settings.with_changes(redis_url="redis://127.0.0.1:1"), clock) as cut_off:
        await like(cut_off, user, bert)
        await cut_off.notifications.settle(user)
        assert await inbox(contexts, user) == [("Bert liked your post", 1, False)]
    assert await contexts.database.notification_news.count_documents({"user": user}) == 1
    for _ in range(2):
        clock.advance(11)
        await contexts.notifications.look_after()
        (event,) = await told(contexts, user)
        assert (event["text"], event["unread"]) == ("Bert liked your post", 1)
    assert await contexts.database.notification_news.count_documents({"user": user}) == 0


async def test_an_inbox_keeps_so_many_entries(settings: Settings, clock: MovingClock) -> None:
    """The oldest go, unread or not, a few at a time."""
    async with open_contexts(settings.with_changes(notifications_kept=5), clock) as small:
        user, bert = await somebody(small), await somebody(small, "Bert")
        for number in range(TRIM_EVERY):
            await like(small, user, bert, f"post:{number}")
        page = await small.notifications.page(user, 100, None)
        newest = range(TRIM_EVERY - 1, TRIM_EVERY - 6, -1)
        assert [each["subject"] for each in page.items] == [f"post:{each}" for each in newest]
        assert page.unread == 5


async def test_somebody_who_is_gone_gets_nothing_and_has_no_name(contexts: Contexts) -> None:
    """What they did is still there, by somebody."""
    user, bert = await somebody(contexts), await somebody(contexts, "Bert")
    await like(contexts, user, bert)
    await contexts.database.users.delete_one({"_id": bert})
    assert await inbox(contexts, user) == [("Somebody liked your post", 1, False)]
    await like(contexts, bert, user)
    assert await inbox(contexts, bert) == []
    assert await contexts.database.notification_facts.count_documents({"user": bert}) == 0


async def test_data_that_is_too_large_is_a_mistake_of_ours(contexts: Contexts) -> None:
    """An inbox is no place for documents."""
    with pytest.raises(ValueError, match="2048 bytes"):
        await contexts.notifications.notify(
            new_id(), "social", event="x.y", key="1", data={"text": "x" * 2_048}
        )


async def test_what_devices_were_told_is_forgotten_after_a_week(
    contexts: Contexts, other: Contexts, clock: MovingClock
) -> None:
    """Of each room one number is left, without names; the inbox keeps what is in it."""
    user, by = await somebody(contexts), await somebody(contexts, "Bert")
    for post in ("post:1", "post:2"):
        await like(contexts, user, by, post)
    await contexts.notifications.read(user, None)
    await contexts.notifications.settle(user)
    clock.advance(6 * 86_400)
    await like(contexts, user, by, "post:3")
    await contexts.notifications.settle(user)
    clock.advance(2 * 86_400)
    gone = await asyncio.gather(contexts.notifications.expire(), other.notifications.expire())
    assert sum(gone) >= 3
    (young,) = await contexts.database.room_events.find({"room": f"user:{user}"}).to_list()
    assert young["kind"] == "notification"
    clock.advance(7 * 86_400)
    await contexts.notifications.expire()
    place = await contexts.room_log.head(f"user:{user}")
    (left,) = await contexts.room_log.archive.between(f"user:{user}", place.epoch, 1, place.seq)
    assert (left.place, left.record.kind, left.record.by) == (place, "notification.read", "")
    assert b"Bert" not in left.record.data
    assert len(await inbox(contexts, user)) == 3


async def test_a_block_is_quick_however_often_the_other_one_was_heard_of(contexts: Contexts) -> None:
    """Whoever was pestered a hundred times does not wait for a hundred transactions to be rid of it."""
    user, by, friend = await somebody(contexts), await somebody(contexts, "Bert"), await somebody(contexts)
    for room in ("chat:1", "chat:2"):
        mentions = (
            contexts.notifications.notify(
                user, "chat", event="chat.mentioned", key=f"{room} {number}", by=by, subject=room
            )
            for number in range(50)
        )
        await asyncio.gather(*mentions)
    await contexts.notifications.notify(
        user, "chat", event="chat.mentioned", key="of a friend", by=friend, subject="chat:2"
    )
    before = await contexts.notifications.page(user, 100, None)
    assert sorted(each["count"] for each in before.items) == [50, 51]
    await contexts.blocks.add(user, by, SYSTEM)
    after = await contexts.notifications.page(user, 100, None)
    assert [(each["count"], each["people"], each["by"]) for each in after.items] == [(1, 1, friend)]
    assert after.revision == before.revision + 1
    gone = {each["id"] for each in await told(contexts, user, "notification.withdrawn")}
    assert gone == {each["_id"] for each in before.items} - {each["_id"] for each in after.items}
