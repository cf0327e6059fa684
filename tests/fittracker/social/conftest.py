"""The fixtures of the contexts, and people to be social."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.fittracker.auth.conftest import Settle, clock, contexts, other, settings, settle

__all__ = ["clock", "contexts", "crowd", "other", "settings", "settle"]

Crowd = Callable[[int], Awaitable[list[str]]]


@pytest.fixture
def crowd(settle: Settle) -> Crowd:
    """Makes so many people; their ids."""

    async def make(count: int) -> list[str]:
        return [str((await settle(f"Person {number}"))["_id"]) for number in range(count)]

    return make
