"""One raw connection to Redis: the greeting, commands and replies, and every way it does not work out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from ws import link as module
from ws.link import Link, LinkLost, open_link, pack


class Replies:
    """What came back, in order."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    async def next(self) -> Any:
        """The next one."""
        return await asyncio.wait_for(self.queue.get(), 10)


@asynccontextmanager
async def linked(url: str, name: str = "test") -> AsyncIterator[tuple[Link, Replies]]:
    """A link, and what it receives."""
    replies = Replies()
    link = await open_link(url, replies.queue.put_nowait, name=name)
    try:
        yield link, replies
    finally:
        link.abort()
        await link.lost


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def impostor(talk: Talk) -> AsyncIterator[str]:
    """A server that is no Redis; its URL. Whoever is connected at the end is cut off."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await talk(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


def test_a_command_is_an_array_of_bulk_strings() -> None:
    """RESP2; sizes count bytes."""
    assert pack((b"SET", b"k", "é".encode())) == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\xc3\xa9\r\n"


async def test_commands_are_answered_in_order(redis_url: str) -> None:
    """Also a hundred thousand bytes, which come in several pieces, and an error."""
    async with linked(redis_url) as (link, replies):
        large = b"x" * 100_000
        for command in ((b"SET", b"link", large), (b"GET", b"link"), (b"NONSENSE",), (b"PING",)):
            link.send(pack(command))
        assert await replies.next() == b"OK"
        assert await replies.next() == large
        assert isinstance(await replies.next(), Exception)
        assert await replies.next() == b"PONG"
        assert link.connected
        assert link.backlog == 0


async def test_all_commands_of_a_loop_turn_leave_in_one_write(redis_url: str) -> None:
    """That is what makes publishing cheap."""
    async with linked(redis_url) as (link, replies):
        written: list[int] = []
        transport: Any = link._transport

        class Counting:
            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

            def write(self, data: bytes) -> None:
                written.append(len(data))
                transport.write(data)

        link._transport = Counting()  # type: ignore[assignment]
        for _ in range(50):
            link.send(pack((b"PING",)))
        for _ in range(50):
            await replies.next()
        assert len(written) == 1


async def test_the_connection_says_its_name(redis_url: str) -> None:
    """So that whoever looks at CLIENT LIST knows which is which."""
    async with (
        linked(redis_url, "fittracker-sub-0"),
        Redis.from_url(redis_url, decode_responses=True) as redis,
    ):
        assert "fittracker-sub-0" in {client["name"] for client in await redis.client_list()}


async def test_the_number_of_the_database_is_heeded(redis_url: str) -> None:
    """What is stored in one is not seen in another."""
    other = redis_url.removesuffix("/0") + "/3"
    async with linked(redis_url) as (link, replies), linked(other) as (elsewhere, theirs):
        link.send(pack((b"SET", b"here", b"1")))
        await replies.next()
        elsewhere.send(pack((b"GET", b"here")))
        assert await theirs.next() is None


async def test_a_wrong_password_is_a_lost_link(redis_url: str) -> None:
    """With what Redis says of it, and without the password."""
    scheme, _, rest = redis_url.partition("//")
    wrong = f"{scheme}//:wrong-password@{rest.partition('@')[2]}"
    with pytest.raises(LinkLost, match="Redis refused AUTH") as refused:
        await open_link(wrong, lambda _: None, name="test")
    assert "wrong-password" not in str(refused.value)


async def test_where_nobody_listens_the_link_is_lost() -> None:
    """At once, and not after some seconds."""
    async with asyncio.timeout(2):
        with pytest.raises(LinkLost):
            await open_link("redis://127.0.0.1:1/0", lambda _: None, name="test")


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A paused one: it takes connections and does not answer. The connection is let go of."""
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(100):
                pass
        except ConnectionError:
            pass
        ended.set()

    monkeypatch.setattr(module, "CONNECT_S", 0.2)
    async with impostor(silent) as url:
        with pytest.raises(LinkLost):
            await open_link(url, lambda _: None, name="test")
        await asyncio.wait_for(ended.wait(), 10)


async def test_who_is_told_to_stop_connecting_leaves_no_connection_behind() -> None:
    """A worker that ends while Redis is coming back: an open socket would keep its loop from closing."""
    asked, ended = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(100)
        asked.set()
        try:
            while await reader.read(100):
                pass
        except ConnectionError:
            pass
        ended.set()

    async with impostor(silent) as url:
        opening = asyncio.create_task(open_link(url, lambda _: None, name="test"))
        await asyncio.wait_for(asked.wait(), 10)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await asyncio.wait_for(ended.wait(), 10)


async def test_a_server_that_hangs_up_is_noticed(redis_url: str) -> None:
    """`lost` is done; what is sent then goes nowhere, quietly."""
    async with linked(redis_url, "to-be-cut") as (link, _), Redis.from_url(redis_url) as redis:
        for client in await redis.client_list():
            if client["name"] == "to-be-cut":
                await redis.client_kill_filter(_id=client["id"])
        await asyncio.wait_for(asyncio.shield(link.lost), 10)
        assert not link.connected
        assert link.backlog == 0
        link.send(pack((b"PING",)))
        await asyncio.sleep(0)
        link.abort()


async def test_what_is_no_resp_ends_the_link() -> None:
    """Rather that than guessing where the next reply begins."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.write(b"+OK\r\n+PONG\r\nHTTP/1.1 400 Bad Request\r\n")
        await reader.read(1_000)

    async with impostor(babble) as url:
        loop = asyncio.get_running_loop()
        complaints: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        try:
            link = await open_link(url, lambda _: None, name="test")
            await asyncio.wait_for(asyncio.shield(link.lost), 10)
        finally:
            loop.set_exception_handler(None)
        assert not link.connected
