"""One embedded server: what it is started with, and how it shows that it is ready."""

from __future__ import annotations

import secrets
import socket
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from fittracker.embedded.errors import ServiceFailed

LOOPBACK = "127.0.0.1"
# Below the range that Linux gives to outgoing connections, so that none of them takes a port between
# our looking and the server's listening, or while a server is being restarted.
FIRST_PORT, PORTS = 20_000, 12_000
ANSWER_SECONDS = 5.0  # for one request to a server that is starting
TAIL_LINES, TAIL_COLUMNS = 8, 400


class EmbeddedServer(ABC):
    """A server with a folder of its own. `port` and `pid` are set by who starts it."""

    name: ClassVar[str]
    folder_name: ClassVar[str]

    def __init__(self, program: Path, folder: Path, log: Path) -> None:
        self.program, self.folder, self.log = program, folder, log
        self.port = 0
        self.pid = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def prepare(self) -> None:
        """What has to be done before each start."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it is ready for clients; helps it to become so. Called until it is."""

    def rotate_log(self) -> None:
        """Begin a new log; the one of the start before stays, as `.1`."""
        if self.log.exists():
            self.log.replace(self.log.with_name(self.log.name + ".1"))

    def last_words(self) -> str:
        """The end of the log: of MongoDB's the errors alone, they drown in notes about the shutdown."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        errors = [line for line in lines if '"s":"E"' in line or '"s":"F"' in line]
        return "\n".join(f"  {line[:TAIL_COLUMNS]}" for line in (errors or lines)[-TAIL_LINES:])


def free_port() -> int:
    """A port of the loopback on which nobody listens at this moment."""
    fault: OSError | None = None
    for _ in range(100):
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError as error:
                fault = error
            else:
                return port
    raise ServiceFailed(f"No free port was found on {LOOPBACK}: {fault}")
