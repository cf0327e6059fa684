"""The guardian by itself, with programs that are quicker to start than a database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fittracker.embedded import GuardianLost, ServiceFailed
from fittracker.embedded.guardian import Guardian
from tests.conftest import ROOT
from tests.fittracker.embedded.conftest import gone, running
from tests.patience import until

SLEEP = ["sleep", "600"]
DEAF = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]
POLITE = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit("bye"))
print("ready", flush=True)
signal.pause()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    """A descriptor, in the place of the data folder's lock."""
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def guardian(tmp_path: Path, lock: int) -> Iterator[Guardian]:
    """A guardian that loses its patience soon."""
    guardian = Guardian(tmp_path / "guardian.log", lock, stop_seconds=2)
    yield guardian
    guardian.close()
    assert (tmp_path / "guardian.log").read_text() == ""


def test_a_server_writes_to_its_log_in_its_folder(guardian: Guardian, tmp_path: Path) -> None:
    """Both streams go to the log, and the exit code is known afterwards."""
    log = tmp_path / "a.log"
    guardian.run("a", ["sh", "-c", "pwd; echo oops >&2; exit 3"], tmp_path, log)
    assert until(lambda: guardian.exit_code("a"), "it has ended") == 3
    assert log.read_text().splitlines() == [str(tmp_path), "oops"]


def test_a_killed_server_is_gone_at_once_and_can_be_started_again(guardian: Guardian, tmp_path: Path) -> None:
    """The exit code tells the signal; the new one has a new process id."""
    first = guardian.run("a", SLEEP, tmp_path, tmp_path / "a.log")
    assert guardian.exit_code("a") is None
    guardian.kill("a")
    assert gone(first)
    assert guardian.exit_code("a") == -signal.SIGKILL
    assert running(guardian.run("a", SLEEP, tmp_path, tmp_path / "a.log"))


def test_a_program_that_cannot_be_started_is_a_failure(guardian: Guardian, tmp_path: Path) -> None:
    """And the guardian goes on."""
    with pytest.raises(ServiceFailed, match=r"a cannot be started: .*No such file"):
        guardian.run("a", [str(tmp_path / "nothing")], tmp_path, tmp_path / "a.log")
    assert running(guardian.run("b", SLEEP, tmp_path, tmp_path / "b.log"))


def test_a_server_that_ended_does_not_stay_a_zombie(guardian: Guardian, tmp_path: Path) -> None:
    """The guardian reaps it without being asked."""
    pid = guardian.run("a", ["true"], tmp_path, tmp_path / "a.log")
    until(lambda: not psutil.pid_exists(pid), "it has been reaped")


def test_closing_ends_a_server_that_does_not_listen(guardian: Guardian, tmp_path: Path) -> None:
    """With SIGKILL, after the time it was given. Closing twice is closing once."""
    deaf = guardian.run("deaf", DEAF, tmp_path, tmp_path / "deaf.log")
    until(lambda: "ready" in (tmp_path / "deaf.log").read_text(), "it ignores SIGTERM by now")
    guardian.close()
    assert gone(deaf, guardian.pid)
    guardian.close()


def test_closing_lets_a_stopped_server_say_goodbye(guardian: Guardian, tmp_path: Path) -> None:
    """A database that Ctrl-Z or a test has stopped wakes up to end properly."""
    log = tmp_path / "polite.log"
    stopped = guardian.run("polite", [sys.executable, "-c", POLITE], tmp_path, log)
    until(lambda: "ready" in log.read_text(), "it handles SIGTERM by now")
    os.kill(stopped, signal.SIGSTOP)
    guardian.close()
    assert gone(stopped)
    assert log.read_text().splitlines() == ["ready", "bye"]


def test_sigterm_to_the_guardian_ends_the_servers(guardian: Guardian, tmp_path: Path) -> None:
    """What an operator may do to it; afterwards it is missed, with a clear error."""
    pid = guardian.run("a", SLEEP, tmp_path, tmp_path / "a.log")
    os.kill(guardian.pid, signal.SIGTERM)
    until(lambda: gone(pid, guardian.pid), "both are gone")
    with pytest.raises(GuardianLost, match="gone"):
        guardian.exit_code("a")


def test_it_is_not_reached_by_the_keys_of_the_terminal(guardian: Guardian, tmp_path: Path) -> None:
    """Guardian and servers are in a session of their own, without a terminal."""
    pid = guardian.run("a", SLEEP, tmp_path, tmp_path / "a.log")
    assert os.getsid(pid) == os.getsid(guardian.pid) == guardian.pid != os.getsid(0)


FORKING = """
import os, sys
from pathlib import Path
from fittracker.embedded import GuardianLost
from fittracker.embedded.guardian import Guardian

folder = Path(sys.argv[1])
guardian = Guardian(folder / "guardian.log", os.open(folder / "lock", os.O_RDWR | os.O_CREAT))
pid = guardian.run("a", ["sleep", "600"], folder, folder / "a.log")
heard, said = os.pipe()
may_go, let_go = os.pipe()
if os.fork() == 0:
    guardian.close()
    try:
        guardian.kill("a")
    except GuardianLost as error:
        print("child:", error, flush=True)
    os.write(said, b".")
    os.read(may_go, 1)  # holds the pipe to the guardian open until the parent has closed it
    os._exit(0)
os.read(heard, 1)
print("parent:", guardian.exit_code("a"), flush=True)
guardian.close()
print("closed:", Path(f"/proc/{pid}").exists(), flush=True)
os.write(let_go, b".")
os.wait()
"""


def test_a_forked_child_can_neither_command_nor_close_nor_delay_it(tmp_path: Path) -> None:
    """Its copies of the pipes are worth nothing, and the parent's close() does not wait for them."""
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "child: The embedded servers belong to the process that started them" in done.stdout
    assert "parent: None" in done.stdout
    assert "closed: False" in done.stdout
