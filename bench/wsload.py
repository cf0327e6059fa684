"""The load generator in C, compiled and run: for sockets that come, stay, and count what they get."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.process import LOAD_CORE, pin
from bench.product import Crowd, Failed

OPEN_RATE: Final = 500
"""Sockets a second: less than the server could take, so that what one connect costs is not hidden by what
many at once save."""


class Run:
    """One run in the background."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def line(self) -> dict[str, Any]:
        """The next line that it prints."""
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        if not text:
            raise Failed(f"wsload ended early: {self._complaint()}")
        said: dict[str, Any] = json.loads(text)
        return said

    def _complaint(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read()[-500:].strip() or f"code {self._process.wait()}"

    def stop(self) -> None:
        """Cut all of its sockets at once."""
        self._process.kill()
        self._process.communicate()


@dataclass(frozen=True, slots=True)
class Wsload:
    """The program."""

    program: Path

    @classmethod
    def find(cls, source: Path, folder: Path) -> Wsload:
        """Failed where there is no such source."""
        if not source.is_file():
            raise Failed(f"there is no {source}; say with --wsload where wsload.c is")
        return cls.compile(source, folder)

    @classmethod
    def compile(cls, source: Path, folder: Path) -> Wsload:
        """Build it with cc; Failed where there is no compiler, or it does not compile."""
        if shutil.which("cc") is None:
            raise Failed("there is no C compiler (cc) to build the load generator with")
        program = folder / "wsload"
        # Whichever compiler the developer has.
        built = subprocess.run(  # nosec B607
            ["cc", "-O2", "-w", "-o", str(program), str(source)], capture_output=True, text=True, check=False
        )
        if built.returncode != 0:
            raise Failed(f"{source} does not compile: {built.stderr[-500:]}")
        return cls(program)

    def sockets(
        self, port: int, count: int, *options: str, crowd: Crowd | None = None, join: bool = True
    ) -> Run:
        """Open so many sockets, signed in where there is a crowd, each in the session's room."""
        command = [str(self.program), "--quiet", "--port", str(port), "--conns", str(count)]
        command += ["--openrate", str(OPEN_RATE)]
        if crowd is not None:
            command += ["--tokens", str(crowd.tokens), "--header", r"Authorization: Bearer %k\r\n"]
            if join:
                init = {"id": 1, "type": "room.join", "data": {"room": f"session:{crowd.session}"}}
                command += ["--init", json.dumps(init, separators=(",", ":"))]
        process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        pin(process.pid, LOAD_CORE)
        return Run(process)
