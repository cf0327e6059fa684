"""The folder in which the embedded servers keep what they must not lose, and who holds it.

The lock is flock() on `<data>/lock`. The kernel drops it when the last process that has it open is
gone, so there is no such thing as a stale lock; what the file says is only for people.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

from fittracker.clock import Clock, rfc3339
from fittracker.embedded.errors import FolderInUse

ENDING_SECONDS = 15.0  # a dead holder's servers end within the guardian's 10 s
RETRY_SECONDS = 0.05


def hold(folder: Path, clock: Clock) -> int:
    """Lock the folder, made where it is missing; returns the descriptor whose closing lets go of it.

    When the holder is gone and merely its servers are still ending, waits for them. Raises
    FolderInUse otherwise.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, folder, clock)
        holder = json.dumps({"pid": os.getpid(), "since": rfc3339(clock.utc())})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, folder: Path, clock: Clock) -> None:
    deadline = clock.monotonic() + ENDING_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = _holder(folder)
            if _alive(holder.get("pid")) or clock.monotonic() > deadline:
                raise FolderInUse(_in_use(folder, holder)) from None
        time.sleep(RETRY_SECONDS)


def _holder(folder: Path) -> dict[str, Any]:
    """What the lock file says: {pid, since}; nothing for the moment in which it is being written."""
    try:
        holder = json.loads((folder / "lock").read_text())
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _alive(pid: object) -> bool:
    """Whether that process runs; one that has ended but was not yet waited for does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    # The name stands in parentheses and may hold anything; the state follows the last one.
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def _in_use(folder: Path, holder: dict[str, Any]) -> str:
    if not holder:
        return f"The data folder {folder} is in use by another process"
    who = f"process {holder.get('pid')} since {holder.get('since')}"
    if _alive(holder.get("pid")):
        return f"The data folder {folder} is in use by {who}; end that one, or choose another folder"
    return f"The data folder {folder} was taken by {who}; that one is gone, what it started is not"
