"""`fittracker dev` as a process, as somebody would start it in a terminal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from fittracker.dev import notes
from fittracker.dev.notes import Notes
from fittracker.embedded.server import free_port
from tests.patience import until

START_S = 60.0
ROOT = Path(__file__).resolve().parents[1]


class DevMachine:
    """One that runs; made by `dev_machine`."""

    def __init__(self, data: Path, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.data = data
        self.port = port
        self.process = process
        self.log = log

    @property
    def url(self) -> str:
        """Where its server is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> list[str]:
        """The lines that it has printed, whole ones only."""
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    @property
    def notes(self) -> Notes:
        """Its dev.json."""
        return notes.read(self.data)

    @property
    def master(self) -> psutil.Process:
        """gunicorn's master."""
        children = psutil.Process(self.process.pid).children()
        (master,) = [each for each in children if "gunicorn" in " ".join(each.cmdline())]
        return master

    def ready(self) -> None:
        """Wait until it says that it is."""
        until(
            lambda: f"ready on {self.url}" in self.said or self.process.poll() is not None,
            "ready",
            seconds=START_S,
        )
        assert self.process.poll() is None, "\n".join(self.said)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def family(self) -> list[psutil.Process]:
        """Itself and everything below it."""
        mother = psutil.Process(self.process.pid)
        return [mother, *mother.children(recursive=True)]


@contextmanager
def dev_machine(data: Path, *options: str, wait: bool = True, **environment: str) -> Iterator[DevMachine]:
    """Start one; it is stopped afterwards, and its folder, of 300 MB, removed by `remove`."""
    port = free_port()
    log = data.with_name(f"{data.name}-{port}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command("dev", "--port", str(port), "--data", str(data), *options),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "BCRYPT_COST": "4", "DRAIN_S": "0.5", **environment},
            cwd=ROOT,
            start_new_session=True,
        )
    machine = DevMachine(data, port, process, log)
    try:
        if wait:
            machine.ready()
        yield machine
    finally:
        if process.poll() is None:
            machine.stop()


def command(*arguments: str) -> list[str]:
    """The `fittracker` command line."""
    return [sys.executable, "-m", "fittracker", *arguments]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a `fittracker` command to its end."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def remove(data: Path) -> None:
    """Give back the space."""
    shutil.rmtree(data, ignore_errors=True)
