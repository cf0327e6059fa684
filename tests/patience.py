"""Waiting for what happens in another process, where no clock of ours can be advanced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(condition: Callable[[], Found], what: str, *, seconds: float = 20.0) -> Found:
    """The first true answer of `condition`, asked again and again; fails saying `what` after that time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.01)
    return found


async def soon(condition: Callable[[], Found], what: str, *, seconds: float = 10.0) -> Found:
    """The same in a running loop."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(0.01)
    return found
