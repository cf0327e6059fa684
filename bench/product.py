"""The product itself, started by the command that developers use, on a core of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.process import LOAD_CORE, SERVER_CORE, children, command_line, descendants, pin
from fittracker.embedded.server import free_port

STOP_S: Final = 60.0


class Failed(Exception):  # noqa: N818  it reads as what happened
    """A part of the benchmark could not be done; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """People who may sign in, by their access tokens, and the live coaching session they all belong to."""

    tokens: Path
    session: str

    def first(self, count: int) -> list[str]:
        """The tokens of so many of them."""
        return self.tokens.read_text().split()[:count]


@dataclass(frozen=True, slots=True)
class Product:
    """A running server of one worker."""

    port: int
    worker: int
    """Process id."""
    data: Path

    def crowd(self, count: int) -> Crowd:
        """Make so many verified people."""
        made = _fittracker("dev-tokens", str(count), "--session", "--data", str(self.data))
        if made.returncode != 0:
            raise Failed(f"dev-tokens failed: {made.stderr.strip()}")
        tokens = self.data / "tokens.txt"
        tokens.write_text(made.stdout)
        return Crowd(tokens, made.stderr.split()[-1])


@contextmanager
def running(data: Path) -> Iterator[Product]:
    """`fittracker dev --no-demo --workers 1` with its worker on the server's core, all else on the other."""
    port = free_port()
    command = ("dev", "--no-demo", "--workers", "1", "--port", str(port), "--data", str(data))
    with (data / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fittracker", *command], stdout=subprocess.PIPE, stderr=log
        )
    try:
        assert process.stdout is not None
        if not any(line.startswith(b"ready on ") for line in process.stdout):
            raise Failed(f"the server did not start; see {log.name}")
        for pid in descendants(process.pid):
            pin(pid, LOAD_CORE)
        worker = _worker(process.pid)
        pin(worker, SERVER_CORE)
        yield Product(port, worker, data)
    finally:
        process.terminate()
        process.wait(STOP_S)


def _worker(pid: int) -> int:
    """The child of gunicorn's master, which is a child of the command."""
    for master in children(pid):
        if any("gunicorn" in part for part in command_line(master)):
            workers = children(master)
            if len(workers) == 1:
                return workers[0]
    raise Failed("the worker was not found among the processes of the server")


def _fittracker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fittracker", *arguments], capture_output=True, text=True, check=False
    )
