"""Two workers that speak in the same rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from redis.asyncio import Redis

from fittracker.clock import Clock
from fittracker.ids import new_id
from fittracker.mongo import Database, open_database
from fittracker.roomlog.archive import Archive
from fittracker.roomlog.log import RoomLog
from fittracker.roomlog.record import Envelope
from fittracker.roomlog.window import Window
from fittracker.sealing import Seal

KEYS = (("test", "a key of the test, of more than 32 bytes"),)
Open = Callable[[], AbstractAsyncContextManager[RoomLog]]


@pytest.fixture(scope="module")
async def database(mongo_url: str, mongo_database: str) -> AsyncIterator[Database]:
    """The database of both."""
    async with open_database(mongo_url, mongo_database) as opened:
        yield opened


@pytest.fixture(scope="module")
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """For looking, and for breaking things."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def window(redis: Redis) -> Window:
    """Redis as a worker sees it."""
    return Window(redis, Envelope(Seal(KEYS, "rooms")))


@pytest.fixture
def open_log(database: Database, redis_url: str) -> Open:
    """A worker's log, while a block lasts."""

    @asynccontextmanager
    async def open_one() -> AsyncIterator[RoomLog]:
        envelope = Envelope(Seal(KEYS, "rooms"))
        async with Redis.from_url(redis_url) as client:
            log = RoomLog(Window(client, envelope), Archive(database, envelope), Clock())
            async with log.running():
                yield log

    return open_one


@pytest.fixture
async def log(open_log: Open) -> AsyncIterator[RoomLog]:
    """One worker."""
    async with open_log() as opened:
        yield opened


@pytest.fixture
async def other(open_log: Open) -> AsyncIterator[RoomLog]:
    """Another one."""
    async with open_log() as opened:
        yield opened


@pytest.fixture
def room() -> str:
    """A room nobody was in."""
    return f"chat:{new_id()}"
