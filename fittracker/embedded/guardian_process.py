"""The process that holds the embedded servers, so that none of them outlives who asked for them.

The servers are its children. It ends them when it is told to, when its standard input closes, or when
its parent is another process than at the start, which is how a SIGKILL of the parent shows. The pipe
alone would not do: workers that the parent forked hold its write end too, and may live on. When the
guardian itself is killed, the kernel kills the servers (PR_SET_PDEATHSIG, which goes by the thread that
made the child; the guardian has only one).

Run as a script by `Guardian`, without site-packages: nothing here but the standard library. A request
is a line of JSON on standard input, its answer a line on standard output:

    {"do": "run", "name", "argv", "cwd", "log"} -> {"pid"} or {"error"}
    {"do": "poll", "name"}                      -> {"code": null while it runs}
    {"do": "kill", "name"}                      -> {"code"}
    {"do": "stop"}                              -> no answer, everything ends
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

CHECK_SECONDS = 0.2  # how often to look whether the parent is still there
PR_SET_PDEATHSIG = 1

Children = dict[str, "subprocess.Popen[bytes]"]


def main(parent: int, lock: int, stop_seconds: float) -> None:
    """Serve requests until told to stop or left alone, then end every child.

    `lock` is a descriptor that stays open, here and in the servers, as long as one of them lives;
    `stop_seconds` is the time they have between SIGTERM and SIGKILL.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A locale that is configured but not installed keeps some versions from starting.
    os.environ["LC_ALL"] = "C"
    children: Children = {}
    try:
        serve(parent, lock, children)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end(children, stop_seconds)


def serve(parent: int, lock: int, children: Children) -> None:
    """Answer requests; returns when told to stop, and when the parent is gone."""
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin.buffer], [], [], CHECK_SECONDS)
        if not readable:
            for child in children.values():
                child.poll()  # so that one that ended does not stay a zombie
            continue
        # The parent waits for each answer, so the buffer never holds a second request.
        line = sys.stdin.buffer.readline()
        request = json.loads(line) if line else {"do": "stop"}
        if request["do"] == "stop":
            return
        print(json.dumps(answer(request, lock, children)), flush=True)  # noqa: T201


def answer(request: dict[str, Any], lock: int, children: Children) -> dict[str, Any]:
    """Do what a request asks."""
    if request["do"] == "run":
        try:
            children[request["name"]] = child = run(request, lock)
        except (OSError, subprocess.SubprocessError) as error:
            return {"error": str(error)}
        return {"pid": child.pid}
    child = children[request["name"]]
    if request["do"] == "kill":
        child.kill()
        child.wait()
    return {"code": child.poll()}


def run(request: dict[str, Any], lock: int) -> subprocess.Popen[bytes]:
    """Start a server whose output is appended to its log."""
    guardian, libc = os.getpid(), ctypes.CDLL(None)

    def die_with_guardian() -> None:
        """Runs in the child before the server's program does."""
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0 or os.getppid() != guardian:
            os._exit(1)

    with open(request["log"], "ab") as log:
        return subprocess.Popen(  # noqa: S603 (what our own parent asks for)
            request["argv"],
            cwd=request["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            preexec_fn=die_with_guardian,
        )


def end(children: Children, stop_seconds: float) -> None:
    """SIGTERM to all, and SIGKILL to those that are still there when the time is over."""
    for child in children.values():
        child.terminate()
        child.send_signal(signal.SIGCONT)  # a stopped process would not see the SIGTERM
    deadline = time.monotonic() + stop_seconds
    for child in children.values():
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    main(parent=int(sys.argv[1]), lock=int(sys.argv[2]), stop_seconds=float(sys.argv[3]))
