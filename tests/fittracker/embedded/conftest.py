"""A data folder that is not kept, and a program that starts the servers and can be killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT

START = """
import json, os, signal, sys, time
from pathlib import Path
from pymongo import MongoClient
from fittracker.embedded import Services

with Services.start(Path(sys.argv[1])) as services:
    print(json.dumps(services.pids), flush=True)
"""
WAIT = "    time.sleep(600)"


@dataclass
class Holder:
    """A process that has started the servers, leader of a process group of its own."""

    process: subprocess.Popen[str]
    pids: dict[str, int]

    @property
    def guardian(self) -> int:
        """The process id of its guardian."""
        return psutil.Process(self.pids["mongod"]).ppid()

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """SIGKILL, to this process alone."""
        self.process.kill()
        self.process.wait()


def running(*pids: int) -> bool:
    """Whether all of these processes run."""
    return all(_runs(pid) for pid in pids)


def gone(*pids: int) -> bool:
    """Whether none of these processes runs any more; one that only waits to be reaped does not."""
    return not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder, removed after the test; pytest would keep it, at 300 MB each."""
    yield tmp_path / "data"
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


@pytest.fixture
def launch(folder: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Runs the start of the servers and then the given lines, in a process; ends it after the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(then: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", START + then, str(folder)]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        with process:  # closes the pipe and waits
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
def hold(launch: Callable[[str], subprocess.Popen[str]]) -> Callable[[str], Holder]:
    """As `launch`, once the servers are ready."""

    def start(then: str = WAIT) -> Holder:
        process = launch(then)
        assert process.stdout is not None
        return Holder(process, json.loads(process.stdout.readline()))

    return start
