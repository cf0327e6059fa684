"""Waiting for what happens in another process, where no clock of ours can be advanced."""

from __future__ import annotations

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
