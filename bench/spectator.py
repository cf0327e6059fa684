"""One more watcher in the room, which looks closely: how late updates are, and how many come in one write."""

from __future__ import annotations

import json
import time
from typing import Final

from bench.plain_socket import PlainSocket
from bench.wearables import Report

UPDATE: Final = b'{"type":"hr.update"'


class Spectator:
    """Counts what it reads from now on."""

    def __init__(self, port: int, token: str, session: str) -> None:
        self.line = PlainSocket(port, token)
        self.line.call("room.join", {"room": f"session:{session}"})
        self.updates = self.reads = 0
        self.ages_ms: list[float] = []

    def forget(self) -> None:
        """Begin to count anew."""
        self.updates = self.reads = 0
        self.ages_ms = []

    def hear(self, _report: Report) -> None:
        """Read what has come; one read sees one write of the server, as long as this keeps up."""
        self.reads += 1
        now = time.time() * 1_000
        for payload in self.line.frames():
            if payload.startswith(UPDATE):
                self.updates += 1
                self.ages_ms.append(now - json.loads(payload)["data"]["t"])

    def age_ms(self, share: float) -> float:
        """The age that this share of the updates did not exceed when they came."""
        ordered = sorted(self.ages_ms)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
