from __future__ import annotations

import os
import subprocess
import sys

import psutil

from fittracker.dev import launch
from tests.patience import until

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
# A parent that launches the sleeper, says its id, and then waits to be killed.
PARENT = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-I", "-S", {launch.__file__!r}, str(os.getpid()),
                          sys.executable, "-c", {SLEEPER!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def test_the_program_ends_with_its_parent() -> None:
    """However the parent ends: here by SIGKILL."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert "time.sleep" in " ".join(child.cmdline())
        parent.kill()
        parent.wait(10)
        until(
            lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the program has ended"
        )


def test_it_does_not_begin_for_a_parent_that_is_gone() -> None:
    """Between the fork and the call to the kernel the parent may have died."""
    ended = subprocess.run(
        [sys.executable, launch.__file__, str(os.getpid() + 100_000), sys.executable, "-c", "print('began')"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""


def test_it_becomes_the_program() -> None:
    """Arguments and exit code are the program's own."""
    ended = subprocess.run(
        [
            *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid())),
            *(sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "a b", "--c"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 7
    assert ended.stdout.strip() == "['a b', '--c']"
