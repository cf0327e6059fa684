"""The gunicorn worker: how many may knock at once, and that everybody is let go before the shutdown."""

from __future__ import annotations

import contextlib
import socket
import struct
from pathlib import Path
from types import SimpleNamespace

from aiohttp import web

from fittracker import worker
from fittracker.worker import UNSENT_BYTES, DrainingRunner, Worker

LOOPBACK = "127.0.0.1"


def backlog_of(listening: socket.socket) -> int:
    """The longest queue of connections that wait to be accepted (Linux tells it as `tcpi_sacked`)."""
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return int(struct.unpack_from("I", info, 8 + 5 * 4)[0])


def test_as_many_may_wait_at_the_door_as_gunicorn_was_told() -> None:
    """Not the 128 of aiohttp: after a restart thousands come back together."""
    most = int(Path("/proc/sys/net/core/somaxconn").read_text())
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        assert backlog_of(listening) == 128
        booting = Worker.__new__(Worker)
        booting.sockets = [SimpleNamespace(sock=listening)]
        booting.cfg = SimpleNamespace(backlog=4_096)
        signs: list[str] = []
        booting.tmp = SimpleNamespace(notify=lambda: signs.append("alive"))
        booting.booted = False
        booting.notify()
        assert backlog_of(listening) == 128  # aiohttp has not listened yet: it would undo it
        booting.booted = True
        booting.notify()
        assert backlog_of(listening) == min(4_096, most)
        assert signs == ["alive", "alive"]


def test_the_kernel_takes_little_for_a_peer_that_does_not_read() -> None:
    """Accepted connections inherit it from the socket that listens; a Unix socket has no such thing."""
    with socket.create_server((LOOPBACK, 0)) as listening, socket.socket(socket.AF_UNIX) as local:
        booting = Worker.__new__(Worker)
        local.bind("")  # a name of the kernel's choice, in no folder
        booting.sockets = [SimpleNamespace(sock=listening), SimpleNamespace(sock=local)]
        booting.cfg = SimpleNamespace(backlog=16)
        booting.tmp = SimpleNamespace(notify=lambda: None)
        booting.booted = True
        booting.notify()
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            accepted.setblocking(False)
            taken = 0
            with contextlib.suppress(BlockingIOError):
                while taken < 16 * UNSENT_BYTES:
                    taken += accepted.send(bytes(UNSENT_BYTES // 8))
            assert taken <= 4 * UNSENT_BYTES


async def test_everybody_is_let_go_before_anything_is_shut_down(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """aiohttp drops what comes in as soon as its own shutdown begins."""
    order: list[str] = []
    app = web.Application()

    async def drain(drained: web.Application) -> None:
        assert drained is app
        order.append("drain")

    async def shut_down(_app: web.Application) -> None:
        order.append("shutdown")

    app.on_shutdown.append(shut_down)
    monkeypatch.setattr(worker, "drain", drain)
    runner = DrainingRunner(app)
    await runner.setup()
    await runner.cleanup()
    assert order == ["drain", "shutdown"]
