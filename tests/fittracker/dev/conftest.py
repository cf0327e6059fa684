"""Settings of a developer's server on the test's own MongoDB and Valkey."""

from __future__ import annotations

import pytest

import config.settings
from config.settings import Settings


@pytest.fixture(scope="module")
def settings(mongo_url: str, mongo_database: str, redis_url: str) -> Settings:
    """Cheap hashes, long tokens."""
    return config.settings.load(
        mode="development",
        mongo_url=mongo_url,
        mongo_database=mongo_database,
        redis_url=redis_url,
        bcrypt_cost=4,
        access_token_s=86_400,
    )
