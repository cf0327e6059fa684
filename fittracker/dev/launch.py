"""Run as a script: becomes another program, which gets SIGTERM when our parent goes, however it goes.

    launch.py PARENT PROGRAM ARGUMENT...

A function between fork and exec would do the same, but not safely: the parent has threads. Nothing here but
the standard library.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, program: list[str]) -> None:
    """Tell the kernel, and begin; not where the parent was quicker and is gone already."""
    libc = ctypes.CDLL(None)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0 or os.getppid() != parent:
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 (what our parent asks for)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
