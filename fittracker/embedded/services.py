"""A private MongoDB and Valkey with the lifetime of a `with` block."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from fittracker.clock import Clock
from fittracker.embedded import binaries, folder
from fittracker.embedded.errors import ServiceFailed
from fittracker.embedded.guardian import Guardian
from fittracker.embedded.mongod import Mongod
from fittracker.embedded.server import EmbeddedServer, free_port
from fittracker.embedded.valkey import Valkey

START_SECONDS = 60.0  # an idle machine needs 0.4 s; after a crash mongod reads its journal first
POLL_SECONDS = 0.01
PORT_ATTEMPTS = 5
PORT_TAKEN = "Address already in use"  # in the words of both servers


class Services:
    """What runs. Made by `start`; all of it ends with the block, or with the process however that ends.

    `mongo_url` and `redis_url` are good for any process of this machine, the methods only for the one
    that called `start`, and for one of its threads at a time.
    """

    def __init__(self, data: Path, *, mongo_url: str | None, redis_url: str | None) -> None:
        self._data = data
        self._given = {Mongod.name: mongo_url, Valkey.name: redis_url}
        self._servers: dict[str, EmbeddedServer] = {}
        self._guardian: Guardian | None = None
        self._clock = Clock()

    @classmethod
    def start(cls, data: Path, *, mongo_url: str | None = None, redis_url: str | None = None) -> Self:
        """Start what is needed, below the folder `data`, and wait until it takes requests.

        For a server whose URL is given nothing is started, and nothing is checked. Raises
        ServiceMissing, FolderInUse or ServiceFailed; then nothing is left running.
        """
        services = cls(data.resolve(), mongo_url=mongo_url, redis_url=redis_url)
        try:
            services._launch()
        except BaseException:
            services.close()
            raise
        return services

    @property
    def mongo_url(self) -> str:
        """Of a replica set; without the name of a database."""
        return self._given[Mongod.name] or self._servers[Mongod.name].url

    @property
    def redis_url(self) -> str:
        """With the password, where there is one."""
        return self._given[Valkey.name] or self._servers[Valkey.name].url

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of what was started here and not killed since, by name: mongod, valkey."""
        return {name: server.pid for name, server in self._servers.items() if server.pid}

    def kill(self, name: str) -> None:
        """SIGKILL to `mongod` or `valkey`; it is gone when this returns."""
        server = self._own(name)
        self._guard().kill(name)
        server.pid = 0

    def restart_mongo(self) -> None:
        """Kill mongod and start it again, on the same port; what was acknowledged is there again."""
        self.kill(Mongod.name)
        self._restart(self._own(Mongod.name))

    def restart_redis(self, *, keep_data: bool) -> None:
        """Kill Valkey and start it again, on the same port, with or without what it knew.

        `keep_data` needs one that runs.
        """
        valkey = self._own(Valkey.name)
        assert isinstance(valkey, Valkey)
        if keep_data:
            valkey.save()
        self.kill(Valkey.name)
        self._restart(valkey)

    def close(self) -> None:
        """End all of it; everything is gone when this returns. Does nothing in a forked child."""
        if self._guardian is not None:
            self._guardian.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _launch(self) -> None:
        """Find the programs, take the folder, start all side by side, wait for each."""
        if not self._given[Mongod.name]:
            self._add(Mongod, binaries.MONGOD)
        if not self._given[Valkey.name]:
            self._add(Valkey, binaries.VALKEY)
        if not self._servers:
            return
        lock = folder.hold(self._data, self._clock)
        try:
            logs = self._data / "log"
            logs.mkdir(mode=0o700, exist_ok=True)
            self._guardian = Guardian(logs / "guardian.log", lock)
        finally:
            os.close(lock)  # the guardian holds it; workers that this process forks must not
        for server in self._servers.values():
            self._begin(server, free_port())
        for server in self._servers.values():
            self._settle(server)

    def _add(self, kind: type[EmbeddedServer], wanted: binaries.Wanted) -> None:
        log = self._data / "log" / f"{kind.name}.log"
        self._servers[kind.name] = kind(binaries.find(wanted), self._data / kind.folder_name, log)

    def _begin(self, server: EmbeddedServer, port: int) -> None:
        server.port = port
        server.prepare()
        server.rotate_log()
        server.pid = self._guard().run(server.name, server.command(), server.folder, server.log)

    def _restart(self, server: EmbeddedServer) -> None:
        self._begin(server, server.port)
        self._await(server)

    def _settle(self, server: EmbeddedServer) -> None:
        """Wait for a first start; on another port again when somebody was faster on the one we chose."""
        for _ in range(PORT_ATTEMPTS):
            try:
                return self._await(server)
            except ServiceFailed:
                if PORT_TAKEN not in server.last_words():
                    raise
            self._begin(server, free_port())
        return self._await(server)

    def _await(self, server: EmbeddedServer) -> None:
        """Return when the server is ready; ServiceFailed when it has ended, or takes too long."""
        deadline = self._clock.monotonic() + START_SECONDS
        while not server.answers():
            code = self._guard().exit_code(server.name)
            if code is not None:
                raise self._failed(server, f"ended with code {code} before it was ready")
            if self._clock.monotonic() > deadline:
                raise self._failed(server, f"was not ready after {START_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)

    def _failed(self, server: EmbeddedServer, what: str) -> ServiceFailed:
        return ServiceFailed(f"{server.name} {what}. The end of {server.log}:\n{server.last_words()}")

    def _own(self, name: str) -> EmbeddedServer:
        if name not in self._servers:
            raise ServiceFailed(f"No {name} was started here, so it cannot be killed or restarted")
        return self._servers[name]

    def _guard(self) -> Guardian:
        assert self._guardian is not None
        return self._guardian
