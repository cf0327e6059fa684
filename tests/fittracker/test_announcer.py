"""Events that need not last reach every worker, in order, and cost nobody anything while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from fittracker.announcer import MOST_WAITING, Announcer, dropped
from fittracker.clock import Clock
from fittracker.embedded.server import free_port


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """What the announcer sends with, and the test listens with."""
    async with Redis.from_url(redis_url) as client:
        yield client


async def hear(listener: Any, count: int) -> list[bytes]:
    """So many messages of a subscription."""
    heard: list[bytes] = []
    async with asyncio.timeout(10):
        while len(heard) < count:
            message = await listener.get_message(ignore_subscribe_messages=True, timeout=5)
            if message is not None:
                heard.append(message["data"])
    return heard


async def test_what_is_told_comes_in_order_as_every_worker_reads_it(redis: Redis) -> None:
    """The letter, nobody's name, no key, and the event."""
    async with redis.pubsub() as listener:
        await listener.subscribe("room:post:1")
        await hear_subscription(listener)
        announcer = Announcer(redis, Clock())
        async with announcer.running():
            for count in range(3):
                announcer.tell("post:1", "social.liked", {"count": count})
            heard = await hear(listener, 3)
    assert all(each.startswith(b"e000000000000\x00") for each in heard)
    events = [msgspec.json.decode(each[14:]) for each in heard]
    assert [each["data"]["count"] for each in events] == [0, 1, 2]
    assert {(each["type"], each["room"]) for each in events} == {("social.liked", "post:1")}


async def hear_subscription(listener: Any) -> None:
    """Until Redis has confirmed it."""
    async with asyncio.timeout(10):
        while (await listener.get_message(timeout=5)) is None:
            pass


async def test_what_was_told_last_is_sent_before_the_end(redis: Redis) -> None:
    """A worker that drains has said it."""
    async with redis.pubsub() as listener:
        await listener.subscribe("room:post:2")
        await hear_subscription(listener)
        announcer = Announcer(redis, Clock())
        async with announcer.running():
            announcer.tell("post:2", "social.liked", {"count": 1})
        assert len(await hear(listener, 1)) == 1


async def test_without_redis_what_is_told_is_dropped_and_counted() -> None:
    """And neither raises nor waits."""
    before = dropped._value.get()
    async with Redis.from_url(f"redis://127.0.0.1:{free_port()}") as nobody:
        announcer = Announcer(nobody, Clock())
        async with announcer.running():
            announcer.tell("post:3", "social.liked", {"count": 1})
    assert dropped._value.get() == before + 1


async def test_the_oldest_go_first_when_too_much_waits(redis: Redis) -> None:
    """Only the newest matters, and memory is bounded."""
    before = dropped._value.get()
    announcer = Announcer(redis, Clock())
    for count in range(MOST_WAITING + 1):
        announcer.tell("post:4", "social.liked", {"count": count})
    assert dropped._value.get() == before + MOST_WAITING // 2
    assert len(announcer._out) == MOST_WAITING // 2 + 1


async def test_whatever_redis_refuses_what_is_told_next_is_sent(redis: Redis, redis_url: str) -> None:
    """One answer that is no outage, such as that of a busy server, does not silence a worker for good."""
    before = dropped._value.get()
    await redis.acl_setuser("mute", enabled=True, nopass=True, commands=["+@all", "-publish"], channels=["*"])
    async with (
        Redis.from_url(redis_url, username="mute", password="any") as muted,
        redis.pubsub() as listener,
    ):
        await listener.subscribe("room:post:5")
        await hear_subscription(listener)
        announcer = Announcer(muted, Clock())
        async with announcer.running():
            announcer.tell("post:5", "social.liked", {"count": 1})
            await announcer.flush()
            await redis.acl_setuser("mute", commands=["+publish"])
            announcer.tell("post:5", "social.liked", {"count": 2})
            heard = await hear(listener, 1)
    await redis.acl_deluser("mute")
    assert msgspec.json.decode(heard[0][14:])["data"] == {"count": 2}
    assert dropped._value.get() == before + 1
