"""Who is in a room, over several workers on a real Valkey, whatever becomes of the workers and of Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from fittracker.ids import new_id
from fittracker.redis import presence_key, worker_key
from tests.ws.test_broker import eventually, kill
from ws.broker import Broker
from ws.link import LinkLost
from ws.presence import Presence


@dataclass
class Worker:
    """A broker with a presence on it, and whom it holds at this moment."""

    name: str
    url: str
    here: dict[tuple[str, str], str] = field(default_factory=dict)
    announced: int = 0

    def __post_init__(self) -> None:
        self.broker = Broker(
            self.url,
            self.name,
            deliver=lambda *_: None,
            control=lambda _: None,
            reconnected=self._announce,
        )
        self.presence = Presence(self.broker)

    def _announce(self) -> None:
        self.presence.announce(self._present)
        self.announced += 1

    def _present(self) -> Iterator[tuple[str, str, str, str]]:
        for (room, user), name in self.here.items():
            yield room, user, name, "user"

    def comes(self, room: str, user: str, name: str = "Ada") -> None:
        """Somebody enters."""
        self.here[room, user] = name
        self.presence.arrived(room, user, name, "user")

    def goes(self, room: str, user: str) -> None:
        """And leaves."""
        del self.here[room, user]
        self.presence.left(room, user)

    async def sees(self, room: str) -> list[str]:
        """The names in a room."""
        return [member.name for member in await self.presence.members(room)]


@asynccontextmanager
async def running(*workers: Worker) -> AsyncIterator[None]:
    """Connected; nobody turns their wheel."""
    for worker in workers:
        await worker.broker.start()
    try:
        yield
    finally:
        for worker in workers:
            await worker.broker.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client to look behind the scenes."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[tuple[Worker, Worker]]:
    """Two workers that have just started."""
    one, two = Worker(new_id()[:12], redis_url), Worker(new_id()[-12:], redis_url)
    async with running(one, two):
        yield one, two


async def test_everybody_in_a_room_is_seen_from_every_worker(pair: tuple[Worker, Worker]) -> None:
    """By name, as members who are online; and whoever left is not."""
    one, two = pair
    one.comes("session:s1", "u2", "Bea")
    two.comes("session:s1", "u1", "Ada")
    two.comes("session:other", "u3", "Cai")
    await one.sees("session:s1")
    assert await one.sees("session:s1") == await two.sees("session:s1") == ["Ada", "Bea"]
    assert await one.presence.count("session:s1") == 2
    (member,) = [each for each in await one.presence.members("session:s1") if each.user == "u1"]
    assert (member.name, member.role, member.online) == ("Ada", "user", True)
    two.goes("session:s1", "u1")
    assert await two.sees("session:s1") == ["Bea"]
    assert await two.sees("session:nobody") == []
    assert await two.presence.count("session:nobody") == 0


async def test_who_comes_sees_themselves(pair: tuple[Worker, Worker]) -> None:
    """What was said and what is asked go the same way, one after the other."""
    one, _ = pair
    for number in range(20):
        one.comes("session:s2", f"u{number:02}", f"N{number:02}")
        assert len(await one.sees("session:s2")) == number + 1


async def test_somebody_on_two_workers_is_one_member_until_both_are_gone(pair: tuple[Worker, Worker]) -> None:
    """A phone here and a tablet there."""
    one, two = pair
    one.comes("session:s3", "u1")
    two.comes("session:s3", "u1")
    await two.sees("session:s3")
    assert await one.sees("session:s3") == ["Ada"]
    one.goes("session:s3", "u1")
    await one.sees("session:s3")
    assert await two.sees("session:s3") == ["Ada"]
    two.goes("session:s3", "u1")
    assert await two.sees("session:s3") == []


async def test_a_worker_that_has_just_started_is_no_dead_one(redis_url: str) -> None:
    """Its people count from the first moment, long before its wheel turns for the first time."""
    one, two = Worker(new_id()[:12], redis_url), Worker(new_id()[-12:], redis_url)
    async with running(one, two):
        one.comes("session:s4", "u1")
        await one.sees("session:s4")
        assert await two.sees("session:s4") == ["Ada"]
        assert await one.presence.count("session:s4") == 1


async def test_the_people_of_a_dead_worker_are_gone_with_it(
    redis_url: str, redis: Redis, pair: tuple[Worker, Worker]
) -> None:
    """It could not say goodbye; its key expires, and whoever looks next tidies up."""
    _, two = pair
    dead = Worker("d" * 12, redis_url)
    await dead.broker.start()
    dead.comes("session:s5", "u9", "Ghost")
    assert await dead.sees("session:s5") == ["Ghost"]
    await dead.broker.close()
    await redis.delete(worker_key(dead.name))  # as when it expires
    assert await two.sees("session:s5") == []
    await two.presence.count("session:s5")
    assert await redis.exists(presence_key("session:s5")) == 0


async def test_an_empty_valkey_is_told_again(redis: Redis, pair: tuple[Worker, Worker]) -> None:
    """Whichever worker comes back first and asks: nobody who is there is taken for a ghost."""
    one, two = pair
    one.comes("session:s6", "u1", "Ada")
    two.comes("session:s6", "u2", "Bea")
    await two.sees("session:s6")
    await redis.flushall()
    for worker in pair:
        await kill(redis, f"fittracker-pub-{worker.name}")
    await eventually(lambda: one.announced == two.announced == 1)
    await one.sees("session:s6")
    assert await two.sees("session:s6") == ["Ada", "Bea"]
    assert await one.sees("session:s6") == ["Ada", "Bea"]


async def test_who_leaves_while_valkey_is_away_does_not_stay_for_ever(
    redis: Redis, pair: tuple[Worker, Worker]
) -> None:
    """The word of it was lost, the memory of Valkey was not: it is said again with everything else."""
    one, two = pair
    one.comes("session:s7", "u1", "Ada")
    one.comes("session:s7", "u2", "Bea")
    one.comes("session:s7", "u3", "Cai")
    assert await one.sees("session:s7") == ["Ada", "Bea", "Cai"]
    await kill(redis, f"fittracker-pub-{one.name}")
    await eventually(lambda: not one.broker.healthy)
    one.goes("session:s7", "u1")
    one.goes("session:s7", "u3")
    one.comes("session:s7", "u3", "Cai")
    await eventually(lambda: one.announced == 1)
    await one.sees("session:s7")
    assert await two.sees("session:s7") == ["Bea", "Cai"]


async def test_a_question_while_valkey_is_away_fails_at_once(
    redis: Redis, pair: tuple[Worker, Worker]
) -> None:
    """As any other call to Redis would: nobody waits for an answer that cannot come."""
    one, _ = pair
    await kill(redis, f"fittracker-pub-{one.name}")
    await eventually(lambda: not one.broker.healthy)
    async with asyncio.timeout(1):
        with pytest.raises(LinkLost):
            await one.presence.members("session:s8")
