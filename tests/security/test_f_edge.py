"""The edge and the logs: addresses that are invented count for nothing, and no text forges a line."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from fittracker.app import build_app
from fittracker.devmail import DevMails
from fittracker.mongo import Database
from fittracker.observability import configure_logs, logger
from fittracker.worker import runner_of
from tests.handlers.api import Api
from tests.moving_clock import MovingClock

# -- F1 ------------------------------------------------------------------------------------------------


async def test_F1_what_is_no_http_learns_no_version_and_leaves_no_stack_trace(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A problem like all others, and the connection ends: a NUL in a header, a length below 0, noise."""
    runner = runner_of(settings)
    await runner.setup()
    try:
        server = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for sent in (
            b"GET / HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
            writer.close()
            assert b" 400 " in head.split(b"\r\n")[0], head
            assert json.loads(body)["code"] == "bad_request"
            assert re.search(rb"(?i)^server: .*\d", head, re.MULTILINE) is None
        server.close()
        await server.wait_closed()
    finally:
        await runner.cleanup()
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


# -- F3 ------------------------------------------------------------------------------------------------


@pytest.fixture
async def narrow(
    settings: Settings, clock: MovingClock, database: Database, api: Api
) -> AsyncIterator[tuple[Api, Api]]:
    """Two servers that give an address 100 requests: one behind a proxy that is named, one behind none."""
    keys = [key async for key in api.contexts.redis.scan_iter("limit:*")]
    if keys:
        await api.contexts.redis.delete(*keys)
    alone = settings.with_changes(rest_rate=100, trusted_proxies=())
    behind = settings.with_changes(rest_rate=100, trusted_proxies=(ipaddress.ip_network("127.0.0.1/32"),))
    async with (
        TestClient(TestServer(build_app(alone, clock=clock))) as first,
        TestClient(TestServer(build_app(behind, clock=clock))) as second,
    ):
        mails = DevMails(database, clock)
        yield Api(first, clock, mails), Api(second, clock, mails)


def check_one_bucket(statuses: Counter[int], seconds: float) -> None:
    """100 of 500 pass, and those that the bucket of one caller has got back meanwhile: 100 a minute."""
    assert set(statuses) == {200, 429}
    assert 100 <= statuses[200] <= 101 + seconds * 100 / 60
    assert statuses.total() == 500


def invented(chance: random.Random) -> str:
    """A chain of addresses and of things that are none."""
    kinds = [
        str(ipaddress.IPv4Address(chance.getrandbits(32))),
        str(ipaddress.IPv6Address(chance.getrandbits(128))),
        "127.0.0.1",
        "unknown",
        f"{chance.getrandbits(16)}",
        "",
    ]
    return ", ".join(chance.choice(kinds) for _ in range(chance.randint(1, 4)))


async def test_F3_five_hundred_invented_addresses_are_one_caller(narrow: tuple[Api, Api]) -> None:
    """Without a proxy nothing of the header is believed: after 100 requests all are refused."""
    chance = random.Random(3)
    statuses: Counter[int] = Counter()
    began = time.monotonic()
    for _ in range(500):
        headers = {"X-Forwarded-For": invented(chance), "X-Real-IP": invented(chance)}
        headers["Forwarded"] = f"for={invented(chance)}"
        statuses[(await narrow[0].call("GET", "/docs", headers=headers)).status] += 1
    check_one_bucket(statuses, time.monotonic() - began)


async def test_F3_nor_do_they_help_in_front_of_what_our_proxy_says(narrow: tuple[Api, Api]) -> None:
    """Of the chain, only what the proxy that is named has added counts."""
    chance = random.Random(4)
    statuses: Counter[int] = Counter()
    began = time.monotonic()
    for _ in range(500):
        headers = {"X-Forwarded-For": f"{invented(chance)}, 203.0.113.5"}
        statuses[(await narrow[1].call("GET", "/docs", headers=headers)).status] += 1
    check_one_bucket(statuses, time.monotonic() - began)
    other = {"X-Forwarded-For": "203.0.113.6"}
    assert (await narrow[1].call("GET", "/docs", headers=other)).status == 200


# -- F5 ------------------------------------------------------------------------------------------------

FORGERIES = [
    'Eve\r\n{"event": "login_succeeded", "user": "admin"}',
    "Eve\n2026-11-24T00:00:00Z [info     ] login_succeeded",
    "Eve\r2026-11-24T00:00:00Z [info     ] login_succeeded",
    "\x1b[2J\x1b[1;1Hnothing happened here",
    "\x1b]0;title\x07\x9b31mred\x85next\u2028line\u2029paragraph\x0b\x0c\x1c",
    "\u202egnirts",
]


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    """Configuring logs is for a whole process; the other tests keep theirs."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.configure(**before)


@pytest.mark.usefixtures("logs_as_before")
@pytest.mark.parametrize("log_format", ["json", "pretty"])
@pytest.mark.parametrize("text", FORGERIES, ids=repr)
def test_F5_no_text_forges_a_line(text: str, log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As a value, in a list, in a library's message, as the event, as a key, in an exception."""
    configure_logs(log_format, "info")
    log = logger("a.module")
    log.info("hello", name=text)
    log.info("hello", names=[text, {"deep": text}])
    log.info(text)
    log.info("hello", **{text: 1})
    logging.getLogger("a.library").warning("no such header: %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("request_failed")
    written = capsys.readouterr().err
    assert all(each.isprintable() or each == "\n" for each in written), written
    lines = written.split("\n")[:-1]
    if log_format == "json":
        assert [json.loads(line)["level"] for line in lines] == ["info"] * 4 + ["warning", "error"]
    else:
        beginnings = [line for line in lines if not line.startswith("    ")]
        assert len(beginnings) == 6
        assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[\w+ *\] ", line) for line in beginnings)


async def test_F5_who_registers_with_such_a_name_is_refused_and_leaves_no_trace(api: Api) -> None:
    """Names are one printable line; and what a client calls itself is logged nowhere as it is."""
    with structlog.testing.capture_logs() as logs:
        for text in FORGERIES:
            person = api.stranger()
            body = {"email": person.email, "password": person.password, "name": text}
            assert (await api.post("/auth/register", body)).status == 422
    assert "Eve" not in str(logs)
    assert "\x1b" not in str(logs)
