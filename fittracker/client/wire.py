"""One WebSocket, from its first frame to its last: commands and their answers, events, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import ClientWebSocketResponse, WSMsgType

from fittracker.client.backoff import ABNORMAL
from fittracker.client.errors import CommandError, ConnectionLost
from fittracker.client.messages import Codec, Envelope, ErrorBody, Event

Answer = dict[str, Any]
UNREADABLE = 1002
_FRAMES = (WSMsgType.TEXT, WSMsgType.BINARY)
_ENDS = (WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ended: its close code (1006 where it broke off), or the HTTP status of a refusal."""

    code: int
    reason: str
    retry_after_ms: int | None = None


class Wire:
    """A socket that was opened. `read` must run for anything else to work."""

    def __init__(
        self,
        socket: ClientWebSocketResponse[bool],
        codec: Codec,
        on_event: Callable[[Event], None],
        on_refusal: Callable[[ErrorBody], None],
    ) -> None:
        """`on_refusal` gets the errors that name no command, because what they refuse had no id."""
        self._socket = socket
        self._codec = codec
        self._on_event = on_event
        self._on_refusal = on_refusal
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._last_id = 0
        self.ending: Ending | None = None

    async def read(self) -> Ending:
        """Hand out what comes until the socket ends; who still waits for an answer gets ConnectionLost."""
        ending = Ending(ABNORMAL, "the connection was lost")
        try:
            while True:
                message: Any = await self._socket.receive()
                if message.type in _FRAMES:
                    self._hear(message.data)
                elif message.type is WSMsgType.CLOSE:
                    ending = Ending(message.data or ABNORMAL, message.extra or "closed by the server")
                    return ending
                elif message.type in _ENDS:
                    return ending
        except msgspec.DecodeError as error:
            ending = Ending(UNREADABLE, f"the server sent what cannot be read: {error}")
            return ending
        finally:
            self.ending = ending
            for future in self._answers.values():
                if not future.done():
                    future.set_exception(ConnectionLost(ending.reason))

    def _hear(self, payload: str | bytes) -> None:
        envelope = self._codec.decode(payload)
        if envelope.type == "result":
            future = self._asked(envelope)
            if future is not None and not future.done():
                future.set_result(self._codec.data(envelope))
        elif envelope.type == "error":
            self._refuse(envelope)
        else:
            self._on_event(self._codec.event(envelope))

    def _refuse(self, envelope: Envelope) -> None:
        body = envelope.error or ErrorBody()
        if envelope.id is None:
            self._on_refusal(body)
            return
        future = self._asked(envelope)
        if future is not None and not future.done():
            future.set_exception(CommandError(body))

    def _asked(self, envelope: Envelope) -> asyncio.Future[Answer] | None:
        """Who waits for this answer, if somebody does."""
        return self._answers.pop(envelope.id, None) if isinstance(envelope.id, int) else None

    async def call(self, kind: str, data: Any, timeout_s: float) -> Answer:
        """Send a command and wait for its result.

        CommandError where the server refused it; ConnectionLost and TimeoutError where nobody knows.
        """
        self._last_id += 1
        number = self._last_id
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        try:
            async with asyncio.timeout(timeout_s):
                await self._send(self._codec.encode({"id": number, "type": kind, "data": data}))
                return await future
        finally:
            self._answers.pop(number, None)
            if future.done() and not future.cancelled():
                future.exception()  # it may have failed while sending did, and nobody else would look

    async def tell(self, kind: str, data: Any) -> None:
        """Send a command without asking for an answer."""
        await self._send(self._codec.encode({"type": kind, "data": data}))

    async def send_binary(self, payload: bytes) -> None:
        """Send a binary frame as it is."""
        await self._send(payload, WSMsgType.BINARY)

    async def _send(self, payload: bytes, kind: WSMsgType | None = None) -> None:
        self.check()
        try:
            await self._socket.send_frame(payload, kind or self._codec.frame)
        except ConnectionError as error:
            # The reader finds out too, but only when it is its turn: until then nobody may be given this one.
            self.ending = self.ending or Ending(ABNORMAL, "the connection was lost")
            raise ConnectionLost("the connection was lost") from error

    def check(self) -> None:
        """ConnectionLost where the socket has ended."""
        if self.ending is not None:
            raise ConnectionLost(self.ending.reason)

    async def close(self) -> None:
        """Close properly."""
        await self._socket.close()
