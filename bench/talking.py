"""Durable fan-out: a room of 500 in which twenty people talk, each message stored before its sender hears."""

from __future__ import annotations

import json
import select
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final

from bench.plain_socket import TEXT, PlainSocket
from bench.process import cpu_s
from bench.product import Crowd, Failed, Product
from bench.wsload import OPEN_RATE, Wsload

MEMBERS: Final = 500
SPEAKERS: Final = 20
RATE: Final = 5.0
"""Messages a second and speaker: a socket may send 60 commands in 10 s."""
SETTLE_S: Final = 3.0
PATIENCE_S: Final = 5.0
MARK: Final = '"text":"'
PADDING: Final = "x" * 60
ANSWER: Final = b'"type":"result"'


@dataclass(frozen=True, slots=True)
class Talking:
    """us of CPU of one message to one member, how late they came, and how long senders waited for answers."""

    delivery_us: float
    late_p50_ms: float
    late_p99_ms: float
    stored_p50_ms: float
    stored_p99_ms: float


class Speaker:
    """Somebody who says something now and then, and waits for each answer."""

    def __init__(self, port: int, token: str, session: str) -> None:
        self.line = PlainSocket(port, token)
        self.room = f"session:{session}"
        self.line.call("room.join", {"room": self.room})
        self.line.unblock()
        self.count = 0
        self.said: dict[int, float] = {}

    def say(self) -> None:
        """The text begins with the time in ns, as the load generator reads it."""
        self.count += 1
        data = {
            "room": self.room,
            "text": f"{time.monotonic_ns()} {PADDING}",
            "client_id": str(uuid.uuid4()),
        }
        self.said[self.count] = time.monotonic()
        self.line.send(TEXT, json.dumps({"id": self.count, "type": "chat.send", "data": data}).encode())

    def hear(self) -> list[float]:
        """Read what has come: how long the answers took, in ms."""
        waits = []
        for payload in self.line.frames():
            if ANSWER in payload[:40]:
                waits.append((time.monotonic() - self.said.pop(json.loads(payload)["id"])) * 1_000)
            elif b'"type":"error"' in payload[:40]:
                raise Failed(f"a message was refused: {payload.decode()}")
        return waits


def talking(product: Product, crowd: Crowd, wsload: Wsload, seconds: float) -> Talking:
    """The CPU of the server while they talk, for each message to each member, all else included."""
    listeners = MEMBERS - SPEAKERS
    options = ("--settle", str(SETTLE_S), "--dur", str(seconds + PATIENCE_S), "--mark", MARK)
    load = wsload.sockets(product.port, listeners, *options, crowd=crowd)
    speakers: list[Speaker] = []
    try:
        time.sleep(listeners / OPEN_RATE + 1.0)
        tokens = crowd.first(MEMBERS)[listeners:]
        speakers += [Speaker(product.port, token, crowd.session) for token in tokens]
        time.sleep(SETTLE_S)
        cpu = cpu_s(product.worker)
        sent, waits = _talk(speakers, seconds)
        spent = cpu_s(product.worker) - cpu
        said = load.line()
        _check(said, sent * listeners)
    finally:
        load.stop()
        for speaker in speakers:
            speaker.line.close()
    waits.sort()
    return Talking(
        spent / (sent * MEMBERS) * 1e6,
        said["p50_us"] / 1_000,
        said["p99_us"] / 1_000,
        waits[len(waits) // 2],
        waits[int(len(waits) * 0.99)],
    )


def _talk(speakers: list[Speaker], seconds: float) -> tuple[int, list[float]]:
    """Let them talk, evenly spread, until all is answered; how many messages, and the waits for answers."""
    poll = select.epoll()
    by_fd = {speaker.line.fd: speaker for speaker in speakers}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    gap = 1.0 / (RATE * len(speakers))
    total, sent = int(seconds / gap), 0
    waits: list[float] = []
    began = time.monotonic()
    while len(waits) < total:
        now = time.monotonic()
        while sent < total and began + sent * gap <= now:
            speakers[sent % len(speakers)].say()
            sent += 1
        if now - began > seconds + PATIENCE_S:
            raise Failed(f"{total - len(waits)} of {total} messages were not answered")
        pause = began + sent * gap - time.monotonic() if sent < total else 0.1
        for fd, _ in poll.poll(max(pause, 0.0)):
            waits += by_fd[fd].hear()
    poll.close()
    return sent, waits


def _check(said: dict[str, Any], expected: int) -> None:
    """Every message reached everybody: what was lost would be cheap."""
    if said["open"] != MEMBERS - SPEAKERS or said["recv_total"] != expected:
        raise Failed(f"{said['recv_total']} of {expected} messages arrived, on {said['open']} sockets")
