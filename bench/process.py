"""A process seen from outside: what CPU it has used, what memory it holds, on which core it may run."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

SERVER_CORE: Final = 0
LOAD_CORE: Final = 1
"""Everything that is not the server: the load, MongoDB, Valkey, and this program."""
TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds of all threads of a process so far, user and system; counted in ticks of 10 ms."""
    # The name stands in parentheses and may hold anything: the numbers follow the last one.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_kb(pid: int) -> float:
    """KB that are this process's own: shared pages count by share (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1])
    raise RuntimeError(f"the kernel does not tell the memory of process {pid}")


def pin(pid: int, core: int) -> None:
    """Let a process, with all threads that it has now and will have, run on one core only."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # a thread may end while we look
            os.sched_setaffinity(int(task.name), {core})


def children(pid: int) -> list[int]:
    """The processes that this one has started and that still run."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += map(int, (task / "children").read_text().split())
    return found


def descendants(pid: int) -> list[int]:
    """Its children, theirs, and so on."""
    found = children(pid)
    for child in tuple(found):
        with contextlib.suppress(FileNotFoundError):
            found += descendants(child)
    return found


def command_line(pid: int) -> list[str]:
    """What it was started with; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except FileNotFoundError:
        return []
