"""Reading one socket: frames in the order they came, each looked up, checked, run and answered.

A command that waits for nothing is run at the moment it comes (ws/socket.py calls `take`). For one that
waits, the loop here is woken, and until it is done all that comes stays in the inbox; when that is full the
peer's kernel holds the rest: nobody needs a queue of our own.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import WSMsgType
from prometheus_client import Counter

from fittracker.caller import Caller
from fittracker.errors import BadRequest, Failure, Forbidden, RateLimited, Unauthenticated, Unavailable
from fittracker.ids import new_id
from fittracker.mongo import OUTAGES as MONGO_OUTAGES
from fittracker.observability import logger
from fittracker.redis import is_away
from ws.commands import Command
from ws.connection import Connection
from ws.frames import Close, Encoding, addressee, invalid
from ws.heart import BINARY_KINDS, push_binary
from ws.realtime import Realtime
from ws.socket import LATER, Inbox

log = logger(__name__)

UNREADABLE_IN_A_ROW: Final = 3
UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)

errors = Counter("fittracker_command_errors", "Commands that failed, by code", ["code"])
_ENDS: Final = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


async def converse(realtime: Realtime, connection: Connection, inbox: Inbox) -> None:
    """Serve a socket until it closes.

    Also when we close it: to return before the close frame is out would let aiohttp send its own, code 1000.
    """
    receive = connection.socket.receive
    while True:
        if inbox.ending:
            connection.flush()
        inbox.listening = inbox.empty
        message: Any = await receive()
        inbox.listening = False
        kind = message.type
        if kind in _ENDS:
            return
        if kind is LATER:
            await carry_out(realtime, connection, message.data)
        elif not connection.open or connection.leaving:
            continue  # it was said before the peer could know that we are closing
        elif kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
            frame = take(realtime, connection, kind is WSMsgType.BINARY, message.data)
            if frame is not None:
                await carry_out(realtime, connection, frame)
        else:
            connection.heard = realtime.wheel.now
            if connection.spend_control(realtime.wheel.now, len(message.data)) and kind is WSMsgType.PING:
                await connection.socket.pong(message.data)


def take(realtime: Realtime, connection: Connection, binary: bool, payload: bytes) -> Any | None:
    """One message: a command, or a binary push of heart rate. A command that has to wait is given back."""
    if not connection.open or connection.leaving:
        return None  # it was said before the peer could know that we are closing
    connection.heard = realtime.wheel.now
    connection.unclaimed = 0
    frame: Any = None
    try:
        if binary and payload[:1] in BINARY_KINDS:
            connection.unreadable = 0
            push_binary(realtime, connection, payload)
            return None
        if binary is not (connection.encoding is Encoding.MSGPACK):
            _mistaken(connection)
        frame = realtime.decode[connection.encoding](payload)
        connection.unreadable = 0
        command: Command = frame.command
        _admit(realtime, connection, command)
        if command.waits:
            connection.busy = True
            return frame
        answer = command.run(realtime, connection, frame.data)
        if frame.id is not None:
            connection.reply(frame.id, answer)
    except msgspec.ValidationError as error:
        _misread(realtime, connection, payload, error)
    except UNREADABLE as error:
        _unreadable(connection, str(error))
    except Exception as error:  # noqa: BLE001  a defect in one command must not cost the socket
        _failed(realtime, connection, frame, error)
    return None


async def carry_out(realtime: Realtime, connection: Connection, frame: Any) -> None:
    """Run a command that `take` gave back, and answer it."""
    try:
        answer = await frame.command.run(realtime, connection, frame.data)
        if frame.id is not None:
            connection.reply(frame.id, answer)
    except Exception as error:  # noqa: BLE001  a defect in one command must not cost the socket
        _failed(realtime, connection, frame, error)
    connection.busy = False


def _failed(realtime: Realtime, connection: Connection, frame: Any | None, error: Exception) -> None:
    """Answer a command that failed; `frame` is None for a binary push."""
    number: int | None = frame.id if frame is not None else None
    command: Command | None = frame.command if frame is not None else None
    if isinstance(error, Failure):
        if isinstance(error, Forbidden):
            _note_denial(realtime, connection, command)
        _refuse(realtime, connection, number, error, command is not None and not command.own_limit)
    else:
        _apologize(connection, number, error)


def _mistaken(connection: Connection) -> None:
    expected = "binary" if connection.encoding is Encoding.MSGPACK else "text"
    raise msgspec.DecodeError(f"the agreed subprotocol uses {expected} frames")


def _misread(
    realtime: Realtime, connection: Connection, payload: bytes, error: msgspec.ValidationError
) -> None:
    """A message, but of no command; unless what follows the first fault is no message at all."""
    try:
        number = addressee(connection.encoding, payload)
    except UNREADABLE as worse:
        _unreadable(connection, str(worse))
    else:
        connection.unreadable = 0
        _refuse(realtime, connection, number, invalid(error), counted=False)


def _refuse(
    realtime: Realtime, connection: Connection, number: int | None, failure: Failure, counted: bool
) -> None:
    """Tell the failure. What was refused before it was counted counts now: nonsense must not be free."""
    if not counted and not isinstance(failure, RateLimited):
        try:
            connection.spend(realtime.wheel.now, 1, 0)
        except RateLimited as limited:
            failure = limited
    errors.labels(failure.code).inc()
    connection.fail(number, failure)


def _apologize(connection: Connection, number: int | None, error: Exception) -> None:
    """What a command stands on is away, or it has a defect."""
    if isinstance(error, MONGO_OUTAGES) or is_away(error):
        errors.labels("unavailable").inc()
        log.warning("command_unavailable", connection=connection.id, reason=type(error).__name__)
        connection.fail(number, Unavailable("The outcome is unknown; sending the same again is safe."))
        return
    errors.labels("internal").inc()
    report = new_id()
    log.error("command_failed", connection=connection.id, report=report, exc_info=error)
    connection.fail(number, Failure(f"This was our fault; please report {report}."))


def _note_denial(realtime: Realtime, connection: Connection, command: Command | None) -> None:
    """Whoever is told that they may not do something is written down."""
    user = connection.identity.user if connection.identity is not None else None
    caller = Caller(user, connection.address, connection.id)
    realtime.contexts.denials.note(caller, command=command.name if command is not None else "binary push")


def _unreadable(connection: Connection, reason: str) -> None:
    connection.unreadable += 1
    errors.labels("bad_request").inc()
    connection.fail(None, BadRequest(f"The frame could not be read: {reason}."))
    if connection.unreadable >= UNREADABLE_IN_A_ROW:
        connection.flush()
        connection.close(Close.BAD_FRAMES, "unreadable frames")


def _admit(realtime: Realtime, connection: Connection, command: Command) -> None:
    """Whether this socket may send this command now."""
    identity, policy = connection.identity, command.policy
    if not command.own_limit:
        connection.spend(realtime.wheel.now, 1, 0)
    if policy.anonymous:
        return
    if identity is None:
        raise Unauthenticated("Send auth first.")
    if identity.scopes is not None and (policy.scope is None or policy.scope not in identity.scopes):
        raise Forbidden("This token may not do that.")
    if policy.roles is not None and identity.role not in policy.roles:
        raise Forbidden(f"Only {' or '.join(sorted(policy.roles))} may do that.")
