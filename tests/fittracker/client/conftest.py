"""A scripted server for each test, and a client that does not wait long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from random import Random

import pytest

from fittracker.client import Backoff, Client
from tests.fittracker.client.scripted import Scripted, scripted


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with scripted() as running:
        yield running


@pytest.fixture
def impatient() -> partial[Client]:
    """A Client whose back-off is over at once."""
    return partial(Client, backoff=Backoff(first_s=0.01, most_s=0.05, random=Random(1)))
