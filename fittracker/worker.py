"""The gunicorn worker: uvloop, and a drain on SIGTERM that comes before aiohttp's own shutdown.

aiohttp throws inbound bytes away as soon as its shutdown begins. So everything that is promised (the last
acks, the close codes, the time to come back) happens before: in `DrainingRunner.cleanup`.
"""

from __future__ import annotations

import gc
import socket
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server
from aiohttp.worker import GunicornUVLoopWebWorker

from config.settings import Settings, load
from fittracker.app import build_app, drain
from fittracker.errors import BadRequest, problem
from fittracker.heads import Heads
from fittracker.ids import new_id
from fittracker.observability import configure_logs, logger

log = logger(__name__)

UNSENT_BYTES = 131_072
"""What the kernel takes from us for a peer that does not read. Left alone it takes 4 MB: a slow reader would
be found out late, cost that much memory, and see heart rates from minutes ago when it reads again."""
SHUTDOWN_S = 5.0
HEADERS = {"Server": "fittracker", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Of an answer to what is no HTTP. Left out, Server would name the versions of aiohttp and Python."""
COLLECT_AFTER = (20_000, 20, 20)
"""Container objects made, net, between two looks for cycles. Python's default of 700 fits programs that hold
little: a flush of a thousand streams would make it walk over all sockets several times a second."""


class Connection(RequestHandler):
    """aiohttp's side of a connection; what is no HTTP gets a problem like all others, and one quiet line."""

    __slots__ = ()

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._messages = Heads()

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """A body that is not coded as it says is told to who sent it; for us it is no error."""
        if isinstance(kw.get("exc_info"), web.RequestPayloadError):
            log.info("request_unreadable", reason="RequestPayloadError")
        else:
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp would tell its version and quote the bytes, and log a stack trace for anybody who asks."""
        if not isinstance(exc, HttpProcessingError) or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        request_id = new_id()
        log.info("request_unreadable", reason=type(exc).__name__, address=request.remote, request=request_id)
        refusal = problem(BadRequest("This is no HTTP request."), request_id)
        response = web.Response(
            body=msgspec.json.encode(refusal | {"status": status}),
            status=status,
            content_type="application/problem+json",
            headers=HEADERS,
        )
        response.force_close()
        return response


class Connections(Server):
    """Makes one of these for each connection."""

    def __call__(self) -> Connection:
        """A new one."""
        return Connection(self, loop=self._loop, **self._kwargs)


class DrainingRunner(web.AppRunner):
    """Runs an application, and lets its sockets go properly before anything is shut down."""

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        return Connections(
            made.request_handler, request_factory=made.request_factory, loop=made._loop, **made._kwargs
        )

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
        keepalive_timeout=settings.keepalive_s,
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
