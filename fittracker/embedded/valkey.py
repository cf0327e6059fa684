"""The embedded Valkey (or Redis): everything in memory, nothing kept over a start.

It has a password, in a file that only its owner may read and never on a command line, so that other
people of the machine cannot talk to it.
"""

from __future__ import annotations

import os
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from fittracker.embedded.server import ANSWER_SECONDS, LOOPBACK, EmbeddedServer
from fittracker.ids import new_secret

SNAPSHOT = "dump.rdb"
CONFIGURATION = """\
port {port}
bind {loopback}
requirepass {password}
dir .
dbfilename {snapshot}
save ""
appendonly no
maxmemory-policy noeviction
"""


class Valkey(EmbeddedServer):
    """A Valkey on the loopback; its folder holds its configuration and nothing else that stays."""

    name = "valkey"
    folder_name = "redis"
    _keep = False

    def __init__(self, program: Path, folder: Path, log: Path) -> None:
        super().__init__(program, folder, log)
        self._password = new_secret()

    @property
    def url(self) -> str:
        """With the password."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def command(self) -> list[str]:
        """Everything is in the configuration file."""
        return [str(self.program), self._configuration.name]

    def prepare(self) -> None:
        """Writes the configuration; removes a snapshot, unless it was made for this start."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._keep:
            (self.folder / SNAPSHOT).unlink(missing_ok=True)
        self._keep = False
        text = CONFIGURATION.format(
            port=self.port, loopback=LOOPBACK, password=self._password, snapshot=SNAPSHOT
        )
        self._configuration.unlink(missing_ok=True)
        descriptor = os.open(self._configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.write(text)

    def answers(self) -> bool:
        """Whether it takes our password and answers PING."""
        try:
            with self._client() as client:
                return bool(client.ping())
        except RedisError:  # does not listen yet, loads, or is somebody else's server
            return False

    def save(self) -> None:
        """Write all it knows into its folder, for the next start alone to read."""
        with self._client() as client:
            client.save()
        self._keep = True

    @property
    def _configuration(self) -> Path:
        return self.folder / "valkey.conf"

    def _client(self) -> Redis:
        return Redis.from_url(self.url, socket_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0))
