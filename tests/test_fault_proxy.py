"""The faulty proxy itself: a test that stands on it must know that its faults happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.fault_proxy import Cut, FaultProxy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """A server that says everything twice: once to who said it, once to us."""

    def __init__(self) -> None:
        self.heard = b""
        self.endings: asyncio.Queue[str] = asyncio.Queue()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the peer ends, or is cut off."""
        try:
            while data := await reader.read(65_536):
                self.heard += data
                writer.write(data)
            self.endings.put_nowait("finished")
        except ConnectionError:
            self.endings.put_nowait("reset")
        finally:
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    """One that listens."""
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    try:
        yield echo
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def through(proxy: FaultProxy) -> AsyncIterator[Streams]:
    """A connection through the proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def everything(reader: asyncio.StreamReader) -> tuple[bytes, Cut]:
    """All that comes until the connection ends, and how it ends."""
    received = b""
    try:
        async with asyncio.timeout(10):
            while data := await reader.read(65_536):
                received += data
    except ConnectionResetError:
        return received, Cut.RESET
    return received, Cut.FINISH


async def test_without_faults_everything_arrives_and_so_does_the_end(echo: Echo) -> None:
    """Half a megabyte there and back; the end of one direction leaves the other open."""
    data = bytes(range(256)) * 2_000
    async with FaultProxy(("127.0.0.1", echo.port)) as proxy, through(proxy) as (reader, writer):
        writer.write(data)
        writer.write_eof()
        assert await everything(reader) == (data, Cut.FINISH)
        assert (await echo.endings.get(), echo.heard) == ("finished", data)


@pytest.mark.parametrize(("how", "ending"), [(Cut.RESET, "reset"), (Cut.FINISH, "finished")])
async def test_a_cut_is_felt_at_both_ends(echo: Echo, how: Cut, ending: str) -> None:
    """As the death of a machine, or as the end of a process."""
    async with FaultProxy(("127.0.0.1", echo.port)) as proxy, through(proxy) as (reader, writer):
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        assert await proxy.cut(how) == 1
        assert await everything(reader) == (b"", how)
        async with asyncio.timeout(10):
            assert await echo.endings.get() == ending
        assert (proxy.open, proxy.cuts) == (0, 1)


async def test_a_stalled_proxy_accepts_and_delivers_later(echo: Echo) -> None:
    """What a network does that drops packets for a while: nothing is lost, nothing arrives."""
    async with FaultProxy(("127.0.0.1", echo.port)) as proxy:
        proxy.stall()
        async with through(proxy) as (reader, writer):
            writer.write(b"later")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.2)
            assert echo.heard == b""
            proxy.flow()
            assert await asyncio.wait_for(reader.readexactly(5), 10) == b"later"


async def test_one_who_does_not_listen_is_still_heard(echo: Echo) -> None:
    """Only the answers wait."""
    async with FaultProxy(("127.0.0.1", echo.port)) as proxy, through(proxy) as (reader, writer):
        proxy.stall(answers_only=True)
        writer.write(b"heard")
        async with asyncio.timeout(10):
            while echo.heard != b"heard":
                await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        proxy.flow()
        assert await asyncio.wait_for(reader.readexactly(5), 10) == b"heard"


async def test_a_delay_holds_every_piece_back(echo: Echo) -> None:
    """Once on the way there, once on the way back."""
    loop = asyncio.get_running_loop()
    async with FaultProxy(("127.0.0.1", echo.port)) as proxy, through(proxy) as (reader, writer):
        proxy.delay_s = 0.1
        began = loop.time()
        writer.write(b"x")
        await reader.readexactly(1)
        assert loop.time() - began >= 0.2


async def test_a_throttle_passes_no_more_than_it_should(echo: Echo) -> None:
    """Ten kilobytes at forty a second take a quarter of a second."""
    loop = asyncio.get_running_loop()
    async with FaultProxy(("127.0.0.1", echo.port)) as proxy, through(proxy) as (reader, writer):
        proxy.bytes_per_s = 40_000
        began = loop.time()
        writer.write(bytes(10_000))
        await reader.readexactly(10_000)
        assert loop.time() - began >= 0.25


async def test_the_seed_decides_when_and_how_a_connection_breaks() -> None:
    """The same seed the same fates, another seed others."""
    one = FaultProxy(("127.0.0.1", 1), seed=1)
    same = FaultProxy(("127.0.0.1", 1), seed=1)
    other = FaultProxy(("127.0.0.1", 1), seed=2)
    for proxy in (one, same, other):
        proxy.mean_life = 5_000
        proxy._listener.close()
    fates = [one.fate(number) for number in range(50)]
    assert fates == [same.fate(number) for number in range(50)]
    assert fates != [other.fate(number) for number in range(50)]
    assert {fate.how for fate in fates} == set(Cut)
    lengths = [fate.bytes or 0 for fate in fates]
    assert 2_500 < sum(lengths) / len(lengths) < 10_000


async def test_the_seed_decides_where_a_connection_goes(echo: Echo) -> None:
    """Behind one address, as behind a load balancer."""
    targets = (("127.0.0.1", echo.port), ("127.0.0.1", 1))
    async with FaultProxy(*targets, seed=5) as proxy:
        for number in range(10):
            async with through(proxy) as (reader, writer):
                writer.write(b"x")
                writer.write_eof()
                received, _ = await everything(reader)
            assert received == (b"x" if proxy.fate(number).target == targets[0] else b"")
        assert {proxy.fate(number).target for number in range(10)} == set(targets)


async def test_a_connection_breaks_at_its_byte(echo: Echo) -> None:
    """Not one more comes through, in the middle of a message or not."""
    async with FaultProxy(("127.0.0.1", echo.port), seed=3) as proxy:
        proxy.mean_life = 2_000
        limit = proxy.fate(0).bytes
        assert limit is not None
        async with through(proxy) as (reader, writer):
            writer.write(bytes(50_000))
            received, _ = await everything(reader)
        async with asyncio.timeout(10):
            await echo.endings.get()
        assert len(echo.heard) + len(received) <= limit
        assert (proxy.cuts, proxy.open) == (1, 0)


async def test_where_nobody_listens_the_connection_is_reset() -> None:
    """As it would be without the proxy."""
    async with FaultProxy(("127.0.0.1", 1)) as proxy, through(proxy) as (reader, _):
        assert await everything(reader) == (b"", Cut.RESET)


async def test_its_end_cuts_what_is_open_and_frees_the_port(echo: Echo) -> None:
    """Nothing of it is left."""
    async with FaultProxy(("127.0.0.1", echo.port)) as proxy:
        port = proxy.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x")
        await reader.readexactly(1)
    assert (await everything(reader))[1] is Cut.RESET
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
