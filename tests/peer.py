"""One end of a `/ws`, spoken to frame by frame: for tests of the protocol itself.

It reads only when asked to, answers pings only while it reads, and knows nothing of reconnecting; for a
client that does, see `fittracker.client`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from tests.declared import check_event

PATIENCE_S = 15.0
JSON, MSGPACK = "fittracker.v1.json", "fittracker.v1.msgpack"
Frame = dict[str, Any]


class Refused(Exception):  # noqa: N818  it reads as what happened
    """The server answered a command with an error; `error` is its body."""

    def __init__(self, error: Frame) -> None:
        super().__init__(f"{error['code']}: {error.get('detail')}")
        self.error = error
        self.code: str = error["code"]


class Ended(Exception):  # noqa: N818  it reads as what happened
    """The socket was closed while something else was expected."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"closed with {code} {reason}")
        self.code = code
        self.reason = reason


class Peer:
    """A socket, and the frames that came and were not asked for yet."""

    def __init__(self, socket: ClientWebSocketResponse[bool]) -> None:
        self.socket = socket
        self.backlog: deque[Frame] = deque()
        self._msgpack = socket.protocol == MSGPACK
        self._last = 0

    # -- out -----------------------------------------------------------------------------------------

    async def send(self, kind: str, data: Any = None, *, id: int | None = None) -> None:  # noqa: A002
        """A command; without an id there is no answer."""
        frame = {"type": kind, "data": {} if data is None else data, **({"id": id} if id else {})}
        await self.send_payload(
            msgspec.msgpack.encode(frame) if self._msgpack else msgspec.json.encode(frame)
        )

    async def send_payload(self, payload: bytes) -> None:
        """Any bytes, in the kind of frame that the subprotocol uses."""
        await self.socket.send_frame(payload, WSMsgType.BINARY if self._msgpack else WSMsgType.TEXT)

    async def send_binary(self, payload: bytes) -> None:
        """A binary frame."""
        await self.socket.send_bytes(payload)

    # -- in ------------------------------------------------------------------------------------------

    async def read(self) -> Frame:
        """The next frame off the wire; Ended where there is none any more."""
        message: Any = await self.socket.receive(timeout=PATIENCE_S)
        if message.type is WSMsgType.BINARY:
            return check_event(msgspec.msgpack.decode(message.data))
        if message.type is WSMsgType.TEXT:
            return check_event(msgspec.json.decode(message.data))
        # aiohttp says 1006 of a socket whose server has gone before our answer to its close frame was out.
        code = message.data if message.type is WSMsgType.CLOSE else self.socket.close_code
        raise Ended(code, str(message.extra or ""))

    async def next(self) -> Frame:
        """The next frame that nobody has taken."""
        return self.backlog.popleft() if self.backlog else await self.read()

    async def answer(self, number: int) -> Frame:
        """The result of the command with this id; Refused for its error."""
        frame = await self._take(lambda each: "id" in each and each["id"] == number)
        if frame["type"] == "error":
            raise Refused(frame["error"])
        result: Frame = frame["data"]
        return result

    async def call(self, kind: str, /, **data: Any) -> Frame:
        """Send a command and wait for its result; Refused for its error."""
        self._last += 1
        number = self._last
        await self.send(kind, data, id=number)
        return await self.answer(number)

    async def refused(self, kind: str, /, **data: Any) -> Frame:
        """Send a command that must fail; the body of the error."""
        try:
            result = await self.call(kind, **data)
        except Refused as refusal:
            return refusal.error
        raise AssertionError(f"{kind} was not refused but answered with {result}")

    async def error(self) -> Frame:
        """The body of the next error that names no command."""
        frame = await self._take(lambda each: each["type"] == "error" and each["id"] is None)
        body: Frame = frame["error"]
        return body

    async def expect(self, kind: str, /, **fields: Any) -> Frame:
        """The data of the next event of this type whose data (or the event itself) has these values."""
        event = await self.event(kind, **fields)
        data: Frame = event["data"]
        return data

    async def event(self, kind: str, /, **fields: Any) -> Frame:
        """The same, whole."""

        def wanted(each: Frame) -> bool:
            return each["type"] == kind and all(
                each.get("data", {}).get(name, each.get(name)) == value for name, value in fields.items()
            )

        return await self._take(wanted)

    async def _take(self, wanted: Any) -> Frame:
        for place, frame in enumerate(self.backlog):
            if wanted(frame):
                del self.backlog[place]
                return frame
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    frame = await self.read()
                    if wanted(frame):
                        return frame
                    self.backlog.append(frame)
        except TimeoutError:
            raise AssertionError(f"it did not come; there is {list(self.backlog)}") from None

    async def settle(self) -> list[Frame]:
        """Everything that came before the answer to a ping of ours; it is taken."""
        await self.call("ping")
        came = list(self.backlog)
        self.backlog.clear()
        return came

    async def ending(self) -> int | None:
        """Read until the server closes; the close code (1006 where it just broke off)."""
        try:
            while True:
                self.backlog.append(await self.read())
        except Ended as end:
            return end.code

    async def close(self) -> None:
        """Close properly."""
        await self.socket.close()


@asynccontextmanager
async def connect(
    url: str,
    token: str | None = None,
    *,
    ticket: str | None = None,
    protocols: tuple[str, ...] = (JSON,),
    headers: dict[str, str] | None = None,
    greet: bool = True,
    autoping: bool = True,
) -> AsyncIterator[Peer]:
    """A socket that is open; with `greet` the hello was read (it is in `peer.backlog` no more)."""
    query = f"?ticket={ticket}" if ticket is not None else ""
    bearer = {"Authorization": f"Bearer {token}"} if token is not None else {}
    async with (
        ClientSession() as http,
        http.ws_connect(
            f"{url}/ws{query}",
            protocols=protocols,
            headers={**bearer, **(headers or {})},
            autoping=autoping,
            max_msg_size=0,
        ) as socket,
    ):
        peer = Peer(socket)
        if greet and (token or ticket):
            await peer.expect("hello")
        yield peer
