"""Events that came and were not taken yet; each is handed to one taker."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from fittracker.client.messages import Event

Match = Callable[[Event], bool]


class Inbox:
    """A bounded backlog and those who wait. When it is full the oldest event goes, and is counted."""

    def __init__(self, size: int) -> None:
        self._events: deque[Event] = deque(maxlen=size)
        self._takers: list[tuple[Match, asyncio.Future[Event]]] = []
        self._end: Exception | None = None
        self.dropped = 0

    def put(self, event: Event) -> None:
        """Hand the event to the first taker it suits, or keep it."""
        for place, (match, future) in enumerate(self._takers):
            if not future.done() and match(event):
                del self._takers[place]
                future.set_result(event)
                return
        if len(self._events) == self._events.maxlen:
            self.dropped += 1
        self._events.append(event)

    async def take(self, match: Match) -> Event:
        """The oldest event that suits, now or when it comes; raises what `end` was told where none can."""
        for place, event in enumerate(self._events):
            if match(event):
                del self._events[place]
                return event
        if self._end is not None:
            raise self._end
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._takers.append((match, future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._events.appendleft(future.result())  # it came while its taker gave up
            raise
        finally:
            self._takers = [taker for taker in self._takers if taker[1] is not future]

    def end(self, error: Exception) -> None:
        """No event will come any more; what is in the backlog can still be taken."""
        self._end = error
        for _, future in self._takers:
            if not future.done():
                future.set_exception(error)

    def kinds(self) -> list[str]:
        """The types of what was not taken, for error messages."""
        return sorted({event.type for event in self._events})
