"""Three members of a replica set, each a mongod of its own: one can die, the primary can change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from fittracker.clock import Clock
from fittracker.embedded import binaries, folder
from fittracker.embedded.guardian import Guardian
from fittracker.embedded.mongod import REPLICA_SET, Mongod
from fittracker.embedded.server import LOOPBACK, free_port
from tests.patience import until

ELECTION_MS: Final = 2_000
"""How long the others wait for a primary that says nothing: ten seconds by default."""
Document = dict[str, Any]


class Member(Mongod):
    """One of them; who is a member of what, the set tells it."""

    def ask(self, command: Document) -> Document:
        """Its answer; nothing where it does not answer."""
        try:
            return self._ask(command)
        except OSError:
            return {}

    @property
    def hello(self) -> Document:
        """What it says of itself."""
        return self.ask({"hello": 1})


class ReplicaSet:
    """The set; made by `replica_set`. Its methods wait, so call them in a thread of their own."""

    def __init__(self, guardian: Guardian, program: Path, data: Path) -> None:
        self._guardian = guardian
        self.members = [Member(program, data / str(place), data / f"{place}.log") for place in range(3)]
        for member in self.members:
            member.port = free_port()

    @property
    def url(self) -> str:
        """Where clients find all of it."""
        hosts = ",".join(f"{LOOPBACK}:{member.port}" for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"

    def begin(self) -> None:
        """Start all three and make them a set; there is a primary when this returns."""
        for member in self.members:
            self.start(member)
        hosts = [{"_id": place, "host": f"{LOOPBACK}:{each.port}"} for place, each in enumerate(self.members)]
        fresh = {
            "_id": REPLICA_SET,
            "members": hosts,
            "settings": {"electionTimeoutMillis": ELECTION_MS, "heartbeatIntervalMillis": 500},
        }
        answer = self.members[0].ask({"replSetInitiate": fresh})
        assert answer.get("ok") == 1, answer
        until(lambda: self.primary() and len(self.secondaries()) == 2, "all three are members", seconds=60)

    def start(self, member: Member) -> None:
        """Start one, for the first time or again."""
        member.prepare()
        self._guardian.run(str(member.port), member.command(), member.folder, member.log)
        until(lambda: member.hello, f"the member at {member.port} answers", seconds=60)

    def kill(self, member: Member) -> None:
        """SIGKILL to one."""
        self._guardian.kill(str(member.port))

    def primary(self) -> Member | None:
        """The one that takes writes now."""
        return next((each for each in self.members if each.hello.get("isWritablePrimary")), None)

    def secondaries(self) -> list[Member]:
        """Those that follow."""
        return [each for each in self.members if each.hello.get("secondary")]

    def step_down(self) -> None:
        """The primary becomes a secondary, and another one the primary."""
        before = until(self.primary, "there is a primary", seconds=60)
        before.ask({"replSetStepDown": 20, "secondaryCatchUpPeriodSecs": 5})
        until(lambda: self.primary() not in (None, before), "there is another primary", seconds=60)


@contextmanager
def replica_set(data: Path) -> Iterator[ReplicaSet]:
    """Three members below this folder, and their end with the block."""
    lock = folder.hold(data, Clock())
    try:
        guardian = Guardian(data / "guardian.log", lock)
    finally:
        os.close(lock)
    try:
        members = ReplicaSet(guardian, binaries.find(binaries.MONGOD), data)
        members.begin()
        yield members
    finally:
        guardian.close()
