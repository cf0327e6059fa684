"""One socket: who is on it, what it is owed, and when to look at it again.

Frames for this socket alone go through `send`; what a room writes to everybody goes through `write`.
Nobody ever waits for a reader: a slow one gets only the newest telemetry of each athlete, then loses
the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import web

from config.settings import Settings
from fittracker.auth.identity import Identity
from fittracker.errors import RateLimited
from ws.frames import PING, Close, Encoding, ErrorFrame, Event, Outgoing, Result, error_body

REFUSALS_BEFORE_FLOOD = 200
"""So many commands over the limit without a pause, and the socket is closed with 4529."""
CONTROL_HEADER = 6
"""Bytes of a ping or pong from a client beside what it carries."""


class Writer(Protocol):
    """Who writes what connections have pending (ws/writer.py)."""

    def mark(self, connection: Connection) -> None:
        """This connection has something to write at the end of the loop turn."""

    def watch_slow(self, connection: Connection) -> None:
        """This connection holds telemetry back until its reader catches up."""


class Connection:
    """One socket of this worker."""

    __slots__ = (
        "__weakref__",
        "_finish",
        "_held",
        "_limits",
        "_pending",
        "_writer",
        "address",
        "analyses",
        "busy",
        "commands",
        "controls",
        "encoding",
        "expires",
        "expiring_told",
        "feeds",
        "heard",
        "id",
        "identity",
        "leaving",
        "open",
        "opened",
        "pinged",
        "queued",
        "refused",
        "rooms",
        "samples",
        "slow_since",
        "socket",
        "transport",
        "unclaimed",
        "unreadable",
        "window",
    )

    def __init__(
        self,
        id: str,  # noqa: A002  it is called that on the wire too
        socket: web.WebSocketResponse[Any],
        transport: asyncio.Transport,
        *,
        encoding: Encoding,
        address: str,
        now: float,
        limits: Settings,
        writer: Writer,
        finish: Callable[[Connection, int, str], None],
    ) -> None:
        self.id = id
        self.socket = socket
        self.transport = transport
        self.encoding = encoding
        self.address = address
        self.identity: Identity | None = None
        self.open = True
        self.busy = False
        """Whether a frame of its is being worked on."""
        self.leaving = False
        """Whether it is about to be closed: what it is still owed it gets, what it says is not heard."""
        self.rooms: list[str] = []
        self.feeds: Any = None  # made by the first hr.open; a watcher never needs it
        self.analyses: Any = None  # likewise, by form.open
        self.opened = self.heard = self.pinged = now
        self.expires: float | None = None
        self.expiring_told = False
        self.unreadable = self.unclaimed = 0
        self.window = now
        self.commands = self.samples = self.controls = self.refused = 0
        self.queued = False
        self.slow_since: float | None = None
        self._pending: bytes | list[bytes] | None = None
        self._held: dict[str, Outgoing] | None = None
        self._limits = limits
        self._writer = writer
        self._finish = finish

    # -- what goes out -------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Queue a whole frame for this socket alone; it leaves at the end of the loop turn."""
        if not self.open:
            return
        pending = self._pending
        if pending is None:
            self._pending = frame  # nearly always the only one of its turn
        elif isinstance(pending, bytes):
            self._pending = [pending, frame]
        else:
            pending.append(frame)
        if not self.queued:
            self.queued = True
            self._writer.mark(self)

    def pass_on(self, frames: bytes) -> None:
        """Hand over what everybody in a room is told, behind what is queued for this socket already."""
        if self._pending is None:
            self.write(frames)
        else:
            self.send(frames)

    def flush(self) -> None:
        """Write what is queued; close a reader that lets too much pile up."""
        self.queued = False
        pending, self._pending = self._pending, None
        if pending is not None and self.open:
            self.write(pending if isinstance(pending, bytes) else b"".join(pending))

    def write(self, frames: bytes) -> None:
        """Hand whole frames to the transport now."""
        transport = self.transport
        if not self.open or transport.is_closing():
            return
        transport.write(frames)
        if transport.get_write_buffer_size() > self._limits.ws_outbox_hard_bytes:
            self.close(Close.SLOW, "reading too slowly")

    def backlog(self) -> int:
        """Bytes handed over that the peer's kernel has not taken yet."""
        return self.transport.get_write_buffer_size()

    def offer(self, frames: bytes) -> bool:
        """Hand over telemetry of a room; False where this reader is too slow for it, see `hold`."""
        transport = self.transport
        if self._held is not None or transport.get_write_buffer_size() > self._limits.ws_outbox_soft_bytes:
            return False
        if self.open and not transport.is_closing():
            transport.write(frames)
        return True

    def hold(self, key: str, event: Outgoing) -> None:
        """Keep only the newest telemetry of each key until the reader has caught up."""
        if self._held is None:
            self._held = {}
            self._writer.watch_slow(self)
        self._held[key] = event

    def release(self) -> bool:
        """Write what was held if the reader has caught up; whether the connection is done being slow."""
        if not self.open:
            self._held = None
        elif self._held is not None and self.backlog() * 2 <= self._limits.ws_outbox_soft_bytes:
            held, self._held = self._held, None
            self.slow_since = None
            self.write(b"".join([each.frame(self.encoding) for each in held.values()]))
        return self._held is None

    def reply(self, id: int | None, data: Any) -> None:  # noqa: A002
        """The result of command `id`; nothing where the command had none."""
        if id is not None:
            self.send(self.encoding.frame(self.encoding.encode(Result(id, data))))

    def fail(self, id: int | None, failure: Any) -> None:  # noqa: A002
        """The error of a command; also without an id, so that a lost push does not go unnoticed."""
        body = self.encoding.encode(ErrorFrame(id, error_body(failure)))
        self.send(self.encoding.frame(body))

    def tell(self, kind: str, data: Any) -> None:
        """An event for this socket alone."""
        self.send(self.encoding.frame(self.encoding.encode(Event(type=kind, data=data))))

    def close(self, code: int, reason: str) -> None:
        """Begin to close; from here on nothing is written. Closing twice is one closing."""
        if self.open:
            self.open = False
            self._pending = None
            self._finish(self, int(code), reason)

    def retire(self) -> None:
        """The socket is gone. The wheel holds this object a little longer, but not what hung on it."""
        self.open = False
        self.feeds = self.analyses = self._held = self._pending = None
        error = self.socket.exception()
        if error is not None:
            # Its frames hold the socket, and the socket holds it: that would wait for the collector.
            error.__traceback__ = error.__context__ = None
        del self.socket, self.transport

    # -- limits --------------------------------------------------------------------------------------

    def spend(self, now: float, commands: int, samples: int) -> None:
        """Count a command or a push of samples; RateLimited when the window is full.

        A peer that goes on all the same is closed with 4529.
        """
        limits = self._limits
        if now - self.window >= limits.ws_commands_s:
            self._begin_window(now)
        self.commands += commands
        self.samples += samples
        if self.commands > limits.ws_commands or self.samples > limits.ws_samples:
            self._refuse(now)

    def spend_control(self, now: float, size: int) -> bool:
        """Count a ping or pong of so many bytes; whether it may be answered.

        A quiet peer sends one in 25 s. There may be as many as commands, beside those; who goes on is closed.
        """
        self.unclaimed = max(self.unclaimed - size - CONTROL_HEADER, 0)
        if now - self.window >= self._limits.ws_commands_s:
            self._begin_window(now)
        self.controls += 1
        if self.controls <= self._limits.ws_commands:
            return True
        self._count_refusal()
        return False

    def _begin_window(self, now: float) -> None:
        limits = self._limits
        kept = self.commands <= limits.ws_commands and self.controls <= limits.ws_commands
        if kept and self.samples <= limits.ws_samples:
            self.refused = 0
        self.window, self.commands, self.samples, self.controls = now, 0, 0, 0

    def _count_refusal(self) -> None:
        self.refused += 1
        if self.refused >= REFUSALS_BEFORE_FLOOD:
            self.close(Close.FLOOD, "too many commands")

    def _refuse(self, now: float) -> None:
        self._count_refusal()
        wait = max(self.window + self._limits.ws_commands_s - now, 0.001)
        raise RateLimited(
            "Too many commands on this connection; it stays open.", retry_after_ms=int(wait * 1000) + 1
        )

    # -- time ----------------------------------------------------------------------------------------

    def check(self, now: float) -> float | None:
        """What time demands of this socket; when to look again (None: never)."""
        if not self.open:
            return None
        limits = self._limits
        if self.identity is None and now >= self.opened + limits.ws_auth_s:
            self.close(Close.NOT_AUTHENTICATED, "not authenticated in time")
            return None
        if now - self.heard > 2 * limits.ws_ping_s + 1:
            # Two pings unanswered: the peer is gone, and so is anybody who would read a close frame.
            self.open = False
            self.transport.abort()
            return None
        if self.slow_since is not None and now - self.slow_since > limits.ws_ping_s:
            self.close(Close.SLOW, "reading too slowly")
            return None
        if self.expires is not None and self._expiry(now):
            return None
        if now - self.pinged >= limits.ws_ping_s:
            self.pinged = now
            self.write(PING)
        return self.next_look(now)

    def _expiry(self, now: float) -> bool:
        """Warn 60 s before the token ends, close when it has; whether it closed."""
        left = (self.expires or now) - now
        if left <= 0:
            self.close(Close.TOKEN_EXPIRED, "the token has expired")
            return True
        if left <= 60 and not self.expiring_told:
            self.expiring_told = True
            self.tell("auth.expiring", {"in_s": int(left)})
        return False

    def next_look(self, now: float) -> float:
        """When time may demand something of this socket again."""
        moments = [self.pinged + self._limits.ws_ping_s]
        if self.identity is None:
            moments.append(self.opened + self._limits.ws_auth_s)
        if self.expires is not None:
            moments.append(self.expires if self.expiring_told else max(self.expires - 60, now + 1))
        if self.slow_since is not None:
            moments.append(self.slow_since + self._limits.ws_ping_s)
        return min(moments)
