"""Who is in a room, over several workers on a real Valkey, whatever becomes of the workers and of Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex

import pytest
from redis.asyncio import Redis

from fittracker.redis import HOLDERS, held_key, online_key, present_key, worker_key
from tests.ws.test_broker import eventually, kill
from ws.broker import ALIVE_S, HEARTBEAT_S, Broker
from ws.link import LinkLost
from ws.presence import LARGE, PIECE, SETTLE_S, Presence

GRACE_S = 5.0


@dataclass
class Worker:
    """A broker with a presence on it, whom it holds at this moment, and what it heard."""

    name: str
    url: str
    grace_s: float = 0.0
    here: dict[tuple[str, str], str] = field(default_factory=dict)
    heard: list[tuple[str, str, bytes]] = field(default_factory=list)
    announced: int = 0

    def __post_init__(self) -> None:
        self.broker = Broker(
            self.url,
            self.name,
            deliver=lambda room, kind, key, payload: self.heard.append((room, kind.decode() + key, payload)),
            control=lambda _: None,
            reconnected=self._announce,
        )
        self.presence = Presence(self.broker, ["session"], grace_s=self.grace_s)

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

    def loses(self, room: str, user: str) -> None:
        """The connection of somebody breaks."""
        del self.here[room, user]
        self.presence.vanished(room, user)

    def later(self, seconds: float) -> None:
        """The wheel turns so much later."""
        self.presence.each_second(asyncio.get_running_loop().time() + seconds)

    async def sees(self, room: str) -> list[str]:
        """The names in a room."""
        return [member.name for member in await self.presence.members(room)]

    async def listens(self, room: str) -> None:
        """From now on it hears what is said there."""
        confirmed = self.broker.subscribe(room)
        if confirmed is not None:
            await confirmed

    async def all_heard(self) -> list[tuple[str, str, bytes]]:
        """What was said so far; a word that comes after all of it is awaited, and what came is taken."""
        await self.listens("session:last")
        await self.broker.ask(b"PUBLISH", b"room:session:last", b"e" + b"0" * 12 + b"\x00")
        await eventually(lambda: ("session:last", "e", b"") in self.heard)
        heard, self.heard = self.heard, []
        return [each for each in heard if each[0] != "session:last"]

    async def hears(self, *expected: tuple[str, str, bytes]) -> None:
        """Exactly this was said, and nothing else."""
        heard = await self.all_heard()
        different = [pair for pair in zip(heard, expected, strict=False) if pair[0] != pair[1]]
        assert (different[:3], len(heard)) == ([], len(expected))


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
    one, two = Worker(token_hex(6), redis_url), Worker(token_hex(6), redis_url)
    async with running(one, two):
        yield one, two


@pytest.fixture
async def patient(redis_url: str) -> AsyncIterator[tuple[Worker, Worker]]:
    """Two that wait for who has lost the connection."""
    one, two = Worker(token_hex(6), redis_url, GRACE_S), Worker(token_hex(6), redis_url, GRACE_S)
    async with running(one, two):
        yield one, two


def joined(room: str, user: str, name: str = "Ada") -> tuple[str, str, bytes]:
    """What is said of somebody who came."""
    return room, "pj", f'["{user}",["{name}","user"]]'.encode()


def left(room: str, user: str) -> tuple[str, str, bytes]:
    """What is said of somebody who went."""
    return room, "pl", f'["{user}"]'.encode()


# -- who is there --------------------------------------------------------------------------------------


async def test_everybody_in_a_room_is_seen_from_every_worker(pair: tuple[Worker, Worker]) -> None:
    """By name, as members who are online; and whoever left is not."""
    one, two = pair
    one.comes("session:s1", "u2", "Bea")
    two.comes("session:s1", "u1", "Ada")
    two.comes("session:other", "u3", "Cai")
    await one.sees("session:s1")
    assert await two.sees("session:s1") == await one.sees("session:s1") == ["Ada", "Bea"]
    assert await one.presence.count("session:s1") == 2
    assert await one.presence.among("session:s1", "u1")
    assert not await one.presence.among("session:s1", "u3")
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
    """A phone here and a tablet there: one person, counted once, told once."""
    one, two = pair
    await two.listens("session:s3")
    one.comes("session:s3", "u1")
    await one.sees("session:s3")
    two.comes("session:s3", "u1")
    assert await two.sees("session:s3") == ["Ada"]
    assert await two.presence.count("session:s3") == 1
    one.goes("session:s3", "u1")
    await one.sees("session:s3")
    assert await two.sees("session:s3") == ["Ada"]
    await two.hears(joined("session:s3", "u1"))
    two.goes("session:s3", "u1")
    assert await two.sees("session:s3") == []
    await two.hears(left("session:s3", "u1"))


async def test_who_is_online_is_known_from_their_own_room(pair: tuple[Worker, Worker], redis: Redis) -> None:
    """On any worker; who comes and goes is said to whoever listens for that person."""
    one, two = pair
    await two.listens("online:u1")
    one.comes("user:u1", "u1")
    assert await one.presence.online({"u1", "u2"}) == {"u1"}
    two.comes("user:u1", "u1")
    assert await two.presence.online(["u1"]) == {"u1"}
    one.goes("user:u1", "u1")
    assert await one.presence.online(["u1"]) == {"u1"}
    two.goes("user:u1", "u1")
    assert await two.presence.online(["u1"]) == set()
    assert await two.presence.online([]) == set()
    await two.hears(("online:u1", "p+", b""), ("online:u1", "p-", b""))
    assert await redis.exists(online_key("u1"), held_key(one.name), held_key(two.name)) == 0


async def test_what_happens_in_one_turn_of_the_loop_is_said_by_its_end(pair: tuple[Worker, Worker]) -> None:
    """Who came and went at once was never there; who went and came back was never away."""
    one, two = pair
    await two.listens("session:s4")
    one.comes("session:s4", "u1")
    one.goes("session:s4", "u1")
    one.comes("session:s4", "u2", "Bea")
    assert await one.sees("session:s4") == ["Bea"]
    one.goes("session:s4", "u2")
    one.comes("session:s4", "u2", "Bea")
    assert await one.sees("session:s4") == ["Bea"]
    await two.hears(joined("session:s4", "u2", "Bea"))


async def test_of_a_large_room_only_that_it_changed_is_said_once_for_all(pair: tuple[Worker, Worker]) -> None:
    """Two thousand who come at once are a few words, not two thousand; back at a hundred, names again."""
    one, two = pair
    await two.listens("session:s5")
    people = [f"u{number:04}" for number in range(2_000)]
    for user in people:
        one.comes("session:s5", user)
    assert await one.presence.count("session:s5") == 2_000
    await two.hears(
        # In pieces, so that Redis is not kept busy for long: the first hundred are named.
        *(joined("session:s5", user) for user in people[:LARGE]),
        *[("session:s5", "pc", b"")] * (2_000 // PIECE - LARGE // PIECE),
    )
    for user in people[LARGE:]:
        one.goes("session:s5", user)
    assert await one.presence.count("session:s5") == LARGE
    await two.hears(*[("session:s5", "pc", b"")] * ((2_000 - LARGE) // PIECE))
    one.goes("session:s5", people[0])
    await one.sees("session:s5")
    await two.hears(left("session:s5", people[0]))


async def test_in_a_room_where_nobody_meets_nobody_is_told(pair: tuple[Worker, Worker]) -> None:
    """Who watches an athlete is no business of the others who do; it is known all the same."""
    one, two = pair
    await two.listens("heart:h1")
    one.comes("heart:h1", "u1")
    assert await one.sees("heart:h1") == ["Ada"]
    one.goes("heart:h1", "u1")
    await one.sees("heart:h1")
    await two.hears()


# -- coming back ---------------------------------------------------------------------------------------


async def test_who_loses_the_connection_and_comes_back_was_never_away(patient: tuple[Worker, Worker]) -> None:
    """To the same worker or to another one: nobody is told anything."""
    one, two = patient
    for room in ("session:g1", "online:u1"):
        await two.listens(room)
    one.comes("session:g1", "u1")
    one.comes("user:u1", "u1")
    await one.sees("session:g1")
    await two.hears(joined("session:g1", "u1"), ("online:u1", "p+", b""))
    for _ in range(3):
        one.loses("session:g1", "u1")
        one.loses("user:u1", "u1")
        one.later(GRACE_S - 1)
        one.comes("session:g1", "u1")
        one.comes("user:u1", "u1")
    one.loses("session:g1", "u1")
    one.loses("user:u1", "u1")
    two.comes("session:g1", "u1")
    two.comes("user:u1", "u1")
    assert await two.sees("session:g1") == ["Ada"]
    one.later(GRACE_S + 1)
    assert await one.sees("session:g1") == ["Ada"]
    assert await one.presence.online(["u1"]) == {"u1"}
    await two.hears()


async def test_who_does_not_come_back_leaves_a_moment_later(patient: tuple[Worker, Worker]) -> None:
    """And who leaves the room, or is sent out of it, leaves at once."""
    one, two = patient
    await two.listens("session:g2")
    for user in ("u1", "u2", "u3"):
        one.comes("session:g2", user)
    await one.sees("session:g2")
    one.loses("session:g2", "u1")
    one.loses("session:g2", "u3")
    one.later(GRACE_S - 1)
    assert await one.presence.count("session:g2") == 3
    one.goes("session:g2", "u2")
    one.presence.dismiss("session:g2", "u3")
    assert await one.presence.count("session:g2") == 1
    one.later(GRACE_S + 1)
    assert await one.presence.count("session:g2") == 0
    await two.hears(
        *(joined("session:g2", user) for user in ("u1", "u2", "u3")),
        *(left("session:g2", user) for user in ("u2", "u3", "u1")),
    )


async def test_the_people_of_a_worker_that_ends_properly_have_their_moment_too(
    redis_url: str, redis: Redis, patient: tuple[Worker, Worker]
) -> None:
    """Who comes back elsewhere within it was never away; the others are swept up after it."""
    _, two = patient
    await two.listens("session:g3")
    ending = Worker(token_hex(6), redis_url, GRACE_S)
    async with running(ending):
        ending.comes("session:g3", "u1", "Ada")
        ending.comes("session:g3", "u2", "Bea")
        await ending.sees("session:g3")
        ending.loses("session:g3", "u1")
        ending.presence.linger()
    two.comes("session:g3", "u1", "Ada")
    two.later(0)
    assert await two.sees("session:g3") == ["Ada", "Bea"]
    assert await redis.pexpire(f"lingers:{ending.name}", 1)
    await swept(two, redis, ending)
    assert await two.sees("session:g3") == ["Ada"]
    await two.hears(joined("session:g3", "u1"), joined("session:g3", "u2", "Bea"), left("session:g3", "u2"))


# -- who dies ------------------------------------------------------------------------------------------


async def swept(sweeper: Worker, redis: Redis, dead: Worker, seconds: float = 0) -> None:
    """Turn the wheel of a worker until it has taken back all that a dead one had said."""
    for _ in range(200):
        sweeper.later(seconds)
        if not await redis.sismember(HOLDERS, dead.name):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it was not swept")


async def dead_worker(redis_url: str, redis: Redis, room: str, people: int) -> Worker:
    """A worker that was killed with so many people in a room, each of whom was online."""
    dead = Worker(token_hex(6), redis_url)
    async with running(dead):
        for number in range(people):
            dead.comes(room, f"d{number}", "Ghost")
            dead.comes(f"user:d{number}", f"d{number}")
        assert len(await dead.sees(room)) >= people
    await redis.delete(worker_key(dead.name))  # as when it expires
    return dead


def test_a_killed_worker_is_noticed_within_two_heartbeats() -> None:
    """Its key expires, and each second somebody looks."""
    assert ALIVE_S + 1 <= 2 * HEARTBEAT_S
    assert ALIVE_S > HEARTBEAT_S


async def test_the_people_of_a_dead_worker_leave_once_whoever_sweeps(
    redis_url: str, redis: Redis, pair: tuple[Worker, Worker]
) -> None:
    """Two at the same time tell each of them once; nothing of the dead one stays in Redis."""
    one, two = pair
    await one.listens("session:d1")
    one.comes("session:d1", "u1")
    two.comes("session:d1", "d7", "Ghost")  # who had moved here already stays
    await two.sees("session:d1")
    dead = await dead_worker(redis_url, redis, "session:d1", 60)
    await one.all_heard()
    two.later(0)
    await swept(one, redis, dead)
    await two.sees("session:d1")
    assert await one.sees("session:d1") == ["Ada", "Ghost"]
    assert await one.presence.online([f"d{number}" for number in range(60)]) == set()
    told = await one.all_heard()
    expected = {left("session:d1", f"d{number}") for number in range(60) if number != 7}
    assert (set(told) ^ expected, len(told)) == (set(), 59)
    assert await redis.exists(held_key(dead.name)) == 0


async def test_many_people_of_a_dead_worker_are_swept_in_pieces(
    redis_url: str, redis: Redis, pair: tuple[Worker, Worker]
) -> None:
    """One look is enough to begin; each piece asks for the next."""
    one, _ = pair
    dead = await dead_worker(redis_url, redis, "session:d2", 1_200)
    await swept(one, redis, dead)
    assert await one.presence.count("session:d2") == 0
    assert await redis.exists(present_key("session:d2")) == 0


async def test_a_worker_that_has_just_started_is_no_dead_one(redis_url: str) -> None:
    """Its people count from the first moment, long before its wheel turns for the first time."""
    one, two = Worker(token_hex(6), redis_url), Worker(token_hex(6), redis_url)
    async with running(one, two):
        one.comes("session:s6", "u1")
        await one.sees("session:s6")
        two.later(0)
        assert await two.sees("session:s6") == ["Ada"]


# -- while Valkey is not well --------------------------------------------------------------------------


async def test_an_empty_valkey_is_told_again(redis: Redis, pair: tuple[Worker, Worker]) -> None:
    """Nobody is named again who was there all the time: only that the count may have changed."""
    one, two = pair
    one.comes("session:s7", "u1", "Ada")
    two.comes("session:s7", "u2", "Bea")
    one.comes("user:u1", "u1")
    await one.sees("session:s7")
    await two.sees("session:s7")
    await two.listens("session:s7")
    await redis.flushall()
    for worker in pair:
        await kill(redis, f"fittracker-pub-{worker.name}")
    await eventually(lambda: one.announced == two.announced == 1)
    await one.sees("session:s7")
    assert await two.sees("session:s7") == ["Ada", "Bea"]
    assert await one.sees("session:s7") == ["Ada", "Bea"]
    assert await two.presence.online(["u1"]) == {"u1"}
    await two.hears(*[("session:s7", "pc", b"")] * 2)


async def test_after_a_break_nobody_is_taken_for_dead_before_they_can_be_back(
    redis_url: str, redis: Redis, pair: tuple[Worker, Worker]
) -> None:
    """The keys of all have expired meanwhile; whoever is first must not sweep the others."""
    one, _ = pair
    dead = await dead_worker(redis_url, redis, "session:s8", 1)
    await kill(redis, f"fittracker-pub-{one.name}")
    await eventually(lambda: one.announced == 1)
    one.later(SETTLE_S - 1)
    assert await one.presence.count("session:s8") == 1
    await swept(one, redis, dead, SETTLE_S + 1)
    assert await one.presence.count("session:s8") == 0
    assert not await redis.exists(held_key(dead.name))


@pytest.mark.parametrize("memory", [True, False], ids=["memory kept", "memory lost"])
async def test_who_comes_and_goes_while_valkey_is_away_is_told_when_it_is_back(
    redis: Redis, pair: tuple[Worker, Worker], memory: bool
) -> None:
    """The word of it was lost; it is said again, also that of those whom Valkey does not know any more."""
    one, two = pair
    room = f"session:s9-{memory}"
    await two.listens(room)
    one.comes(room, "u1", "Ada")
    one.comes(room, "u2", "Bea")
    one.comes(room, "u3", "Cai")
    assert await one.sees(room) == ["Ada", "Bea", "Cai"]
    await two.hears(*(joined(room, *who) for who in (("u1", "Ada"), ("u2", "Bea"), ("u3", "Cai"))))
    if not memory:
        await redis.delete(present_key(room), held_key(one.name))
    await kill(redis, f"fittracker-pub-{one.name}")
    await eventually(lambda: not one.broker.healthy)
    one.goes(room, "u1")
    one.goes(room, "u3")
    one.comes(room, "u3", "Cai")
    one.comes(room, "u4", "Dea")
    await eventually(lambda: one.announced == 1)
    await one.sees(room)
    assert await two.sees(room) == ["Bea", "Cai", "Dea"]
    said = [each for each in await two.all_heard() if each[1] != "pc"]
    assert joined(room, "u4", "Dea") in said
    assert left(room, "u1") in said
    assert not [each for each in said if b"u2" in each[2]]
    one.goes(room, "u4")  # nothing is owed any more
    await one.sees(room)
    await two.hears(left(room, "u4"))


async def test_who_is_waited_for_while_valkey_forgets_them_leaves_all_the_same(
    redis: Redis, patient: tuple[Worker, Worker]
) -> None:
    """Others still believe that they are there; who comes back is there again."""
    one, two = patient
    await two.listens("session:g4")
    one.comes("session:g4", "u1", "Ada")
    one.comes("session:g4", "u2", "Bea")
    await one.sees("session:g4")
    one.loses("session:g4", "u1")
    one.loses("session:g4", "u2")
    await redis.delete(present_key("session:g4"), held_key(one.name))
    await kill(redis, f"fittracker-pub-{one.name}")
    await eventually(lambda: one.announced == 1)
    one.comes("session:g4", "u2", "Bea")
    assert await one.sees("session:g4") == ["Bea"]
    await two.all_heard()
    one.later(GRACE_S + 1)
    await one.sees("session:g4")
    await two.hears(left("session:g4", "u1"))


async def test_a_question_while_valkey_is_away_fails_at_once(
    redis: Redis, pair: tuple[Worker, Worker]
) -> None:
    """As any other call to Redis would: nobody waits for an answer that cannot come."""
    one, _ = pair
    await kill(redis, f"fittracker-pub-{one.name}")
    await eventually(lambda: not one.broker.healthy)
    async with asyncio.timeout(1):
        with pytest.raises(LinkLost):
            await one.presence.members("session:s10")
