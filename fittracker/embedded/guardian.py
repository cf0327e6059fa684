"""Our end of the guardian, the process that holds the embedded servers."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from fittracker.embedded import guardian_process
from fittracker.embedded.errors import GuardianLost, ServiceFailed

STOP_SECONDS = 10.0  # on an idle machine mongod needs 1 s
ENDING_SECONDS = 10.0  # for the guardian itself, after that


class Guardian:
    """Starts and ends servers. For one thread at a time, and only for the process that made it.

    It has a session of its own: Ctrl-C in the terminal reaches our workers, which drain, and not the
    database they drain into.
    """

    def __init__(self, log: Path, lock: int, stop_seconds: float = STOP_SECONDS) -> None:
        """Start the process. It and the servers keep `lock`, a descriptor, open as long as they live.

        `stop_seconds` is the time that the servers have between SIGTERM and SIGKILL.
        """
        self._owner, self._stop_seconds = os.getpid(), stop_seconds
        arguments = (str(self._owner), str(lock), str(stop_seconds))
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter, our own file)
                [sys.executable, "-I", "-S", guardian_process.__file__, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                pass_fds=(lock,),
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    @property
    def pid(self) -> int:
        """The guardian's own process id."""
        return self._process.pid

    def run(self, name: str, command: list[str], folder: Path, log: Path) -> int:
        """Start a server in that folder, its output appended to the log; returns its process id."""
        said = self._ask({"do": "run", "name": name, "argv": command, "cwd": str(folder), "log": str(log)})
        if "error" in said:
            raise ServiceFailed(f"{name} cannot be started: {said['error']}")
        return int(said["pid"])

    def exit_code(self, name: str) -> int | None:
        """None while the server runs; below zero it is the number of the signal that ended it."""
        code = self._ask({"do": "poll", "name": name})["code"]
        return None if code is None else int(code)

    def kill(self, name: str) -> None:
        """SIGKILL to one server; it is gone when this returns."""
        self._ask({"do": "kill", "name": name})

    def close(self) -> None:
        """End every server and the guardian; all are gone when this returns. Twice is once.

        Does nothing in a forked child: a worker that leaves by SystemExit unwinds its parent's `with`
        blocks, and must not take the database from everybody.
        """
        if os.getpid() != self._owner or self._requests.closed:
            return
        # Closing our end is not enough, forked workers may hold it too. A broken pipe: it is gone already.
        with contextlib.suppress(BrokenPipeError):
            self._send({"do": "stop"})
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        try:
            self._process.wait(self._stop_seconds + ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # and the kernel kills the servers
            self._process.wait()
        finally:
            self._answers.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request, one answer."""
        if os.getpid() != self._owner or self._requests.closed:
            raise GuardianLost("The embedded servers belong to the process that started them, until it ends")
        try:
            self._send(request)
            line = self._answers.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise GuardianLost("The guardian of the embedded servers is gone, and they with it")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _send(self, request: dict[str, Any]) -> None:
        self._requests.write(json.dumps(request).encode() + b"\n")
        self._requests.flush()
