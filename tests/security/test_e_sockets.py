"""The socket under attack: every line of E that needs more than a well-meaning peer.

E2, E3 and E5 stand with what they belong to, in tests/ws; E6 and E7 in tests/test_slow_reader.py, with a
process whose memory can be measured.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from itertools import repeat

import psutil
import pytest
from aiohttp import web

from config.settings import Settings
from fittracker.worker import runner_of
from tests.house import House, open_house
from tests.peer import connect
from tests.people import People
from tests.security.raw_socket import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    connected,
    frame,
    head,
    opened,
)
from ws.connection import REFUSALS_BEFORE_FLOOD
from ws.socket import MOST_BYTES

GROWTH = 4 * 1024 * 1024
ALLOWED = "https://app.example.org"


@pytest.fixture(scope="module")
async def house(settings: Settings) -> AsyncIterator[House]:
    """A running server that lets a test open as many sockets as it likes."""
    changed = settings.with_changes(ws_sockets_per_user=1_000, ws_sockets_per_address=1_000)
    async with open_house(changed) as house:
        yield house


@pytest.fixture(scope="module")
def people(house: House) -> People:
    """People whom it knows."""
    return house.people


# -- E1 ------------------------------------------------------------------------------------------------

TRICKS = {
    "no origin at all": "null",
    "empty": "",
    "foreign": "https://evil.example",
    "ours and more": ALLOWED + ".evil.example",
    "more and ours": "https://evilapp.example.org",
    "a host below ours": "https://x.app.example.org",
    "the host above ours": "https://example.org",
    "http": "http://app.example.org",
    "wss": "wss://app.example.org",
    "another port": ALLOWED + ":8443",
    "the usual port, said": ALLOWED + ":443",
    "capitals": "HTTPS://APP.EXAMPLE.ORG",
    "a dot at the end": ALLOWED + ".",
    "a slash at the end": ALLOWED + "/",
    "a user": "https://app.example.org@evil.example",
    "as a user": "https://evil.example@app.example.org",
    "a NUL, quoted": ALLOWED + "%00.evil.example",
    "a letter that looks alike": "https://аpp.example.org",
    "no scheme": "//app.example.org",
    "two in one": ALLOWED + ", https://evil.example",
    "two in one, by a space": ALLOWED + " https://evil.example",
    "everything": "*",
}


@pytest.mark.parametrize("origin", TRICKS.values(), ids=TRICKS)
async def test_E1_an_origin_that_is_not_exactly_ours_opens_nothing(
    house: House, people: People, origin: str
) -> None:
    """403 before the upgrade, with a token that is good, and nothing is kept of it."""
    token = ("Authorization", f"Bearer {(await people.athlete()).token}")
    before = len(house.realtime.hub.connections)
    async with connected(house.url) as raw:
        await raw.send(head(token, ("Origin", origin)))
        assert await raw.status() == 403
    assert len(house.realtime.hub.connections) == before


async def test_E1_two_origins_open_nothing_whichever_comes_first(house: House, people: People) -> None:
    """A proxy may read the first and a server the last."""
    token = ("Authorization", f"Bearer {(await people.athlete()).token}")
    good, bad = ("Origin", ALLOWED), ("Origin", "https://evil.example")
    for pair in ((good, bad), (bad, good), (good, good)):
        async with connected(house.url) as raw:
            await raw.send(head(token, *pair))
            assert await raw.status() == 403
    async with connected(house.url) as raw:
        await raw.send(head(token, good))
        assert await raw.status() == 101


# -- E4 ------------------------------------------------------------------------------------------------


async def test_E4_who_floods_costs_the_others_no_command(house: House, people: People) -> None:
    """While one socket sends thousands until it is closed, each command of another is answered."""
    eve, ada = await people.crowd(2)
    command = frame(TEXT, b'{"type":"ping","id":1}')
    async with opened(house.url, eve.token) as raw, connect(house.url, ada.token) as peer:
        flood = asyncio.create_task(raw.flood(repeat(command * 50, 400)))
        ending = asyncio.create_task(raw.ending())
        for _ in range(40):
            await peer.call("ping")
        code, kinds = await ending
        assert code == 4529
        assert kinds.count(TEXT) <= house.realtime.settings.ws_commands + REFUSALS_BEFORE_FLOOD
        await flood


@pytest.mark.parametrize("kind", [PING, PONG])
async def test_E4_pings_are_answered_at_the_rate_of_commands_and_a_flood_of_them_is_closed(
    house: House, people: People, kind: int
) -> None:
    """They have a limit of their own; commands between them are none of it, and are answered."""
    eve, ada = await people.crowd(2)
    limit = house.realtime.settings.ws_commands
    async with opened(house.url, eve.token) as raw, connect(house.url, ada.token) as peer:
        await raw.send(frame(kind, b"x" * 125) * (limit + 10))
        await raw.send(frame(TEXT, b'{"type":"ping","id":1}'))
        answers = 0
        while (await raw.next())[0] == PONG:
            answers += 1
        assert answers == (limit if kind == PING else 0)
        flood = asyncio.create_task(raw.flood(repeat(frame(kind) * 100, 200)))
        code, kinds = await raw.ending()
        assert (code, kinds) == (4529, [])
        await peer.call("ping")
        await flood


async def test_E4_who_pings_now_and_then_is_always_answered(house: House, people: People) -> None:
    """The window begins anew, for pings as for commands, and what was refused before is forgiven."""
    ada = await people.athlete()
    limits = house.realtime.settings
    async with opened(house.url, ada.token) as raw:
        connection = house.connection(ada.id)
        for _ in range(4):
            await raw.send(frame(PING) * (limits.ws_commands + REFUSALS_BEFORE_FLOOD // 2))
            await raw.send(frame(TEXT, b'{"type":"ping","id":1}'))
            kinds = []
            while (kind := (await raw.next())[0]) != TEXT:
                kinds.append(kind)
            assert kinds == [PONG] * limits.ws_commands
            for _ in range(2):  # a window of refusals, and one without
                connection.window -= limits.ws_commands_s + 1
                await raw.send(frame(PING, b"again"))
                assert await raw.next() == (PONG, b"again")
            connection.window -= limits.ws_commands_s + 1


# -- E8: frames ----------------------------------------------------------------------------------------


async def test_E8_fragments_that_never_end_and_hold_nothing_end_the_socket(
    house: House, people: People
) -> None:
    """No limit of size finds them: they are counted where they come in. Nothing grows, nobody waits."""
    eve, ada = await people.crowd(2)
    memory = psutil.Process().memory_info().rss
    async with opened(house.url, eve.token) as raw, connect(house.url, ada.token) as peer:
        await raw.send(frame(TEXT, b"{", last=False))
        empty = frame(CONTINUATION, last=False) * 1_000
        flood = asyncio.create_task(raw.flood(repeat(empty, 16 * MOST_BYTES // len(empty))))
        ending = asyncio.create_task(raw.ending())
        for _ in range(20):
            await peer.call("ping")
        assert await ending == (4500, [])
        assert await raw.gone()
        assert await flood < 16 * MOST_BYTES
    assert psutil.Process().memory_info().rss - memory < GROWTH


async def test_E8_pings_between_the_fragments_do_not_help(house: House, people: People) -> None:
    """They are messages, but not the one that never ends; one that is answered now and then is quiet."""
    eve = await people.athlete()
    async with opened(house.url, eve.token) as raw:
        connection = house.connection(eve.id)
        await raw.send(frame(TEXT, last=False))
        piece = frame(CONTINUATION, last=False) * 10_000 + frame(PONG, b"here I am")
        flood = asyncio.create_task(raw.flood(repeat(piece, 1_000)))
        assert await raw.ending() == (4500, [])
        assert connection.controls < house.realtime.settings.ws_commands
        await flood


async def test_E8_fragments_that_hold_something_end_at_the_largest_message(
    house: House, people: People
) -> None:
    """However small they are."""
    eve = await people.athlete()
    limit = house.realtime.settings.ws_frame_bytes
    async with opened(house.url, eve.token) as raw:
        single = frame(CONTINUATION, b"x", last=False)
        whole = frame(TEXT, b" ", last=False) + single * (limit - 24)
        await raw.send(whole.replace(b"x", b" ") + frame(CONTINUATION, b'{"type":"ping","id":77}'))
        assert b'"id":77' in (await raw.next())[1]
        await raw.flood([frame(TEXT, b"x", last=False), single * limit])
        assert await raw.ending() == (1009, [])


async def test_E8_a_message_of_single_bytes_is_a_message_and_a_hundred_of_them_are_no_flood(
    house: House, people: People
) -> None:
    """Who is slow and odd is served: what counts is what leads to no message."""
    ada = await people.athlete()
    async with opened(house.url, ada.token) as raw:
        connection = house.connection(ada.id)
        payload = b'{"type":"ping","id":5}' + b" " * 5_000
        first, *rest = (bytes([each]) for each in payload)
        message = frame(TEXT, first, last=False)
        message += b"".join(frame(CONTINUATION, each, last=False) for each in rest) + frame(CONTINUATION)
        for _ in range(3 * MOST_BYTES // len(message)):
            connection.commands = 0
            await raw.send(message)
            assert (await raw.next())[0] == TEXT


@pytest.mark.parametrize("size", [1, 7])
async def test_E8_a_frame_that_dribbles_in_is_read_and_one_that_stops_is_dropped(
    house: House, people: People, size: int
) -> None:
    """In the middle of a frame a peer cannot answer pings: after two of them it is gone."""
    ada = await people.athlete()
    async with opened(house.url, ada.token) as raw:
        connection = house.connection(ada.id)
        whole = frame(TEXT, b'{"type":"ping","id":9}')
        for start in range(0, len(whole), size):
            await raw.send(whole[start : start + size])
            await asyncio.sleep(0)
        assert b'"id":9' in (await raw.next())[1]
        await raw.send(whole[:-1])
        ping_s = house.realtime.settings.ws_ping_s
        assert connection.check(connection.heard + 2 * ping_s + 2) is None
        assert await raw.gone()


FAULTS = {
    "reserved bit 1": (frame(TEXT, b"{}", reserved=4), 1002),
    "reserved bit 2": (frame(TEXT, b"{}", reserved=2), 1002),
    "reserved bit 3": (frame(TEXT, b"{}", reserved=1), 1002),
    "a kind that is not defined": (frame(3, b"{}"), 1002),
    "a control frame that is not defined": (frame(11), 1002),
    "a ping in parts": (frame(PING, last=False), 1002),
    "a large ping": (frame(PING, b"x" * 126), 1002),
    "the end of nothing": (frame(CONTINUATION, b"x"), 1002),
    "one message inside another": (frame(TEXT, b"{", last=False) + frame(TEXT, b"}", last=False), 1002),
    "a message of 2^63 bytes": (b"\x81\xff" + (2**63).to_bytes(8, "big"), 1009),
    "a message of 2^63-1 bytes": (b"\x82\xff" + (2**63 - 1).to_bytes(8, "big"), 1009),
    "a message of one byte too many": (b"\x82\xff" + (65_537).to_bytes(8, "big"), 1009),
    "a close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "a close code that is none": (frame(CLOSE, (999).to_bytes(2, "big")), 1002),
    "a close that is no text": (frame(CLOSE, (1000).to_bytes(2, "big") + b"\xff\xfe"), 1007),
}


@pytest.mark.parametrize(("sent", "code"), FAULTS.values(), ids=FAULTS)
async def test_E8_a_frame_against_the_rules_ends_its_socket_alone(
    house: House, people: People, sent: bytes, code: int
) -> None:
    """With the code that the rules have for it, without a line of defect, and everybody else goes on."""
    eve, ada = await people.crowd(2)
    async with opened(house.url, eve.token) as raw, connect(house.url, ada.token) as peer:
        await raw.flood([sent])
        assert await raw.ending() == (code, [])
        await peer.call("ping")
        await raw.flood([frame(CLOSE, code.to_bytes(2, "big"))])
        assert await raw.gone()
    assert house.realtime.hub.of_user(eve.id) == ()


async def test_E8_a_peer_that_breaks_the_rules_and_reads_nothing_keeps_no_connection(
    house: House, people: People
) -> None:
    """What it has not read stays in a buffer of ours, which would wait for it for ever."""
    eve = await people.athlete()
    async with opened(house.url, eve.token, receive_buffer=4_096) as raw:
        connection = house.connection(eve.id)
        transport = connection.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        while transport.get_write_buffer_size() < 8_192:
            connection.tell("server.notice", {"text": "x" * 4_000})
            connection.flush()
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await raw.flood([frame(TEXT, b"{}", reserved=7)])
        async with asyncio.timeout(20):
            while transport.get_write_buffer_size():
                await asyncio.sleep(0.05)
        assert transport.is_closing()
    assert house.realtime.hub.of_user(eve.id) == ()


# -- E8: heads -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def worker(settings: Settings) -> AsyncIterator[str]:
    """The application as gunicorn's worker runs it, with little patience; where it listens."""
    runner = runner_of(settings.with_changes(keepalive_s=1.0))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def letters(text: bytes) -> Iterator[bytes]:
    """One at a time."""
    return (bytes([each]) for each in text)


HEADS = {
    "a header of 64 KiB": head(("X-Long", "x" * 65_536)),
    "a name of 64 KiB": head(("X" * 65_536, "long")),
    "an address of 64 KiB": head(path="/ws?ticket=" + "x" * 65_536),
    "five thousand headers": head(*((f"X-{number}", "x") for number in range(5_000))),
    "one header five thousand times": head(*[("Origin", "x")] * 5_000),
    "a megabyte of headers": head(*((f"X-{number}", "x" * 8_000) for number in range(125))),
}


@pytest.mark.parametrize("sent", HEADS.values(), ids=HEADS)
async def test_E8_a_head_without_measure_is_refused_and_the_connection_closed(
    worker: str, sent: bytes
) -> None:
    """Before it was read to its end; the next one is served."""
    async with connected(worker) as raw, connected(worker) as other:
        await raw.flood([sent])
        assert await raw.status() in {400, 431}
        assert await raw.gone()
        await other.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await other.status() == 200


@pytest.mark.parametrize("before", [b"", b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_E8_a_head_that_dribbles_in_has_as_long_as_an_idle_connection(
    worker: str, before: bytes
) -> None:
    """Also the second of a connection. Each byte does not give it more time."""
    async with connected(worker) as raw:
        if before:
            await raw.send(before)
            assert await raw.status() == 200
        began = asyncio.get_running_loop().time()

        async def dribble() -> None:
            for letter in letters(head(("X-Slow", "x" * 8_000))):
                await raw.send(letter)
                await asyncio.sleep(0.01)

        task = asyncio.create_task(dribble())
        assert await raw.gone()
        assert asyncio.get_running_loop().time() - began < 8
        with pytest.raises(ConnectionError):
            await task


async def test_E8_many_heads_that_dribble_in_cost_little(worker: str) -> None:
    """Two hundred at once, each with almost all that one may have: some kilobytes each, and gone together."""
    memory = psutil.Process().memory_info().rss

    async def one(leave: asyncio.Event) -> bool:
        async with connected(worker) as raw:
            await raw.send(b"GET /ws HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"x" * 8_000)
            gone = await raw.gone()
            await leave.wait()
            return gone

    leave = asyncio.Event()
    tasks = [asyncio.create_task(one(leave)) for _ in range(200)]
    await asyncio.sleep(0.5)
    grown = psutil.Process().memory_info().rss - memory
    leave.set()
    assert all(await asyncio.gather(*tasks))
    assert grown < 200 * 128 * 1024  # both ends of each connection are in this process
