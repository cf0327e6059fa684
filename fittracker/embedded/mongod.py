"""The embedded mongod: a replica set of one, because transactions need a replica set.

Journaling is on, as it always is by default, and by the set's configuration "majority" means "in the
journal". The port changes from start to start, so the configuration is corrected at each.

This speaks MongoDB's wire protocol by itself, four commands of it, because the process that starts
the servers goes on to fork workers: a MongoClient leaves threads running for half a second after its
close(), and a fork beside running threads is not safe.
"""

from __future__ import annotations

import socket
import struct
from typing import Any, BinaryIO

import bson

from fittracker.embedded.errors import ServiceFailed
from fittracker.embedded.server import ANSWER_SECONDS, LOOPBACK, EmbeddedServer

REPLICA_SET = "fittracker"
CACHE_GB = "0.25"  # the least that mongod takes
OPLOG_MB = "256"
NOT_YET_INITIALIZED = 94  # error code: this member has no configuration of a replica set
OP_MSG = 2013
HEADER = struct.Struct("<iiii")  # length, id of the request, id that it answers, kind
Document = dict[str, Any]


class Mongod(EmbeddedServer):
    """A mongod on the loopback; its database stays in its folder."""

    name = "mongod"
    folder_name = "mongo"
    _configured = False

    @property
    def url(self) -> str:
        """With the name of the set, so that drivers look for its primary as they do in production."""
        return f"mongodb://{LOOPBACK}:{self.port}/?replicaSet={REPLICA_SET}"

    def command(self) -> list[str]:
        """Loopback only and no socket in /tmp, small caches, no diagnostics, no waiting at the end."""
        return [
            *(str(self.program), "--dbpath", str(self.folder), "--replSet", REPLICA_SET, "--quiet"),
            *("--port", str(self.port), "--bind_ip", LOOPBACK, "--nounixsocket"),
            *("--networkMessageCompressors", "disabled"),
            *("--wiredTigerCacheSizeGB", CACHE_GB, "--oplogSize", OPLOG_MB),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"),
            # What a killed worker had begun to write is given up sooner than after a minute.
            *("--setParameter", "transactionLifetimeLimitSeconds=10"),
        ]

    def prepare(self) -> None:
        """Makes the folder; the set's configuration has to be looked at again after each start."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._configured = False

    def answers(self) -> bool:
        """Whether this very mongod takes writes; configures its replica set on the way."""
        try:
            if not self._configured:
                self._configured = self._is_ours() and self._configure()
            return self._configured and bool(self._ask({"hello": 1}).get("isWritablePrimary"))
        except OSError:  # does not listen yet
            return False

    def _is_ours(self) -> bool:
        """Another mongod may have been faster on the same port; then ours is about to end by itself."""
        return bool(self._ask({"serverStatus": 1}).get("pid") == self.pid)

    def _configure(self) -> bool:
        """Make the replica set, or tell it that its only member has moved to this port."""
        host = f"{LOOPBACK}:{self.port}"
        known = self._ask({"replSetGetConfig": 1})
        if known.get("code") == NOT_YET_INITIALIZED:
            member = {"_id": 0, "host": host}
            fresh = {"_id": REPLICA_SET, "members": [member], "writeConcernMajorityJournalDefault": True}
            self._demand({"replSetInitiate": fresh})
        elif "config" not in known:
            return False  # it has not read it from its disk yet
        elif known["config"]["members"][0]["host"] != host:
            config = known["config"]
            config["members"][0]["host"] = host
            config["version"] += 1
            # Forced, because a member that does not find itself in the configuration cannot be primary.
            self._demand({"replSetReconfig": config, "force": True})
        return True

    def _demand(self, command: Document) -> None:
        """A command that has to succeed."""
        reply = self._ask(command)
        if reply.get("ok") != 1:
            raise ServiceFailed(f"mongod refuses {next(iter(command))}: {reply.get('errmsg')}")

    def _ask(self, command: Document) -> Document:
        """Run one command on the admin database, on a connection of its own."""
        body = struct.pack("<IB", 0, 0) + bson.encode({**command, "$db": "admin"})
        with socket.create_connection((LOOPBACK, self.port), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(HEADER.pack(HEADER.size + len(body), 1, 0, OP_MSG) + body)
            with connection.makefile("rb") as replies:
                length = HEADER.unpack(_exactly(replies, HEADER.size))[0]
                reply = _exactly(replies, length - HEADER.size)
        return bson.decode(reply[5:])  # after 4 bytes of flags and one for the kind of section


def _exactly(replies: BinaryIO, size: int) -> bytes:
    data = replies.read(size)
    if len(data) < size:
        raise ConnectionError("mongod closed the connection")
    return data
