"""Many who change the same document at once, written in one transaction.

Fifty who like a post at the same moment would be fifty transactions on one document, each of which throws
back all that are behind it. Here the first goes alone; whoever comes while it is at work goes with the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from fittracker.errors import Failure, Unavailable

Key = TypeVar("Key")
Wish = TypeVar("Wish")
Outcome = TypeVar("Outcome")

LARGEST: Final = 200
"""So many wishes go together: a transaction has to stay short."""
PATIENCE_S: Final = 8.0
"""So long a group may take. A transaction of a worker that was killed holds what it has written until the
database gives it up (see docs/deployment.md); nobody waits for that without being told."""


class Together(Generic[Key, Wish, Outcome]):
    """Carries out what is wished of a key, group after group, in the order of asking."""

    def __init__(
        self, carry_out: Callable[[Key, Sequence[Wish]], Awaitable[Sequence[Outcome | Failure]]]
    ) -> None:
        """`carry_out` gives one outcome for each wish, in order; what it raises, all of the group get."""
        self._carry_out = carry_out
        self._waiting: dict[Key, list[tuple[Wish, asyncio.Future[Outcome]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, key: Key, wish: Wish) -> Outcome:
        """What came of a wish; the Failure that is its outcome is raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = [(wish, future)]
            task = loop.create_task(self._work(key), name="together")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            waiting.append((wish, future))
        return await future

    async def _work(self, key: Key) -> None:
        """Group after group, until nobody wishes anything of this key any more."""
        waiting = self._waiting[key]
        try:
            while waiting:
                group = waiting[:LARGEST]
                del waiting[:LARGEST]
                await self._do(key, group)
        finally:
            del self._waiting[key]
            for _, future in waiting:  # we were cancelled: nobody may be left waiting
                future.cancel()

    async def _do(self, key: Key, group: list[tuple[Wish, asyncio.Future[Outcome]]]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                outcomes = await self._carry_out(key, [wish for wish, _ in group])
        except TimeoutError:
            unknown = Unavailable(
                "The outcome is unknown; sending the same again is safe.", retry_after_ms=1_000
            )
            outcomes = [unknown] * len(group)
        except Exception as error:  # noqa: BLE001  everybody who asked gets it
            outcomes = [error] * len(group)  # type: ignore[list-item]
        except BaseException:
            for _, future in group:
                future.cancel()
            raise
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if future.done():
                continue  # who asked has left
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
