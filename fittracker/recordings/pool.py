"""Reading strangers' files beside the event loop: in a sandbox, which limits memory and time."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import msgspec

from fittracker.recordings.reading import read
from fittracker.recordings.recording import Recording
from fittracker.recordings.refusal import DEFAULT_LIMITS, Defect, Limits, RecordingError, refuse
from fittracker.sandbox import Overdue, Sandbox


class Parser(Protocol):
    """What the processes run: `read`, or a stand-in of a test. A function of a module, found by its name."""

    def __call__(self, data: bytes, *, name: str, keep_partial: bool, limits: Limits) -> Recording:
        """The recording in these bytes."""


class RecordingReader:
    """Reads recordings in `processes` processes; more requests than that wait for their turn.

    A file that takes longer than `timeout_s` is refused (reason timeout), and its process is killed and
    replaced; one that takes more than `memory_bytes` of address space is refused (reason memory).
    The processes start with the first file and end with `close`, or with the process that owns them.
    """

    def __init__(
        self,
        *,
        processes: int = 1,
        timeout_s: float = 30,
        memory_bytes: int = 1 << 30,
        limits: Limits = DEFAULT_LIMITS,
        parser: Parser = read,
    ) -> None:
        self._limits = limits
        self._parser = parser
        self._sandbox = Sandbox(processes=processes, timeout_s=timeout_s, memory_bytes=memory_bytes)

    async def read(self, data: bytes, *, name: str = "", keep_partial: bool = False) -> Recording:
        """As `fittracker.recordings.read`, without holding up the event loop.

        Also raises `Unavailable` when the process ended or did not start: trying again is safe.
        """
        try:
            answer = await self._sandbox.run(_work, self._parser, data, name, keep_partial, self._limits)
        except Overdue as error:
            raise refuse("timeout", str(error)) from None
        outcome = msgspec.msgpack.decode(answer, type=Recording | Defect)
        if isinstance(outcome, Defect):
            raise RecordingError(outcome)
        return outcome

    @property
    def pids(self) -> list[int]:
        """The process ids of the processes that run now."""
        return self._sandbox.pids

    async def close(self) -> None:
        """End the processes and wait until they are gone; a file that is being read is given up."""
        await self._sandbox.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _work(parser: Parser, data: bytes, name: str, keep_partial: bool, limits: Limits) -> bytes:
    """In the process: the outcome as MessagePack, which holds up the server a third as long as a pickle."""
    try:
        outcome: Recording | Defect = parser(data, name=name, keep_partial=keep_partial, limits=limits)
    except RecordingError as error:
        outcome = error.defect
    except MemoryError:
        outcome = Defect("memory", "reading the file takes too much memory")
    return msgspec.msgpack.encode(outcome)
