"""gunicorn as a child: started, waited for, and ended together with every worker it has."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from fittracker.dev import launch
from fittracker.program import program

START_S: Final = 60.0
LOOK_S: Final = 0.05


class NotReady(Exception):  # noqa: N818  it says what is the matter
    """The server does not answer."""


class Server:
    """The master process, in a group of its own: Ctrl-C in the terminal is ours to pass on, in order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> Server:
        """Start it; it has hardly begun when this returns."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid())),
            *program(),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            process_group=0,
        )
        return cls(process)

    async def wait(self) -> int:
        """Its exit code, when it ends; as a shell says it where a signal ended it."""
        code = await self._process.wait()
        return 128 - code if code < 0 else code

    async def ready(self, url: str) -> None:
        """Return once the server answers that it is ready; NotReady where it takes too long.

        Whether it ended meanwhile, only `wait` tells.
        """
        try:
            async with asyncio.timeout(START_S), ClientSession(timeout=ClientTimeout(total=5)) as http:
                # It happens in another process, where no event of ours is set.
                while not await _answers(http, f"{url}/health/ready"):  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise NotReady(f"the server was not ready after {START_S:.0f} s; see above") from None

    async def stop(self, patience_s: float) -> None:
        """Let it drain; after `patience_s` kill it. All of its workers are gone when this returns."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(patience_s):
                await self._process.wait()
                # Workers whose master was killed drain too.
                while _group_lives(self._process.pid):  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """End all of it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


async def _answers(http: ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except (ClientError, TimeoutError, ConnectionError):
        return False


def _group_lives(group: int) -> bool:
    """Whether a process of this group still runs; one that merely waits to be buried does not."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name stands in parentheses and may hold anything: state, parent and group follow the last.
            state, _, its_group = status.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue  # it ended while we looked
        if its_group == str(group) and state not in "ZX":
            return True
    return False
