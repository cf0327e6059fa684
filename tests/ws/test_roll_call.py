"""What one worker answers who asks for its sockets: on connections without a network."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from fittracker.connections import Closing, Roll, Socket
from fittracker.control import CloseSocket, RollCall
from tests.ws.lines import End
from ws.frames import Close
from ws.hub import Hub
from ws.roll_call import PIECE, Clerk

WORKER = "0123456789ab"
EPOCH = 1_000_000.0


class Redis:
    """Notes the commands that are sent."""

    worker = WORKER

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, ...]] = []

    def command(self, *parts: bytes) -> None:
        """As of the broker."""
        self.sent.append(parts)

    def ask(self, *_parts: bytes) -> asyncio.Future[Any]:
        """A clerk asks nothing."""
        raise AssertionError

    def answer(self, kind: type[Any]) -> Any:
        """The one answer that was pushed; the list has an end."""
        (push, expire), self.sent = self.sent, []
        assert push[:2] == (b"RPUSH", b"roll:x")
        assert expire == (b"EXPIRE", b"roll:x", b"10")
        return msgspec.json.decode(push[2], type=kind)


class Quiet:
    """A bus and an attendance on which nothing happens."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args: None


@pytest.fixture
def redis() -> Redis:
    """Where the answers go."""
    return Redis()


@pytest.fixture
async def hub() -> Hub:
    """Nobody is connected."""
    quiet: Any = Quiet()
    return Hub(
        asyncio.get_running_loop(),
        quiet,
        quiet,
        tick_s=0.05,
        longest_tick_s=0.4,
        rooms_per_connection=10,
        sockets_per_user=10_000,
        sockets_per_address=10_000,
    )


@pytest.fixture
def clerk(hub: Hub, redis: Redis) -> Clerk:
    """Of this worker."""
    return Clerk(hub, redis, EPOCH)


def arrive(hub: Hub, number: int, user: str | None = "anna", address: str = "192.0.2.1") -> End:
    """The socket of this number opens, ten a second."""
    end = End(user, address=address)
    end.connection.id = f"{WORKER}-{number}"
    end.connection.opened = float(number // 10)
    hub.add(end.connection)
    if user is not None:
        hub.identify(end.connection)
    return end


async def called(clerk: Clerk, redis: Redis, **search: Any) -> list[Socket]:
    """What the clerk answers."""
    await clerk.answer(RollCall("roll:x", search.pop("most", 100), **search))
    roll: Roll = redis.answer(Roll)
    assert roll.worker == WORKER
    return roll.found


def numbers(found: list[Socket]) -> list[int]:
    """The numbers of sockets."""
    return [each.place[2] for each in found]


async def test_the_newest_come_first_and_no_more_than_were_asked_for(
    hub: Hub, clerk: Clerk, redis: Redis
) -> None:
    """By number, not by its text, where many came in one turn of the wheel; then those behind a place."""
    for number in range(25):
        arrive(hub, number)
    newest = await called(clerk, redis, most=6)
    assert numbers(newest) == [24, 23, 22, 21, 20, 19]
    assert newest[0].opened == round((EPOCH + 2) * 1000)
    assert numbers(await called(clerk, redis, most=3, after=newest[2].place)) == [21, 20, 19]
    assert numbers(await called(clerk, redis, most=3, user="anna", after=newest[2].place)) == [21, 20, 19]
    assert await called(clerk, redis, after=(0, WORKER, 0)) == []


async def test_what_a_socket_is_told_of(hub: Hub, clerk: Clerk, redis: Redis) -> None:
    """Also of one on which nobody has signed in."""
    anna = arrive(hub, 1)
    hub.join(anna.connection, "session:1")
    anna.line.unread = 77
    arrive(hub, 2, None)
    nobody, hers = await called(clerk, redis)
    assert hers == Socket(
        id=f"{WORKER}-1",
        user="anna",
        role="user",
        device=False,
        address="192.0.2.1",
        opened=round(EPOCH * 1000),
        encoding="json",
        rooms=2,
        unread=77,
    )
    assert (nobody.user, nobody.role, nobody.rooms) == (None, None, 0)


async def test_only_those_that_were_asked_for(hub: Hub, clerk: Clerk, redis: Redis) -> None:
    """By person, by address, by room, by all of it at once; closing ones are none."""
    anna, far = arrive(hub, 1), arrive(hub, 2, address="198.51.100.1")
    ben, closing = arrive(hub, 3, "ben"), arrive(hub, 4)
    hub.join(far.connection, "session:1")
    hub.join(ben.connection, "session:1")
    closing.connection.close(Close.NORMAL, "")
    assert numbers(await called(clerk, redis, user="anna")) == [2, 1]
    assert numbers(await called(clerk, redis, room="session:1")) == [3, 2]
    assert numbers(await called(clerk, redis, address="192.0.2.1")) == [3, 1]
    assert numbers(await called(clerk, redis, room="session:1", user="anna")) == [2]
    assert numbers(await called(clerk, redis, room="session:1", address="192.0.2.1")) == [3]
    assert await called(clerk, redis, user="nobody") == []
    assert anna.connection.open


async def test_a_long_list_is_looked_through_in_pieces(hub: Hub, clerk: Clerk, redis: Redis) -> None:
    """Others get their turn in between, and may leave: who has left is not told of."""
    ends = [arrive(hub, number, None) for number in range(2 * PIECE + 1)]
    ends[0].connection.address = ends[1].connection.address = "203.0.113.9"
    looking = asyncio.create_task(called(clerk, redis, address="203.0.113.9"))
    await asyncio.sleep(0)
    assert not looking.done()
    hub.remove(ends[1].connection)
    ends[1].connection.open = False
    del ends[1].connection.transport  # as when it retires
    assert numbers(await looking) == [0]


async def test_a_socket_is_closed_by_the_worker_that_has_it(hub: Hub, clerk: Clerk, redis: Redis) -> None:
    """Once; a worker says nothing of another's."""
    anna = arrive(hub, 7)
    order = CloseSocket("roll:x", f"{WORKER}-7")
    await clerk.answer(order)
    assert anna.endings == [(Close.SIGNED_OUT, "closed by an administrator")]
    assert redis.answer(Closing) == Closing(WORKER, True, "anna")
    for gone in (order, CloseSocket("roll:x", f"{WORKER}-8")):
        await clerk.answer(gone)
        assert redis.answer(Closing).closed is False
    await clerk.answer(CloseSocket("roll:x", "ba9876543210-7"))
    assert redis.sent == []
    assert len(anna.endings) == 1
