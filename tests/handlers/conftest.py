"""The application, whole, on real servers, with a real mail box."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

import config.settings
from config.settings import Settings
from fittracker.app import build_app
from fittracker.devmail import DevMails, open_sink
from fittracker.mongo import Database, open_database
from tests.handlers.api import Api
from tests.moving_clock import MovingClock

ORIGIN = "https://app.example.org"


@pytest.fixture(scope="module")
def clock() -> MovingClock:
    """The clock of the server; a test that moves it makes its people afterwards."""
    return MovingClock()


@pytest.fixture(scope="module")
async def database(mongo_url: str, mongo_database: str) -> AsyncIterator[Database]:
    """The database of the module."""
    async with open_database(mongo_url, mongo_database) as opened:
        yield opened


@pytest.fixture(scope="module")
async def settings(
    database: Database, clock: MovingClock, mongo_url: str, mongo_database: str, redis_url: str
) -> AsyncIterator[Settings]:
    """As in production but for cheap hashes; mails go to a sink that listens while the module runs."""
    async with open_sink(database, clock) as port:
        yield config.settings.load(
            mode="test",
            mongo_url=mongo_url,
            mongo_database=mongo_database,
            redis_url=redis_url,
            smtp_port=port,
            bcrypt_cost=4,
            allowed_origins=(ORIGIN,),
            public_origin="https://fit.example.org",
        )


@pytest.fixture(scope="module")
async def api(settings: Settings, clock: MovingClock, database: Database) -> AsyncIterator[Api]:
    """A running server."""
    async with TestClient(TestServer(build_app(settings, clock=clock))) as client:
        yield Api(client, clock, DevMails(database, clock))
