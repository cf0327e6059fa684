"""Reading one socket: frames in the order they came, each looked up, checked, run and answered.

The loop is the inbox. While a command waits for MongoDB the next one stays in aiohttp's queue, and when that
is full the peer's kernel holds the rest: nobody needs a queue of our own.
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

log = logger(__name__)

UNREADABLE_IN_A_ROW: Final = 3
UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)

errors = Counter("fittracker_command_errors", "Commands that failed, by code", ["code"])
_ENDS: Final = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


async def converse(realtime: Realtime, connection: Connection) -> None:
    """Serve a socket until it closes.

    Also when we close it: to return before the close frame is out would let aiohttp send its own, code 1000.
    """
    receive = connection.socket.receive
    wheel = realtime.wheel
    while True:
        message: Any = await receive()
        kind = message.type
        if kind in _ENDS:
            return
        if not connection.open or connection.leaving:
            continue  # it was said before the peer could know that we are closing
        connection.heard = wheel.now
        if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
            connection.unclaimed = 0
            connection.busy = True
            await hear(realtime, connection, kind is WSMsgType.BINARY, message.data)
            connection.busy = False
        elif connection.spend_control(wheel.now, len(message.data)) and kind is WSMsgType.PING:
            await connection.socket.pong(message.data)


async def hear(realtime: Realtime, connection: Connection, binary: bool, payload: bytes) -> None:
    """One frame: a command, or a binary push of heart rate."""
    number: int | None = None
    command: Command | None = None
    counted = False
    try:
        if binary and payload[:1] in BINARY_KINDS:
            connection.unreadable = 0
            push_binary(realtime, connection, payload)
            return
        frame = _read(realtime, connection, binary, payload)
        number = frame.id
        command = frame.command
        counted = not command.own_limit
        _admit(realtime, connection, command)
        answer = command.run(realtime, connection, frame.data)
        if command.waits:
            answer = await answer
        if number is not None:
            connection.reply(number, answer)
    except msgspec.ValidationError as error:
        _misread(realtime, connection, payload, error)
    except UNREADABLE as error:
        _unreadable(connection, str(error))
    except Failure as failure:
        if isinstance(failure, Forbidden):
            _note_denial(realtime, connection, command)
        _refuse(realtime, connection, number, failure, counted)
    except Exception as error:  # noqa: BLE001  in one command it must cost neither the socket nor the worker
        _apologize(connection, number, error)


def _read(realtime: Realtime, connection: Connection, binary: bool, payload: bytes) -> Any:
    if binary is not (connection.encoding is Encoding.MSGPACK):
        expected = "binary" if connection.encoding is Encoding.MSGPACK else "text"
        raise msgspec.DecodeError(f"the agreed subprotocol uses {expected} frames")
    frame = realtime.decode[connection.encoding](payload)
    connection.unreadable = 0
    return frame


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
