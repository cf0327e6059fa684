"""The data folder belongs to one at a time, and nobody has to clean up after a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fittracker.clock import Clock
from fittracker.embedded import FolderInUse
from fittracker.embedded.folder import hold
from tests.patience import until


class ThenClock(Clock):
    """Wall time stands still; monotonic time jumps by a second at each look."""

    looks = 0

    def now_ms(self) -> int:
        """2026-11-23T10:00:00.123Z."""
        return 1_795_428_000_123

    def monotonic(self) -> float:
        """So that no test waits for a deadline."""
        self.looks += 1
        return float(self.looks)


def _ended() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_missing_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """With all that is above it."""
    os.close(hold(tmp_path / "a" / "b", Clock()))
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_who_comes_second_is_told_who_is_first(tmp_path: Path) -> None:
    """Process id and time; in the same process as well."""
    first = hold(tmp_path, ThenClock())
    said = f"{tmp_path} is in use by process {os.getpid()} since 2026-11-23T10:00:00.123Z"
    with pytest.raises(FolderInUse, match=said):
        hold(tmp_path, ThenClock())
    os.close(first)
    os.close(hold(tmp_path, ThenClock()))


@pytest.mark.parametrize("left", ["", "junk", "[1]", '{"pid": 1, "since": "2020-01-01T00:00:00.000Z"}' * 3])
def test_what_a_crash_left_in_the_file_is_no_obstacle(tmp_path: Path, left: str) -> None:
    """Not even when it names a process that runs: nobody has the lock. It is replaced."""
    (tmp_path / "lock").write_text(left)
    os.close(hold(tmp_path, ThenClock()))
    assert json.loads((tmp_path / "lock").read_text()) == {
        "pid": os.getpid(),
        "since": "2026-11-23T10:00:00.123Z",
    }


def test_the_servers_of_a_dead_holder_get_the_time_to_end(tmp_path: Path) -> None:
    """They have the lock, the process in the file is gone: wait for them."""
    first = hold(tmp_path, Clock())
    (tmp_path / "lock").write_text(json.dumps({"pid": _ended(), "since": "then"}))
    with subprocess.Popen(["sleep", "0.3"], pass_fds=(first,)):
        os.close(first)
        os.close(hold(tmp_path, Clock()))


def test_servers_of_a_dead_holder_that_do_not_end_are_told_of(tmp_path: Path) -> None:
    """After the deadline, which this clock reaches in no time."""
    first = hold(tmp_path, Clock())
    gone = _ended()
    (tmp_path / "lock").write_text(json.dumps({"pid": gone, "since": "then"}))
    with pytest.raises(FolderInUse, match=f"taken by process {gone} since then; that one is gone"):
        hold(tmp_path, ThenClock())
    os.close(first)


def test_a_holder_that_is_a_zombie_counts_as_gone(tmp_path: Path) -> None:
    """In a container, often nobody reaps."""
    with subprocess.Popen([sys.executable, "-c", ""]) as zombie:
        status = Path(f"/proc/{zombie.pid}/stat")
        until(lambda: ") Z " in status.read_text(), "it has ended and waits for us")
        first = hold(tmp_path, Clock())
        (tmp_path / "lock").write_text(json.dumps({"pid": zombie.pid, "since": "then"}))
        with pytest.raises(FolderInUse, match="that one is gone"):
            hold(tmp_path, ThenClock())
        os.close(first)


def test_a_file_that_is_being_written_names_nobody(tmp_path: Path) -> None:
    """Between taking the lock and writing the name there is a moment."""
    first = hold(tmp_path, Clock())
    (tmp_path / "lock").write_text("")
    with pytest.raises(FolderInUse, match="in use by another process"):
        hold(tmp_path, ThenClock())
    os.close(first)
