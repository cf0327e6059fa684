"""Many who ask the same kind of question at once, answered by one query.

A query costs a worker some 250 us of CPU whatever it asks for. When a server restarts, thousands of sockets
come back within seconds, and each asks for its own sign-in and its own room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Generic, TypeVar

Key = TypeVar("Key")
Answer = TypeVar("Answer")

APART_S: Final = 0.02


class Herd(Generic[Key, Answer]):
    """Looks things up, at most once every 20 ms. Whoever comes alone does not wait.

    A look-up begins after everybody whom it answers has asked: no answer is older than its question.
    """

    def __init__(
        self, look_up: Callable[[list[Key]], Awaitable[Mapping[Key, Answer]]], *, apart_s: float = APART_S
    ) -> None:
        """`look_up` is given different keys and answers all of them; what it raises, everybody gets."""
        self._look_up = look_up
        self._apart_s = apart_s
        self._asked: dict[Key, list[asyncio.Future[Answer]]] = {}
        self._not_before = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, key: Key) -> Answer:
        """The answer for this key."""
        loop = asyncio.get_running_loop()
        if not self._asked:
            wait = self._not_before - loop.time()
            if wait > 0:
                loop.call_later(wait, self._go, loop)
            else:
                loop.call_soon(self._go, loop)
        future: asyncio.Future[Answer] = loop.create_future()
        self._asked.setdefault(key, []).append(future)
        return await future

    def _go(self, loop: asyncio.AbstractEventLoop) -> None:
        self._not_before = loop.time() + self._apart_s
        asked, self._asked = self._asked, {}
        task = loop.create_task(self._answer(asked), name="look-up")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, asked: dict[Key, list[asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._look_up(list(asked))
            for key, futures in asked.items():
                for future in _undone(futures):
                    future.set_result(answers[key])
        except Exception as error:  # noqa: BLE001  everybody who asked gets it
            for futures in asked.values():
                for future in _undone(futures):
                    future.set_exception(error)
        finally:
            for futures in asked.values():
                for future in _undone(futures):  # we were cancelled: nobody may be left waiting
                    future.cancel()


def _undone(futures: list[asyncio.Future[Answer]]) -> list[asyncio.Future[Answer]]:
    """Who asked may have left meanwhile."""
    return [future for future in futures if not future.done()]
