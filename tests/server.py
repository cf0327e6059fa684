"""The product in processes of its own, one worker each, so that a test can say who is on which and kill it.

Each is gunicorn with our worker class and our configuration, as in production, on a port of its own. Its
master starts a new worker when the old one is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from config.settings import Settings, load_for_child
from fittracker.dev import launch
from fittracker.dev.server import Server
from fittracker.embedded.server import free_port
from fittracker.program import program

START_S = 40.0
ORDINARY: dict[str, Any] = {
    "mode": "test",
    "workers": 1,
    "bcrypt_cost": 4,
    "drain_s": 2.0,
    "log_format": "json",
    "ws_sockets_per_user": 10_000,
    "ws_sockets_per_address": 10_000,
}
# What a log must not hold: a defect of ours, however well it was survived.
DEFECTS = ('"level":"error"', '"level": "error"', "Traceback", "Exception ignored")


class LoneWorker:
    """A gunicorn master with a single worker; made by `lone_workers`."""

    def __init__(self, settings: Settings, environment: dict[str, str], log: Path) -> None:
        self.settings = settings
        self.log = log
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.settings.bind.rpartition(":")[2])

    @property
    def url(self) -> str:
        """The same, for HTTP clients."""
        return f"http://{self.settings.bind}"

    @property
    def master(self) -> asyncio.subprocess.Process:
        """The master process."""
        assert self._process is not None
        return self._process

    @property
    def workers(self) -> list[psutil.Process]:
        """The worker processes of this moment: none just after one was killed."""
        children = psutil.Process(self.master.pid).children()
        return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]

    @property
    def worker(self) -> psutil.Process:
        """The one there is."""
        (worker,) = self.workers
        return worker

    async def start(self) -> None:
        """Start it, without waiting for it to be ready."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid())),
                *program(),
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def ready(self) -> None:
        """Wait until it answers that it is ready."""
        await Server(self.master).ready(self.url)

    def kill_worker(self) -> None:
        """SIGKILL to the worker, as the kernel does when memory is short; the master starts another."""
        os.kill(self.worker.pid, signal.SIGKILL)

    def kill(self) -> None:
        """SIGKILL to all of it: nobody listens here any more."""
        Server(self.master).kill()

    def drain(self) -> None:
        """SIGTERM: the worker lets everybody go, then all of it ends."""
        self.master.terminate()

    async def stop(self) -> None:
        """Let it drain, and be gone."""
        if self._process is not None:
            await Server(self._process).stop(self.settings.drain_s + 20)

    def defects(self) -> list[str]:
        """The lines of its log that tell of a defect."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        ours = [line for line in lines if "was sent SIGKILL" not in line]  # by the test
        return [line for line in ours if any(mark in line for mark in DEFECTS)]


@asynccontextmanager
async def lone_workers(
    count: int, mongo_url: str, database: str, redis_url: str, logs: Path, **changes: Any
) -> AsyncIterator[list[LoneWorker]]:
    """So many of them on one MongoDB and one Valkey; `changes` are settings by field name."""
    fixed = {
        **ORDINARY,
        "mongo_url": mongo_url,
        "mongo_database": database,
        "redis_url": redis_url,
        **changes,
    }
    async with AsyncExitStack() as stack:
        workers = []
        for number in range(count):
            settings, environment = load_for_child({**fixed, "bind": f"127.0.0.1:{free_port()}"}, {})
            worker = LoneWorker(settings, environment, logs / f"worker-{number}.log")
            stack.push_async_callback(worker.stop)
            await worker.start()
            workers.append(worker)
        async with asyncio.timeout(START_S):
            await asyncio.gather(*(worker.ready() for worker in workers))
        yield workers
