"""Many wishes about one thing, carried out in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from fittracker import together
from fittracker.errors import Conflict, Failure, Unavailable
from fittracker.together import LARGEST, Together


class Work:
    """Carries wishes out when the test lets it; a wish below zero cannot be."""

    def __init__(self) -> None:
        self.groups: list[tuple[str, list[int]]] = []
        self.go = asyncio.Event()
        self.broken = False
        self.together: Together[str, int, int] = Together(self._carry_out)

    async def _carry_out(self, key: str, wishes: Sequence[int]) -> list[int | Failure]:
        self.groups.append((key, list(wishes)))
        await self.go.wait()
        if self.broken:
            self.broken = False
            raise OSError("broken")
        return [Conflict(str(each)) if each < 0 else each * 2 for each in wishes]


async def test_who_comes_while_one_is_at_work_goes_with_the_next() -> None:
    """In the order of asking; other keys do not wait."""
    work = Work()
    first = asyncio.create_task(work.together.ask("a", 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(work.together.ask("a", each)) for each in (2, -3, 4)]
    elsewhere = asyncio.create_task(work.together.ask("b", 9))
    for _ in range(3):
        await asyncio.sleep(0)
    assert work.groups == [("a", [1]), ("b", [9])]
    work.go.set()
    assert [await first, await elsewhere, await others[0], await others[2]] == [2, 18, 4, 8]
    with pytest.raises(Conflict):
        await others[1]
    assert work.groups[2:] == [("a", [2, -3, 4])]


async def test_a_group_that_breaks_breaks_alone() -> None:
    """All of it get the error; who waits behind it is served, and so is whoever comes later."""
    work = Work()
    work.broken = True
    first = asyncio.create_task(work.together.ask("a", 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.create_task(work.together.ask("a", 2))
    await asyncio.sleep(0)
    work.go.set()
    with pytest.raises(OSError, match="broken"):
        await first
    assert await second == 4
    assert await work.together.ask("a", 3) == 6


async def test_nobody_waits_for_ever_and_the_next_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a worker that was killed has left a transaction behind: the outcome is unknown."""
    monkeypatch.setattr(together, "PATIENCE_S", 0.05)
    work = Work()
    with pytest.raises(Unavailable):
        await work.together.ask("a", 1)
    work.go.set()
    assert await work.together.ask("a", 1) == 2


async def test_groups_are_of_a_size_that_a_transaction_bears() -> None:
    """More go in several."""
    work = Work()
    work.go.set()
    answers = await asyncio.gather(*(work.together.ask("a", each) for each in range(LARGEST + 1)))
    assert answers == [each * 2 for each in range(LARGEST + 1)]
    assert [len(wishes) for _, wishes in work.groups] == [LARGEST, 1]


async def test_who_leaves_while_waiting_hinders_nobody() -> None:
    """Their wish may still be carried out."""
    work = Work()
    gone = asyncio.create_task(work.together.ask("a", 1))
    stays = asyncio.create_task(work.together.ask("a", 2))
    for _ in range(3):
        await asyncio.sleep(0)
    gone.cancel()
    work.go.set()
    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await gone
