"""A realtime server for each module, in the test's own loop."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import config.settings
from config.settings import Settings
from tests.house import House, open_house
from tests.people import People

ORIGIN = "https://app.example.org"


@pytest.fixture(scope="module")
def settings(mongo_url: str, mongo_database: str, redis_url: str) -> Settings:
    """As in production but for cheap hashes, tests that come from one address, and nobody waited for."""
    return config.settings.load(
        mode="test",
        mongo_url=mongo_url,
        mongo_database=mongo_database,
        redis_url=redis_url,
        bcrypt_cost=4,
        allowed_origins=(ORIGIN,),
        public_origin="https://fit.example.org",
        hr_flush_s=0.05,
        presence_grace_s=0.0,
        ws_sockets_per_user=1_000,
        ws_sockets_per_address=1_000,
    )


@pytest.fixture(scope="module")
async def house(settings: Settings) -> AsyncIterator[House]:
    """A running server."""
    async with open_house(settings) as house:
        yield house


@pytest.fixture(scope="module")
def people(house: House) -> People:
    """People whom it knows."""
    return house.people
