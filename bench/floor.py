"""What the bare servers of `bench.bare` cost on this machine, now."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Final

from bench.process import SERVER_CORE, cpu_s, memory_kb, pin
from bench.product import Failed
from bench.wsload import OPEN_RATE, Wsload

ECHO_S: Final = 10
SETTLE_S: Final = 4
PUSH: Final = (
    '{"type":"hr.push","data":{"stream":"00000000-0000-4000-8000-000000000000",'
    '"samples":[{"seq":%n,"t":%t,"bpm":142}]}}'
)


@dataclass(frozen=True, slots=True)
class Floor:
    """One run: KB and ms a bare socket, us an echo, us a send()."""

    idle_kb: float
    connect_ms: float
    echo_us: float
    send_us: float


def measure(wsload: Wsload, sockets: int) -> Floor:
    """All of it, in some half a minute."""
    return Floor(*_echo_server(wsload, sockets), _send_us())


def _echo_server(wsload: Wsload, sockets: int) -> tuple[float, float, float]:
    with subprocess.Popen(
        [sys.executable, "-m", "bench.bare", "echo"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            pin(server.pid, SERVER_CORE)
            assert server.stdout is not None
            port = int(server.stdout.readline())
            _warm_up(wsload, port)
            idle_kb, connect_ms = _connect(wsload, server.pid, port, sockets)
            return idle_kb, connect_ms, _echo_us(wsload, server.pid, port, sockets)
        finally:
            server.terminate()


def _warm_up(wsload: Wsload, port: int) -> None:
    run = wsload.sockets(port, 50, "--hold", "60")
    run.line()
    run.stop()


def _connect(wsload: Wsload, pid: int, port: int, sockets: int) -> tuple[float, float]:
    memory, cpu = memory_kb(pid), cpu_s(pid)
    run = wsload.sockets(port, sockets, "--hold", "60")
    if run.line()["open"] != sockets:
        raise Failed("the bare server did not take all sockets")
    spent = cpu_s(pid) - cpu, memory_kb(pid) - memory
    run.stop()
    return spent[1] / sockets, spent[0] / sockets * 1_000


def _echo_us(wsload: Wsload, pid: int, port: int, sockets: int) -> float:
    options = ("--settle", str(SETTLE_S), "--senders", str(sockets), "--rate", "1", "--dur", str(ECHO_S))
    run = wsload.sockets(port, sockets, *options, "--send", PUSH, "--mark", '"seq":')
    time.sleep(sockets / OPEN_RATE + SETTLE_S / 2)
    cpu = cpu_s(pid)
    echoed = run.line()["recv_total"]
    run.stop()
    if not echoed:
        raise Failed("the bare server echoed nothing")
    return float((cpu_s(pid) - cpu) / echoed * 1e6)


def _send_us() -> float:
    sent = subprocess.run(
        [sys.executable, "-m", "bench.bare", "send"], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(sent.stdout)
