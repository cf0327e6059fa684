"""What a socket of this worker holds, and what is left of it afterwards."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.http_parser import HttpRequestParser
from aiohttp.web_server import Server

from config.settings import Settings
from fittracker.worker import runner_of
from tests.fault_proxy import Cut, FaultProxy
from tests.peer import connect
from tests.people import People, open_people
from ws.endpoint import REALTIME
from ws.realtime import Realtime

LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="module")
async def server(settings: Settings) -> AsyncIterator[tuple[Realtime, int]]:
    """Run as in production, where a handler is not cancelled because its client is gone; and its port."""
    runner = runner_of(settings)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    (address,) = runner.addresses
    yield runner.app[REALTIME], address[1]
    await runner.cleanup()


@pytest.fixture(scope="module")
async def people(settings: Settings) -> AsyncIterator[People]:
    """Whom it knows."""
    async with open_people(settings) as people:
        yield people


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only what nobody refers to goes."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("way", [None, *Cut])
async def test_a_socket_that_is_gone_is_forgotten_without_the_collector(
    server: tuple[Realtime, int], people: People, no_collector: None, way: Cut | None
) -> None:
    """A herd that comes back again and again would fill the memory before the collector looks for it."""
    realtime, port = server
    ada = await people.athlete()
    async with FaultProxy((LOOPBACK, port)) as proxy, connect(proxy.url, ada.token) as peer:
        stream = str(uuid4())
        await peer.call("room.join", room=f"heart:{ada.id}")
        await peer.call("hr.open", stream=stream)
        await peer.call("hr.push", stream=stream, samples=[{"seq": 1, "t": 1_700_000_000_000, "bpm": 90}])
        (connection,) = map(weakref.ref, realtime.hub.of_user(ada.id))
        socket = weakref.ref(realtime.hub.of_user(ada.id)[0].socket)
        if way is None:
            await peer.close()
        else:
            await proxy.cut(way)
        await until(lambda: socket() is None)
    # The wheel knows of it until it would have looked at it again.
    realtime.wheel.advance(realtime.wheel.now + 60)
    await until(lambda: connection() is None)


async def test_nothing_of_the_upgrade_is_kept_once_it_is_done(
    server: tuple[Realtime, int], people: People
) -> None:
    """Its head, the token in it among the rest, and what aiohttp holds for HTTP and for compression."""
    realtime, port = server
    ada = await people.athlete()
    async with connect(f"http://{LOOPBACK}:{port}", ada.token) as peer:
        await peer.call("ping")
        (connection,) = realtime.hub.of_user(ada.id)
        holders: list[Any] = [connection.socket]
        seen: set[int] = set()
        while holders:
            each = holders.pop()
            if id(each) in seen or isinstance(each, (type, ModuleType, FunctionType)):
                continue
            seen.add(id(each))
            assert not (isinstance(each, str) and ada.token in each)
            assert not (isinstance(each, bytes) and ada.token.encode() in each)
            assert not isinstance(each, HttpRequestParser)
            if not isinstance(each, (Realtime, web.Application, Server)):
                holders += gc.get_referents(each)
        assert len(seen) > 50


async def until(true: Callable[[], bool]) -> None:
    """The server needs some turns of its loop to notice."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)
