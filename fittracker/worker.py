"""The gunicorn worker: uvloop, and a drain on SIGTERM that comes before aiohttp's own shutdown.

aiohttp throws inbound bytes away as soon as its shutdown begins. So everything that is promised (the last
acks, the close codes, the time to come back) happens before: in `DrainingRunner.cleanup`.
"""

from __future__ import annotations

import gc
import socket

from aiohttp import web
from aiohttp.worker import GunicornUVLoopWebWorker

from config.settings import Settings, load
from fittracker.app import build_app, drain
from fittracker.observability import configure_logs

KEEPALIVE_S = 75.0
UNSENT_BYTES = 131_072
"""What the kernel takes from us for a peer that does not read. Left alone it takes 4 MB: a slow reader would
be found out late, cost that much memory, and see heart rates from minutes ago when it reads again."""
SHUTDOWN_S = 5.0
COLLECT_AFTER = (20_000, 20, 20)
"""Container objects made, net, between two looks for cycles. Python's default of 700 fits programs that hold
little: a flush of a thousand streams would make it walk over all sockets several times a second."""


class DrainingRunner(web.AppRunner):
    """Runs an application, and lets its sockets go properly before anything is shut down."""

    async def cleanup(self) -> None:
        """Drain, then what aiohttp does."""
        await drain(self.app)
        await super().cleanup()


class Worker(GunicornUVLoopWebWorker):
    """What `worker_class` names. Settings, database and sockets are all made in here, after the fork."""

    _backlog_set = False

    def notify(self) -> None:
        """A sign of life; the first one comes when the sockets listen.

        aiohttp then makes them listen with a backlog of 128, whatever gunicorn was told: too few for the
        thousands that come back together after a restart. Listening again only changes the backlog.
        """
        if self.booted and not self._backlog_set:
            self._backlog_set = True
            for each in self.sockets:
                each.sock.listen(self.cfg.backlog)
                if each.sock.family != socket.AF_UNIX:  # accepted connections inherit it
                    each.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        super().notify()


def runner_of(settings: Settings) -> DrainingRunner:
    """The application of these settings, ready to be set up in the running loop."""
    return DrainingRunner(
        build_app(settings),
        access_log=None,
        keepalive_timeout=KEEPALIVE_S,
        shutdown_timeout=SHUTDOWN_S,
        handle_signals=False,
    )


async def make_runner() -> DrainingRunner:
    """The factory that gunicorn calls in each worker."""
    settings = load()
    configure_logs(settings.log_format, settings.log_level)
    runner = runner_of(settings)
    # What was made so far lives as long as the worker: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    return runner
