"""How long something takes, on a machine that does other things as well."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

ROUNDS = 12


async def quickest(works: Mapping[str, Callable[[int], Awaitable[object]]]) -> dict[str, float]:
    """The shortest time of each of these, in turns, so that a busy second hits all of them alike."""
    best = dict.fromkeys(works, float("inf"))
    for number in range(ROUNDS):
        for name, work in works.items():
            began = time.perf_counter()
            await work(number)
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def alike(times: Mapping[str, float]) -> bool:
    """Whether nobody can tell them apart through a network."""
    return max(times.values()) < 1.4 * min(times.values())
