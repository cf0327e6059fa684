"""The way between workers over a real Valkey, and what happens when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from fittracker.redis import CONTROL_CHANNEL, worker_key
from ws.broker import ANSWER_S, IDLE_S, Broker
from ws.link import LinkLost

Message = tuple[str, bytes, str, bytes]


class Worker:
    """A broker, and what it was given."""

    def __init__(self, url: str, name: str) -> None:
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.told: asyncio.Queue[bytes] = asyncio.Queue()
        self.reconnections = 0
        self.broker = Broker(
            url,
            name,
            deliver=lambda *message: self.heard.put_nowait(message),
            control=self.told.put_nowait,
            reconnected=self._count,
        )

    def _count(self) -> None:
        self.reconnections += 1

    async def listens_to(self, room: str) -> None:
        """Subscribe, and wait until Redis confirmed it."""
        confirmed = self.broker.subscribe(room)
        if confirmed is not None:
            await asyncio.wait_for(confirmed, 10)

    async def next(self) -> Message:
        """The next message from another worker."""
        return await asyncio.wait_for(self.heard.get(), 10)


@asynccontextmanager
async def workers(url: str) -> AsyncIterator[tuple[Worker, Worker]]:
    """Two workers on one Redis."""
    one, two = Worker(url, "1" * 12), Worker(url, "2" * 12)
    await one.broker.start()
    await two.broker.start()
    try:
        yield one, two
    finally:
        await one.broker.close()
        await two.broker.close()


async def eventually(reached: Callable[[], bool]) -> None:
    """Let the loop work until it is so; fails after 15 s."""
    async with asyncio.timeout(15):
        while not reached():
            await asyncio.sleep(0.01)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client to play tricks with."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


async def kill(redis: Redis, name: str) -> None:
    """Cut the connection of this name from the server's side."""
    for client in await redis.client_list():
        if client["name"] == name:
            await redis.client_kill_filter(_id=client["id"])


async def test_a_message_reaches_the_other_worker_and_not_the_one_that_sent_it(redis_url: str) -> None:
    """Members of the own worker were served directly."""
    async with workers(redis_url) as (one, two):
        await one.listens_to("heart:u")
        await two.listens_to("heart:u")
        one.broker.publish("heart:u", b"t", "u", b'{"type":"hr.update"}')
        assert await two.next() == ("heart:u", b"t", "u", b'{"type":"hr.update"}')
        two.broker.publish("heart:u", b"e", "", b"{}")
        assert await one.next() == ("heart:u", b"e", "", b"{}")


async def test_only_rooms_with_members_here_are_listened_to(redis_url: str, redis: Redis) -> None:
    """A room that was left costs nothing any more."""
    async with workers(redis_url) as (one, _):
        await one.listens_to("session:a")
        assert await redis.pubsub_channels("room:*") == ["room:session:a"]
        one.broker.unsubscribe("session:a")
        await one.listens_to("session:b")
        assert await redis.pubsub_channels("room:*") == ["room:session:b"]


async def test_every_worker_hears_the_control_channel(redis_url: str, redis: Redis) -> None:
    """Revocations travel there."""
    async with workers(redis_url) as (one, two):
        await redis.publish(CONTROL_CHANNEL, "hello")
        assert await asyncio.wait_for(one.told.get(), 10) == b"hello"
        assert await asyncio.wait_for(two.told.get(), 10) == b"hello"


async def test_a_cut_listener_is_replaced_and_listens_to_the_same_rooms(redis_url: str, redis: Redis) -> None:
    """Nobody in the room has to do anything."""
    async with workers(redis_url) as (one, two):
        await two.listens_to("heart:u")
        await kill(redis, f"fittracker-sub-{two.broker.worker}")
        await eventually(lambda: not two.broker.healthy)
        await eventually(lambda: two.broker.healthy)
        subscribed = [("room:heart:u", 1)]

        async def listening() -> bool:
            return bool(await redis.pubsub_numsub("room:heart:u") == subscribed)

        async with asyncio.timeout(10):
            while not await listening():
                await asyncio.sleep(0.01)
        one.broker.publish("heart:u", b"t", "u", b"after")
        assert (await two.next())[3] == b"after"


async def test_a_cut_publisher_is_replaced_and_presence_told_again(redis_url: str, redis: Redis) -> None:
    """Redis may have lost its memory meanwhile."""
    async with workers(redis_url) as (one, two):
        await two.listens_to("heart:u")
        await kill(redis, f"fittracker-pub-{one.broker.worker}")
        await eventually(lambda: one.reconnections == 1)
        one.broker.publish("heart:u", b"t", "u", b"after")
        assert (await two.next())[3] == b"after"


async def test_a_listener_that_looks_healthy_but_hears_nothing_is_replaced(
    redis_url: str, redis: Redis
) -> None:
    """The worker talks to itself; when that does not come back, the connection goes. Time is handed in."""
    async with workers(redis_url) as (one, two):
        await two.listens_to("heart:u")
        now = asyncio.get_running_loop().time()
        await redis.client_pause(1_500)  # nothing is delivered, nothing is cut, for everybody
        deaf = now + IDLE_S + 1
        two.broker.each_second(deaf)
        assert two.broker.healthy
        two.broker.each_second(deaf + ANSWER_S + 1)
        await eventually(lambda: not two.broker.healthy)
        await eventually(lambda: two.broker.healthy)
        await eventually(lambda: one.broker.healthy)

        async def again() -> None:
            while two.heard.empty():
                one.broker.publish("heart:u", b"t", "u", b"after")
                await asyncio.sleep(0.05)

        await asyncio.wait_for(again(), 20)


async def test_a_worker_says_that_it_lives_and_that_it_goes(redis_url: str, redis: Redis) -> None:
    """Its key expires by itself when it is killed."""
    async with workers(redis_url) as (one, _):
        one.broker.each_second(asyncio.get_running_loop().time())
        key = worker_key(one.broker.worker)

        async with asyncio.timeout(10):
            while not await redis.exists(key):
                await asyncio.sleep(0.01)
        assert 0 < await redis.ttl(key) <= 15

        await one.broker.close()
        async with asyncio.timeout(10):
            while await redis.exists(key):
                await asyncio.sleep(0.01)


async def deaf_to(worker: Worker, room: str) -> None:
    """Publish until it is known there that nobody else listens to the room."""
    async with asyncio.timeout(10):
        while worker.broker.listened(room):
            worker.broker.publish(room, b"t", "u", b"{}")
            await asyncio.sleep(0.01)


async def test_a_room_that_nobody_else_listens_to_is_known_until_somebody_does(redis_url: str) -> None:
    """The first word of the new listener's worker ends it, not the next look."""
    async with workers(redis_url) as (one, two):
        await deaf_to(one, "heart:u")
        await two.listens_to("heart:u")
        await eventually(lambda: one.broker.listened("heart:u"))
        one.broker.publish("heart:u", b"t", "u", b"now")
        assert (await two.next())[3] == b"now"


async def test_ones_own_ears_do_not_count(redis_url: str) -> None:
    """Members here are served directly; what counts is whether anybody else would read it."""
    async with workers(redis_url) as (one, two):
        await one.listens_to("session:s")
        await deaf_to(one, "session:s")
        await two.listens_to("session:s")
        await eventually(lambda: one.broker.listened("session:s"))
        for _ in range(3):
            one.broker.publish("session:s", b"t", "u", b"{}")
            await two.next()
        assert one.broker.listened("session:s")


async def test_a_worker_whose_ears_were_replaced_is_published_to_again(redis_url: str, redis: Redis) -> None:
    """While it was away it was counted as nobody. (Nothing ages here: nobody calls `each_second`.)"""
    async with workers(redis_url) as (one, two):
        await deaf_to(one, "heart:u")
        await kill(redis, f"fittracker-sub-{two.broker.worker}")
        await eventually(lambda: one.broker.listened("heart:u"))


async def test_answers_come_to_whoever_asked(redis_url: str, redis: Redis) -> None:
    """In one pipeline with commands that nobody waits for."""
    async with workers(redis_url) as (one, _):
        one.broker.command(b"SET", b"count", b"41")
        asked = one.broker.ask(b"INCR", b"count")
        one.broker.command(b"INCR", b"count")
        assert await asyncio.wait_for(asked, 10) == 42
        assert await asyncio.wait_for(one.broker.ask(b"GET", b"count"), 10) == b"43"
        with pytest.raises(LinkLost, match="not an integer"):
            await one.broker.ask(b"INCRBY", b"count", b"much")


async def test_whoever_waits_for_an_answer_learns_that_redis_is_away(redis_url: str, redis: Redis) -> None:
    """At once, both those who had asked and those who ask while there is no connection."""
    async with workers(redis_url) as (one, _):
        waiting = one.broker.ask(b"BLPOP", b"never", b"0")
        await kill(redis, f"fittracker-pub-{one.broker.worker}")
        with pytest.raises(LinkLost):
            await asyncio.wait_for(waiting, 10)
        await eventually(lambda: one.reconnections == 1)
        assert await asyncio.wait_for(one.broker.ask(b"PING"), 10) == b"PONG"
    with pytest.raises(LinkLost):
        await one.broker.ask(b"PING")
