"""Heart rate for tests of sockets: samples, and their binary frames."""

from __future__ import annotations

import struct
import time
from typing import Any
from uuid import uuid4

from fittracker import ble
from tests.peer import Peer

Sample = dict[str, Any]
# An hour ago, so that no clock finds the newest of a few thousand samples to lie ahead.
T0 = (int(time.time()) - 3600) * 1000


def samples(first: int, count: int = 1, bpm: int = 120, **more: Any) -> list[Sample]:
    """So many, a second apart, from this number on."""
    return [{"seq": seq, "t": T0 + seq * 1000, "bpm": bpm, **more} for seq in range(first, first + count)]


def single(handle: int, sample: Sample) -> bytes:
    """One sample as a binary frame."""
    head = struct.pack(">BHIQ", 1, handle, sample["seq"], sample["t"])
    return head + _payload(sample)


def batch(handle: int, rows: list[Sample]) -> bytes:
    """Several in one binary frame."""
    frame = struct.pack(">BHB", 2, handle, len(rows))
    for row in rows:
        payload = _payload(row)
        frame += struct.pack(">IQB", row["seq"], row["t"], len(payload)) + payload
    return frame


def _payload(sample: Sample) -> bytes:
    return ble.encode(sample["bpm"], sample.get("contact"), rr=sample.get("rr", ()))


class Strap:
    """A stream that is open on a socket."""

    def __init__(self, peer: Peer, opened: dict[str, Any]) -> None:
        self.peer = peer
        self.stream: str = opened["stream"]
        self.handle: int = opened["handle"]
        self.acked: int = opened["acked"]
        self.opened = opened

    async def push(self, *rows: Sample) -> None:
        """As a wearable does it: without an id."""
        await self.peer.send("hr.push", {"stream": self.stream, "samples": list(rows)})

    async def ack(self, seq: int) -> None:
        """Wait until everything up to this number is acknowledged."""
        while (await self.peer.expect("hr.ack", stream=self.stream))["seq"] < seq:
            pass

    async def close(self) -> dict[str, Any]:
        """End the stream; the workout and its summary."""
        return await self.peer.call("hr.close", stream=self.stream)


async def strap(peer: Peer, **opening: Any) -> Strap:
    """Open a stream; a new one unless `stream` names it."""
    return Strap(peer, await peer.call("hr.open", **{"stream": str(uuid4()), **opening}))
