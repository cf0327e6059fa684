"""Wearables by the thousand on one core: each sends a sample a second and waits for it to be stored."""

from __future__ import annotations

import json
import select
import struct
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from bench.plain_socket import BINARY, TEXT, PlainSocket
from bench.product import Failed
from fittracker import ble

PATIENCE_S: Final = 10.0
ACK: Final = b'{"type":"hr.ack"'
_HEAD: Final = struct.Struct(">BHIQ")


class Wearable:
    """One device with one open stream."""

    __slots__ = ("acked", "handle", "line", "pushed", "seq", "stream")

    def __init__(self, line: PlainSocket, session: str | None) -> None:
        self.line = line
        self.stream = str(uuid.uuid4())
        opened = line.call("hr.open", {"stream": self.stream, **({"session": session} if session else {})})
        self.handle: int = opened["handle"]
        self.seq = self.acked = 0
        self.pushed = 0.0
        """When the newest sample left, as `time.monotonic` says."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one push looks like: how many samples it carries, and its opcode and payload.

    `write` is given the device, whose `seq` is that of the last sample, a time in unix ms, and a heart rate.
    """

    samples: int
    write: Callable[[Wearable, int, int], tuple[int, bytes]]


def _json(device: Wearable, t: int, bpm: int) -> tuple[int, bytes]:
    """A text frame of some 120 bytes."""
    text = (
        f'{{"type":"hr.push","data":{{"stream":"{device.stream}",'
        f'"samples":[{{"seq":{device.seq},"t":{t},"bpm":{bpm}}}]}}}}'
    )
    return TEXT, text.encode()


def _batch(device: Wearable, t: int, bpm: int) -> tuple[int, bytes]:
    """Ten samples, 100 ms apart."""
    first = device.seq - BATCH + 1
    samples = ",".join(
        f'{{"seq":{first + place},"t":{t + (place - BATCH + 1) * 100},"bpm":{bpm}}}' for place in range(BATCH)
    )
    text = f'{{"type":"hr.push","data":{{"stream":"{device.stream}","samples":[{samples}]}}}}'
    return TEXT, text.encode()


def _binary(device: Wearable, t: int, bpm: int) -> tuple[int, bytes]:
    """A binary frame of 17 bytes: kind, handle, seq, time, and what a sensor without RR intervals says."""
    return BINARY, _HEAD.pack(1, device.handle, device.seq, t) + ble.encode(bpm)


BATCH: Final = 10
JSON: Final = Shape(1, _json)
BINARY_FRAME: Final = Shape(1, _binary)
IN_BATCHES: Final = Shape(BATCH, _batch)


@dataclass(slots=True)
class Report:
    """What a run saw: samples sent and acknowledged, and the time from one to the other."""

    sent: int = 0
    acked: int = 0
    waits_ms: list[float] = field(default_factory=list)

    def wait_ms(self, share: float) -> float:
        """The wait that this share of the samples did not exceed."""
        ordered = sorted(self.waits_ms)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Swarm:
    """All the wearables, and one loop that serves them."""

    def __init__(self, port: int, tokens: list[str], *, session: str | None = None) -> None:
        """Connect and open a stream for each token, one after the other."""
        self.devices: list[Wearable] = []
        self._poll = select.epoll()
        self._readers: dict[int, Callable[[Report], None]] = {}
        for place, token in enumerate(tokens):
            device = Wearable(PlainSocket(port, token), session)
            self.devices.append(device)
            self.listen(device.line, partial(_hear, device))
            if place % 50 == 0:
                self._serve(Report(), 0)  # the first ones are pinged before the last ones are open

    def listen(self, line: PlainSocket, reader: Callable[[Report], None]) -> None:
        """Let the loop serve this socket too: `reader` is called when it has something to read."""
        line.unblock()
        self._poll.register(line.fd, select.EPOLLIN)
        self._readers[line.fd] = reader

    def run(self, shape: Shape, seconds: float) -> Report:
        """Send one push a second from each device, spread evenly, and wait for the last ack."""
        report = Report()
        gap = 1.0 / len(self.devices)
        began = time.monotonic()
        total, pushes = int(seconds / gap), 0
        while pushes < total:
            now = time.monotonic()
            while pushes < total and began + pushes * gap <= now:
                self._push(report, shape, self.devices[pushes % len(self.devices)])
                pushes += 1
            self._serve(report, began + pushes * gap - time.monotonic())
        deadline = time.monotonic() + PATIENCE_S
        while report.acked < report.sent:
            if time.monotonic() > deadline:
                raise Failed(f"{report.sent - report.acked} of {report.sent} samples were not acknowledged")
            self._serve(report, 0.1)
        return report

    def _push(self, report: Report, shape: Shape, device: Wearable) -> None:
        device.seq += shape.samples
        opcode, payload = shape.write(device, time.time_ns() // 1_000_000, 120 + device.seq % 20)
        device.pushed = time.monotonic()
        device.line.send(opcode, payload)
        report.sent += shape.samples

    def _serve(self, report: Report, seconds: float) -> None:
        for fd, _ in self._poll.poll(max(seconds, 0)):
            self._readers[fd](report)

    def close(self) -> None:
        """Cut all sockets."""
        self._poll.close()
        for device in self.devices:
            device.line.close()


def _hear(device: Wearable, report: Report) -> None:
    """Count what was acknowledged; a push that the server refuses ends the benchmark."""
    for payload in device.line.frames():
        if payload.startswith(ACK):
            seq = json.loads(payload)["data"]["seq"]
            report.acked += seq - device.acked
            device.acked = seq
            if seq == device.seq:
                report.waits_ms.append((time.monotonic() - device.pushed) * 1_000)
        elif payload.startswith(b'{"type":"error"'):
            raise Failed(f"a push was refused: {payload.decode()}")
