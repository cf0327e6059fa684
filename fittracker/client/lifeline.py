"""Keeps one connection alive: sign in, connect, heed how it ended, wait, and come back, or stay away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, WSServerHandshakeError
from yarl import URL

from fittracker.client.backoff import ABNORMAL, RESTART, Backoff, Verdict, verdict
from fittracker.client.bell import Bell
from fittracker.client.credentials import Credentials
from fittracker.client.errors import ClientError, CommandError, ConnectionLost, Disconnected
from fittracker.client.messages import AuthExpiring, Codec, Draining, ErrorBody, Event, Hello
from fittracker.client.rest import retry_after_ms
from fittracker.client.wire import Ending, Wire

HELLO_S = 10.0
PING_S = 20.0
"""A server that does not answer a ping within half of this is gone."""
_REFUSALS = MappingProxyType(
    {
        401: "the server does not accept this token",
        404: "there is no FitTracker server at this address",
        503: "the server is not ready",
    }
)


class Lifeline:
    """One connection after the other, until `close`, or until there is no use in coming back."""

    def __init__(
        self,
        http: ClientSession,
        rest: URL,
        address: URL,
        *,
        credentials: Credentials,
        codec: Codec,
        backoff: Backoff,
        timeout_s: float,
        on_event: Callable[[Event], None],
        on_refusal: Callable[[ErrorBody], None],
        on_open: Callable[[Wire], Awaitable[None]],
        on_lost: Callable[[Ending], None],
        on_end: Callable[[ClientError], None],
    ) -> None:
        """`on_open` may take its time: the connection is in use meanwhile. `on_end` is called last."""
        self._http = http
        self._rest = rest
        self._address = address
        self._credentials = credentials
        self._codec = codec
        self._backoff = backoff
        self._timeout_s = timeout_s
        self._on_event = on_event
        self._on_refusal = on_refusal
        self._on_open = on_open
        self._on_lost = on_lost
        self._on_end = on_end
        self._changed = Bell()
        self._current: Wire | None = None
        self._greeted: asyncio.Future[Hello] | None = None
        self._restart_ms: int | None = None
        self._signed_in_anew = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.hello: Hello | None = None
        self.end: ClientError | None = None
        self.trouble = "no connection yet"
        """Why there is no connection at the moment, for people."""

    def start(self) -> None:
        """Begin."""
        self._spawn(self._live())

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wire(self) -> Wire:
        """The connection, as soon as there is one; raises what ended it all where none will come."""
        while True:
            if self.end is not None:
                raise self.end
            if self._current is not None and self._current.ending is None:
                return self._current
            await self._changed.wait()

    async def close(self) -> None:
        """Close the connection for good."""
        self._finish(Disconnected(1000, "closed by this client"))
        if self._current is not None:
            await self._current.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _finish(self, error: ClientError) -> None:
        if self.end is None:
            self.end = error
            self._changed.ring()
            self._on_end(error)

    # -- one connection after the other --------------------------------------------------------------

    async def _live(self) -> None:
        try:
            while True:
                ending = await self._one_connection()
                self.trouble = ending.reason
                await self._heed(ending)
        except ClientError as error:
            self._finish(error)

    async def _one_connection(self) -> Ending:
        """Connect and stay until it ends; how it ended."""
        self._restart_ms = None
        try:
            token = await self._credentials.token(self._http, self._rest)
            wire = await self._connect(token)
        except WSServerHandshakeError as error:
            wait = retry_after_ms(error.headers.get("Retry-After", "") if error.headers else "")
            return Ending(
                error.status, _REFUSALS.get(error.status, "the server refused the connection"), wait
            )
        except CommandError as error:
            return _come_back_later(error)
        except (ClientConnectionError, ConnectionLost, TimeoutError) as error:
            return Ending(ABNORMAL, str(error) or "the server does not answer")
        began = asyncio.get_running_loop().time()
        ending = await self._use(wire)
        self._current = None
        self._backoff.lasted(asyncio.get_running_loop().time() - began)
        self._on_lost(ending)
        return ending

    async def _use(self, wire: Wire) -> Ending:
        """Let everybody use the connection once the server has said hello; how it ended."""
        assert self._greeted is not None
        reading = asyncio.ensure_future(wire.read())
        try:
            either: set[asyncio.Future[Any]] = {self._greeted, reading}
            await asyncio.wait(either, timeout=HELLO_S, return_when=asyncio.FIRST_COMPLETED)
            if self._greeted.done():
                self.hello = self._greeted.result()
                self._signed_in_anew = False
                self._current = wire
                self._changed.ring()
                self._spawn(self._on_open(wire))
            elif not reading.done():
                await wire.close()
            return await reading
        finally:
            reading.cancel()

    async def _connect(self, token: str) -> Wire:
        self._greeted = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(HELLO_S):
            socket = await self._http.ws_connect(
                self._address,
                protocols=(self._codec.subprotocol,),
                headers={"Authorization": f"Bearer {token}"},
                heartbeat=PING_S,
                max_msg_size=0,
            )
        return Wire(socket, self._codec, self._hear, self._on_refusal)

    # -- after it ended ------------------------------------------------------------------------------

    async def _heed(self, ending: Ending) -> None:
        """Do what the ending asks: wait, sign in again first, or raise because we stay away."""
        match verdict(ending.code):
            case Verdict.STAY_AWAY:
                raise Disconnected(ending.code, ending.reason)
            case Verdict.SIGN_IN_FIRST:
                await self._sign_in_again(ending)
            case Verdict.COME_BACK:
                await asyncio.sleep(self._pause_s(ending))

    def _pause_s(self, ending: Ending) -> float:
        if ending.code == RESTART and self._restart_ms is not None:
            return self._restart_ms / 1000
        return max(self._backoff.next_s(), (ending.retry_after_ms or 0) / 1000)

    async def _sign_in_again(self, ending: Ending) -> None:
        if self._signed_in_anew:
            # The token is new, and refused all the same: trying a third one is no use.
            raise Disconnected(ending.code, ending.reason)
        try:
            token = await self._credentials.renew(self._http, self._rest)
        except CommandError as error:
            later = _come_back_later(error)
            await asyncio.sleep(self._pause_s(later))
        except ConnectionLost as error:
            await asyncio.sleep(self._pause_s(Ending(ABNORMAL, str(error))))
        else:
            if token is None:
                raise Disconnected(ending.code, ending.reason)
            self._signed_in_anew = True

    # -- what the server says about the connection itself --------------------------------------------

    def _hear(self, event: Event) -> None:
        match event.data:
            case Hello() if self._greeted is not None and not self._greeted.done():
                self._greeted.set_result(event.data)
            case Draining(retry_after_ms=wait):
                self._restart_ms = wait
            case AuthExpiring():
                self._spawn(self._renew_in_band())
        self._on_event(event)

    async def _renew_in_band(self) -> None:
        """Present a fresh token on the open socket; where that fails the server closes with 4009."""
        # It did not work out: the close code that follows leads to a fresh sign-in.
        with contextlib.suppress(ClientError, TimeoutError):
            token = await self._credentials.renew(self._http, self._rest)
            if token is not None:
                wire = await self.wire()
                await wire.call("auth", {"token": token}, self._timeout_s)


def _come_back_later(error: CommandError) -> Ending:
    """How signing in failed, where trying again may help; raises the error where it will not."""
    if not error.retry:
        raise error
    return Ending(503, str(error), error.retry_after_ms)
