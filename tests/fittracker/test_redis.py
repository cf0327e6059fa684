"""The client of Redis: whatever goes wrong with a connection says that Redis is away."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError

from fittracker.redis import is_away, open_redis


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (RedisConnectionError("gone"), True),
        (OutOfMemoryError("command not allowed"), True),
        (ReadOnlyError("You can't write against a read only replica."), True),
        (ResponseError("MISCONF Errors writing to the AOF file: No space left on device"), True),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (ResponseError("WRONGTYPE Operation against a key"), False),
        (NoScriptError("No matching script."), False),
        (ValueError("MISCONF"), False),
    ],
)
def test_what_says_that_redis_cannot_be_used(error: Exception, away: bool) -> None:
    """And not that we asked something wrong."""
    assert is_away(error) is away


@pytest.mark.parametrize("scheme", ["redis://127.0.0.1:9", "rediss://127.0.0.1:9", "unix:///nowhere"])
async def test_a_transport_that_was_closed_a_moment_ago_is_an_absence(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop refuses to write on it in words of its own, which nobody takes for an outage."""

    async def closed(*_: object) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>")

    monkeypatch.setattr(AbstractConnection, "send_packed_command", closed)
    async with open_redis(scheme) as client:
        connection = client.connection_pool.make_connection()
        with pytest.raises(RedisConnectionError):
            await connection.send_command("PING")


async def test_many_who_ask_in_the_same_moment_wait_for_each_other(redis_url: str) -> None:
    """More than there are connections; none of them is told that Redis is away."""
    async with open_redis(redis_url) as client:
        answers = await asyncio.gather(*(client.echo(str(number)) for number in range(400)))
        assert answers == [str(number) for number in range(400)]
        assert int((await client.info("clients"))["connected_clients"]) < 200
