"""The client: one person or device, signed in, with one connection that comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

import msgspec
from aiohttp import ClientSession

from fittracker.client import rest
from fittracker.client.backoff import Backoff
from fittracker.client.credentials import Credentials, Password, Token
from fittracker.client.errors import ClientError, CommandError, ConnectionLost
from fittracker.client.form import FormAnalysis
from fittracker.client.inbox import Inbox
from fittracker.client.lifeline import Lifeline
from fittracker.client.messages import (
    Codec,
    ConnectionChange,
    ErrorBody,
    Event,
    FormRep,
    Hello,
    HrAck,
    HrTaken,
    Member,
    RoomGap,
    RoomJoined,
    RoomLost,
    recovered,
)
from fittracker.client.standing import Standing
from fittracker.client.stream import Device, HeartStream
from fittracker.client.wire import Ending, Wire

BACKLOG = 10_000
UNHELD = 5_000


class Client:
    """A connection to a FitTracker server; use it with `async with`.

    `url` is the server's address (http, https, ws or wss). Sign in with `token` (an access or a device
    token), with `email` and `password` (and `totp`), or with `credentials` of your own.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        email: str | None = None,
        password: str | None = None,
        totp: str | None = None,
        credentials: Credentials | None = None,
        msgpack: bool = False,
        connect_timeout_s: float = 10.0,
        command_timeout_s: float = 30.0,
        backlog: int = BACKLOG,
        backoff: Backoff | None = None,
    ) -> None:
        """`backlog` is how many events are kept that nobody has taken; then the oldest goes first."""
        self._rest, self._address = rest.addresses(url)
        self._credentials = credentials or _credentials(token, email, password, totp)
        self._codec = Codec(msgpack=msgpack)
        self._connect_timeout_s = connect_timeout_s
        self._timeout_s = command_timeout_s
        self._backoff = backoff or Backoff()
        self._inbox = Inbox(backlog)
        self._standing = Standing()
        self._streams: dict[str, HeartStream] = {}
        self._analyses: list[FormAnalysis] = []
        self._http: ClientSession | None = None
        self._lifeline: Lifeline | None = None

    # -- life ----------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect; ConnectionLost where that takes too long, Disconnected or CommandError where refused."""
        self._http = ClientSession()
        lifeline = self._lifeline = Lifeline(
            self._http,
            self._rest,
            self._address,
            credentials=self._credentials,
            codec=self._codec,
            backoff=self._backoff,
            timeout_s=self._timeout_s,
            on_event=self._hear,
            on_refusal=self._refused,
            on_open=self._resume,
            on_lost=self._lost,
            on_end=self._ended,
        )
        lifeline.start()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await lifeline.wire()
        except TimeoutError:
            await self.close()
            raise ConnectionLost(f"no connection to {self._rest}: {lifeline.trouble}") from None
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Samples of open streams that are not acknowledged are given up."""
        for stream in tuple(self._streams.values()):
            stream.abandon()
        if self._lifeline is not None:
            await self._lifeline.close()
        if self._http is not None:
            await self._http.close()

    @property
    def hello(self) -> Hello:
        """Who the server takes us for; of the newest connection."""
        if self._line.hello is None:
            raise ConnectionLost("the client has not connected yet")
        return self._line.hello

    @property
    def user(self) -> str:
        """The id of whoever is signed in."""
        return self.hello.user

    @property
    def dropped(self) -> int:
        """How many events were lost because nobody took them."""
        return self._inbox.dropped

    @property
    def _line(self) -> Lifeline:
        if self._lifeline is None:
            raise ConnectionLost("use the client with `async with`")
        return self._lifeline

    # -- commands ------------------------------------------------------------------------------------

    async def call(self, command: str, /, **data: Any) -> dict[str, Any]:
        """Send any command of the protocol and wait for its result.

        Waits for a connection first. CommandError where the server refused it; ConnectionLost or
        TimeoutError where the outcome is unknown.
        """
        async with asyncio.timeout(self._timeout_s):
            wire = await self._line.wire()
        answer = await wire.call(command, data, self._timeout_s)
        self._standing.note(command, data, answer)
        return answer

    async def tell(self, command: str, /, **data: Any) -> None:
        """Send a command whose result is of no interest."""
        wire = await self._line.wire()
        await wire.tell(command, data)

    async def say(self, room: str, text: str, *, patience_s: float = 60.0, **data: Any) -> dict[str, Any]:
        """Say something in a room's chat; when this returns it is stored, in order, and there once.

        Where the outcome is unknown (the connection broke, the server was restarting) it is sent again, as
        the same message, until it is known. `data` are further fields of `chat.send`, such as `reply_to`.
        CommandError where the server refused it; TimeoutError after `patience_s`: then nobody knows.
        """
        return await self.surely("chat.send", room=room, text=text, patience_s=patience_s, **data)

    async def surely(self, command: str, /, *, patience_s: float = 60.0, **data: Any) -> dict[str, Any]:
        """Send a command that takes a `client_id` until its outcome is known; it is done once."""
        again = {"client_id": str(uuid4()), **data}
        pauses = replace(self._backoff, attempt=0)
        async with asyncio.timeout(patience_s):
            while True:
                try:
                    return await self.call(command, **again)
                except CommandError as error:
                    if not error.retry:
                        raise
                    pause = (error.retry_after_ms or 0) / 1000 or pauses.next_s()
                except (ConnectionLost, TimeoutError):
                    pause = pauses.next_s()
                await asyncio.sleep(pause)

    async def join(self, room: str) -> RoomJoined:
        """Enter a room; joined again by itself after a reconnect, from where it was left."""
        joined = msgspec.convert(await self.call("room.join", room=room), RoomJoined)
        for plain in joined.events:
            self._inbox.put(recovered(plain))
        return joined

    async def leave(self, room: str) -> None:
        """Leave a room."""
        await self.call("room.leave", room=room)

    async def members(self, room: str) -> list[Member]:
        """Who is in a room, the first hundred."""
        answer = await self.call("room.members", room=room)
        return msgspec.convert(answer["members"], list[Member])

    async def watch(self, user: str) -> None:
        """See an athlete's heart rate as `hr.update` events; also after a reconnect."""
        await self.call("hr.watch", user=user)

    async def unwatch(self, user: str) -> None:
        """Stop watching."""
        await self.call("hr.unwatch", user=user)

    async def ping(self) -> int:
        """The server's time, unix ms."""
        return int((await self.call("ping"))["t"])

    async def rest(self, method: str, path: str, **options: Any) -> Any:
        """A REST request as the same person: `await client.rest("GET", "/users/me")`.

        `options` are aiohttp's (json, params, data). CommandError for an error.
        """
        if self._http is None:
            raise ConnectionLost("use the client with `async with`")
        url = self._rest / "api/v1" / path.lstrip("/")
        token = await self._credentials.token(self._http, self._rest)
        try:
            return await rest.request(self._http, method, url, token=token, **options)
        except CommandError as error:
            if error.code != "unauthenticated":
                raise
            renewed = await self._credentials.renew(self._http, self._rest)
            if renewed is None:
                raise
            return await rest.request(self._http, method, url, token=renewed, **options)

    # -- heart rate ----------------------------------------------------------------------------------

    async def open_stream(
        self,
        *,
        stream: UUID | str | None = None,
        sport: str | None = None,
        session: str | None = None,
        device: Device | None = None,
        binary: bool = False,
        unacknowledged: int = UNHELD,
    ) -> HeartStream:
        """Begin to send heart rate, or go on with the stream of that id; see HeartStream.

        `session` is a coaching session whose members see it, `unacknowledged` how many samples are held
        before `push` waits.
        """
        opened = HeartStream(
            self._line,
            str(stream or uuid4()),
            sport=sport,
            session=session,
            device=device,
            binary=binary,
            bound=unacknowledged,
            timeout_s=self._timeout_s,
        )
        if opened.id in self._streams and not self._streams[opened.id].over:
            raise ValueError(f"the stream {opened.id} is open already")
        self._streams[opened.id] = opened
        await opened.start()
        return opened

    # -- form ----------------------------------------------------------------------------------------

    async def open_form(
        self,
        exercise: str,
        model: str,
        *,
        session: str | None = None,
        aspect: float | None = None,
        world: bool = False,
    ) -> FormAnalysis:
        """Begin to analyse an exercise from the points of a camera; see FormAnalysis and docs/form.md.

        `model` is mediapipe33 or coco17; `aspect` is width / height of the picture where the points are
        fractions of it; `world` says that they are metres in space.
        """
        opening: dict[str, Any] = {"exercise": exercise, "model": model}
        opening |= {"session": session} if session is not None else {}
        opening |= {"aspect": aspect} if aspect is not None else {}
        opening |= {"space": "world"} if world else {}
        opened = FormAnalysis(self._line, opening, self._timeout_s)
        await opened.start()
        self._analyses = [each for each in self._analyses if each.closed is None] + [opened]
        return opened

    # -- events --------------------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[Event]:
        """Every event that nobody else took, oldest first; raises Disconnected when no more can come."""
        while True:
            yield await self._inbox.take(lambda _event: True)

    async def expect(self, kind: str, /, *, timeout: float = 10.0, **fields: Any) -> Event:  # noqa: ASYNC109
        """The next event of this type whose payload has these values; others stay for later.

        It may have come already. `room` is looked for in the event itself where the payload has none.
        TimeoutError after so many seconds.
        """

        def wanted(event: Event) -> bool:
            return event.type == kind and all(
                event.get(name, event.room if name == "room" else None) == value
                for name, value in fields.items()
            )

        try:
            async with asyncio.timeout(timeout):
                return await self._inbox.take(wanted)
        except TimeoutError:
            came = ", ".join(self._inbox.kinds()) or "nothing else"
            raise TimeoutError(f"no {kind} with {fields} within {timeout:g} s; there is: {came}") from None

    def _hear(self, event: Event) -> None:
        match event.data:
            case HrAck(stream=name, seq=seq) if name in self._streams:
                self._streams[name].acknowledge(seq)
                return
            case HrTaken(stream=name) if name in self._streams:
                self._streams[name].taken()
            case FormRep() as rep:
                for analysis in self._analyses:
                    analysis.hear(rep)
        if self._standing.saw(event):
            self._inbox.put(event)

    def _refused(self, body: ErrorBody) -> None:
        """An error that names no command: what a binary frame carried was refused."""
        for stream in tuple(self._streams.values()):
            stream.refused(body)
        self._inbox.put(Event("error", msgspec.to_builtins(body)))

    # -- the connection comes and goes ---------------------------------------------------------------

    async def _resume(self, wire: Wire) -> None:
        """Enter the rooms again and watch the athletes again."""
        try:
            for command, data in self._standing.commands():
                await self._again(wire, command, data)
        except (ConnectionLost, TimeoutError):
            return  # the next connection begins anew
        self._inbox.put(Event("client.connected", ConnectionChange()))

    async def _again(self, wire: Wire, command: str, data: dict[str, Any]) -> None:
        while True:
            try:
                answer = await wire.call(command, data, self._timeout_s)
            except CommandError as error:
                if error.retry:
                    await asyncio.sleep((error.retry_after_ms or 1_000) / 1000)
                    continue
                room = self._standing.forget(command, data)
                self._inbox.put(Event("client.left", RoomLost(room, error.code)))
                return
            for plain in answer.get("events", ()):
                event = recovered(plain)
                if self._standing.saw(event):
                    self._inbox.put(event)
            self._standing.note(command, data, answer)
            if "since" in data and not answer.get("recovered", True):
                self._inbox.put(Event("client.gap", RoomGap(data["room"])))
            return

    def _lost(self, ending: Ending) -> None:
        self._inbox.put(Event("client.disconnected", ConnectionChange(ending.code, ending.reason)))
        for stream in tuple(self._streams.values()):
            stream.wake()

    def _ended(self, error: ClientError) -> None:
        self._inbox.end(error)
        for stream in tuple(self._streams.values()):
            stream.wake()


def _credentials(token: str | None, email: str | None, password: str | None, totp: str | None) -> Credentials:
    if token is not None:
        return Token(token)
    if email is not None and password is not None:
        return Password(email, password, totp)
    raise ValueError("give a token, or an e-mail address and a password")
