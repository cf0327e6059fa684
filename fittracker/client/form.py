"""Form analysis from a camera: send the points of a body, and know how many repetitions there were."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from fittracker.client.errors import ConnectionLost
from fittracker.client.lifeline import Lifeline
from fittracker.client.messages import FormClosed, FormRep
from fittracker.client.wire import Wire

MOST_IN_A_PUSH: Final = 20
"""So that a push of 33 points with all their coordinates stays below 64 KiB."""

FramePoint = Sequence[float | None] | None
"""`[x, y, z?, visibility?]`, or None for one that was not seen."""
FormFrame = tuple[float, Sequence[FramePoint]]
"""When it was taken (unix ms), and all points of the model."""


class FormAnalysis:
    """One exercise of the athlete who is signed in; use it with `async with`.

    An analysis ends with its connection. Over the next one a new one is opened, which counts on from `count`;
    the frames in between are lost, and with them the repetition that they were part of.
    """

    def __init__(self, line: Lifeline, opening: dict[str, Any], timeout_s: float) -> None:
        self._line = line
        self._opening = opening
        self._timeout_s = timeout_s
        self._wire: Wire | None = None
        self.id = ""
        """As events name it; another one after a reconnect."""
        self.count = 0
        """Repetitions so far: of the newest `form.rep`."""
        self.closed: FormClosed | None = None
        """What it came to, once it is closed."""

    async def start(self) -> None:
        """Open it. CommandError where the server refuses."""
        await self._open(await self._line.wire())

    async def push(self, frames: Iterable[FormFrame]) -> None:
        """Send frames, oldest first; waits for a connection, and does not wait for an answer.

        A frame that is refused is told as an event of the type `error`.
        """
        rows = [{"t": t, "points": points} for t, points in frames]
        wire = await self._line.wire()
        with contextlib.suppress(ConnectionLost):  # what a body did meanwhile cannot be sent again
            if wire is not self._wire:
                await self._open(wire)
            for start in range(0, len(rows), MOST_IN_A_PUSH):
                await wire.tell(
                    "form.push", {"analysis": self.id, "frames": rows[start : start + MOST_IN_A_PUSH]}
                )

    async def close(self) -> FormClosed:
        """End it; what it came to, of the connection that it ended on. Closing twice is the same."""
        while self.closed is None:
            wire = await self._line.wire()
            with contextlib.suppress(ConnectionLost):
                if wire is not self._wire:
                    await self._open(wire)
                answer = await wire.call("form.close", {"analysis": self.id}, self._timeout_s)
                self.closed = msgspec.convert(answer, FormClosed)
                self.count = self.closed.reps
        return self.closed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()

    def hear(self, rep: FormRep) -> None:
        """A repetition came; it may have been left out that there were others before it."""
        if rep.analysis == self.id:
            self.count = max(self.count, rep.count)

    async def _open(self, wire: Wire) -> None:
        answer = await wire.call("form.open", {**self._opening, "count_from": self.count}, self._timeout_s)
        self.id, self._wire = str(answer["analysis"]), wire
