"""Questions that come together are answered together, and never by what was read before they came."""

from __future__ import annotations

import asyncio

import pytest

from fittracker.herd import Herd


class Library:
    """Looks numbers up, counts how often, and can be made to wait or to fail."""

    def __init__(self, apart_s: float = 0.01) -> None:
        self.looked: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.fault: Exception | None = None
        self.herd: Herd[int, int] = Herd(self._look_up, apart_s=apart_s)

    async def _look_up(self, keys: list[int]) -> dict[int, int]:
        self.looked.append(keys)
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        return {key: key * 10 for key in keys}


async def test_those_who_ask_at_once_are_looked_up_once() -> None:
    """Also where two ask for the same."""
    library = Library()
    answers = await asyncio.gather(*(library.herd.ask(key) for key in (1, 2, 1, 3)))
    assert answers == [10, 20, 10, 30]
    assert library.looked == [[1, 2, 3]]


async def test_one_who_asks_while_a_look_up_is_on_its_way_gets_a_new_one() -> None:
    """What is being read may have changed before the question came."""
    library = Library()
    library.open.clear()
    first = asyncio.ensure_future(library.herd.ask(1))
    while not library.looked:
        await asyncio.sleep(0)
    second = asyncio.ensure_future(library.herd.ask(1))
    while len(library.looked) < 2:
        await asyncio.sleep(0.001)
    library.open.set()
    assert await asyncio.gather(first, second) == [10, 10]


async def test_a_stream_of_questions_is_answered_in_groups() -> None:
    """However many come, the look-ups keep their distance."""
    library = Library(apart_s=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    asked = []
    while loop.time() - began < 0.3:
        asked.append(asyncio.ensure_future(library.herd.ask(len(asked))))
        await asyncio.sleep(0.001)
    await asyncio.gather(*asked)
    assert len(library.looked) <= 8
    assert sorted(key for keys in library.looked for key in keys) == list(range(len(asked)))


async def test_a_failure_reaches_all_who_asked_and_nobody_after_them() -> None:
    """The next question is looked up anew."""
    library = Library()
    library.fault = ConnectionError("away")
    results = await asyncio.gather(library.herd.ask(1), library.herd.ask(2), return_exceptions=True)
    assert [str(result) for result in results] == ["away", "away"]
    library.fault = None
    assert await library.herd.ask(1) == 10


async def test_one_who_leaves_takes_nobody_with_them() -> None:
    """A socket may close while it waits; the others still get their answers."""
    library = Library()
    library.open.clear()
    leaving = asyncio.ensure_future(library.herd.ask(1))
    staying = asyncio.ensure_future(library.herd.ask(1))
    while not library.looked:
        await asyncio.sleep(0)
    leaving.cancel()
    library.open.set()
    assert await staying == 10
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_an_answer_that_is_missing_is_a_fault_and_not_a_silence() -> None:
    """A look-up that forgets somebody must not leave them waiting."""

    async def forgetful(_keys: list[int]) -> dict[int, int]:
        return {}

    herd: Herd[int, int] = Herd(forgetful)
    with pytest.raises(KeyError):
        await herd.ask(1)
