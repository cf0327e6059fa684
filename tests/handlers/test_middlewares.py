"""What surrounds every request: ids, problems, limits, headers, CORS, compression."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from fittracker.app import build_app
from fittracker.clock import Clock
from fittracker.devmail import DevMails
from fittracker.mongo import Database
from handlers import middlewares
from tests.handlers.api import Api
from tests.handlers.conftest import ORIGIN
from tests.moving_clock import MovingClock


@pytest.fixture
async def small(settings: Settings, clock: MovingClock, database: Database, api: Api) -> AsyncIterator[Api]:
    """A server with tight limits behind one trusted proxy, beside the other on the same database."""
    tight = settings.with_changes(
        rest_rate=10, auth_rate=3, rest_body_bytes=2_000, trusted_proxies=_networks("127.0.0.1/32")
    )
    keys = [key async for key in api.contexts.redis.scan_iter("limit:*")]
    if keys:
        await api.contexts.redis.delete(*keys)
    async with TestClient(TestServer(build_app(tight, clock=clock))) as client:
        yield Api(client, clock, DevMails(database, clock))


def _networks(text: str) -> tuple[Any, ...]:
    import ipaddress

    return (ipaddress.ip_network(text),)


# -- problems ------------------------------------------------------------------------------------------


async def test_what_does_not_exist_is_a_problem_like_all_others(api: Api) -> None:
    """404 with our code and the id of the request."""
    answer = await api.call("GET", "/nothing/here")
    assert (answer.status, answer.code) == (404, "not_found")
    assert answer.data["request_id"] == answer.headers["X-Request-Id"]


async def test_a_wrong_method_says_which_ones_there_are(api: Api) -> None:
    """405 with Allow."""
    answer = await api.call("PUT", "/users/me")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert {"GET", "PATCH", "DELETE"} <= set(answer.headers["Allow"].split(","))


async def test_only_json_is_taken(api: Api) -> None:
    """415 for a form, for text, for nothing, and for another encoding."""
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json; charset=latin-1"):
        answer = await api.call("POST", "/auth/login", data=b"{}", headers={"Content-Type": kind})
        assert (answer.status, answer.code) == (415, "unsupported_media_type"), kind


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":"\\u0000"}',
        b'{"\\u0000":1}',
        b'{"a":["x",{"b":"\\ud800"}]}',
        b'{"a":"\xff"}',
        b'{"a":' + b"9" * 5_000 + b"}",
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    ],
    ids=lambda raw: repr(raw[:24]),
)
async def test_D2_json_that_readers_disagree_about_is_refused(api: Api, raw: bytes) -> None:
    """Never 500, and never taken for something."""
    headers = {"Content-Type": "application/json"}
    answer = await api.call("POST", "/auth/login", data=raw, headers=headers)
    assert (answer.status, answer.code) == (400, "bad_request")


async def test_D1_operators_in_fields_are_refused(api: Api) -> None:
    """A login with `{"$ne": null}` is no login."""
    for trick in ({"$ne": None}, {"$gt": ""}, ["a"], 1, True, None, {"a": {"b": 1}}):
        answer = await api.post("/auth/login", {"email": trick, "password": "x" * 12})
        assert (answer.status, answer.fields.keys()) == (422, {"email"}), trick
        answer = await api.post("/auth/login", {"email": "a@example.org", "password": trick})
        assert (answer.status, answer.fields.keys()) == (422, {"password"}), trick


async def test_D1_operators_in_queries_are_refused(api: Api) -> None:
    """Parameters nobody declared, one that is there twice, and one that is no number."""
    anna = await api.person()
    for query in (
        "a[$ne]=1",
        "limit[$gt]=1",
        "limit=1&limit=2",
        "limit=x",
        "limit=0",
        "limit=101",
        "cursor=",
    ):
        answer = await anna.get(f"/sessions?{query}")
        assert (answer.status, answer.code) == (422, "invalid"), query
    assert (await anna.get("/users/me?x=1")).status == 422
    assert (await anna.get("/sessions?cursor=1-2")).status == 400


async def test_an_unexpected_error_is_our_fault_and_tells_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 with an id to report, which is in the log with the trace; the server lives."""
    anna = await api.person()

    async def broken(_user: str) -> Any:
        raise RuntimeError("mongodb://user:secret@host said no")

    with structlog.testing.capture_logs() as logs:
        monkeypatch.setattr(api.contexts.users, "get", broken)
        answer = await anna.get("/users/me")
        monkeypatch.undo()
    assert (answer.status, answer.code) == (500, "internal")
    assert b"secret" not in answer.raw
    assert b"Traceback" not in answer.raw
    assert answer.data["request_id"] in answer.data["detail"]
    assert [each for each in logs if each["event"] == "request_failed"]
    assert await anna.is_signed_in()


# -- limits --------------------------------------------------------------------------------------------


async def test_too_many_requests_are_told_when_to_come_back(small: Api) -> None:
    """429 with Retry-After, and the limit in every answer before."""
    answers = [await small.call("GET", "/docs") for _ in range(12)]
    assert [answer.status for answer in answers] == [200] * 10 + [429] * 2
    assert answers[0].headers["RateLimit-Policy"] == '"address";q=10;w=60'
    assert answers[0].headers["RateLimit"].startswith('"address";r=9;')
    refused = answers[-1]
    assert refused.code == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 7
    assert 0 < refused.data["retry_after_ms"] <= 6_000


async def test_signing_in_has_a_tighter_limit_of_its_own(small: Api) -> None:
    """One password tried on many accounts from one address is stopped."""
    answers = [
        await small.post("/auth/login", {"email": f"x{n}@example.org", "password": "guess-guess-1"})
        for n in range(5)
    ]
    assert [answer.status for answer in answers] == [401] * 3 + [429] * 2
    assert answers[0].headers["RateLimit-Policy"] == '"auth";q=3;w=60'
    assert (await small.call("GET", "/docs")).status == 200


async def test_behind_our_proxy_everybody_has_a_limit_of_their_own(small: Api) -> None:
    """The address the trusted proxy saw counts."""
    for last in range(12):
        headers = {"X-Forwarded-For": f"203.0.113.{last}"}
        assert (await small.call("GET", "/docs", headers=headers)).status == 200


async def test_F3_inventing_addresses_does_not_help(small: Api) -> None:
    """What a caller writes in front of the proxy's own word is ignored."""
    statuses = []
    for last in range(12):
        headers = {"X-Forwarded-For": f"198.51.100.{last}, 203.0.113.99"}
        statuses.append((await small.call("GET", "/docs", headers=headers)).status)
    assert statuses == [200] * 10 + [429] * 2


async def test_F3_nobody_else_is_believed(api: Api) -> None:
    """Without a trusted proxy the header is nothing."""
    with structlog.testing.capture_logs() as logs:
        await api.call("GET", "/docs", headers={"X-Forwarded-For": "203.0.113.7"})
    assert [each["address"] for each in logs if each["event"] == "request"] == ["127.0.0.1"]


async def test_neighbours_of_one_ipv6_network_share_a_limit(small: Api) -> None:
    """Everybody has 2^64 addresses there."""
    statuses = []
    for last in range(12):
        headers = {"X-Forwarded-For": f"2001:db8:1:2::{last:x}"}
        statuses.append((await small.call("GET", "/docs", headers=headers)).status)
    assert statuses == [200] * 10 + [429] * 2


async def test_a_person_has_one_limit_on_all_their_devices(small: Api, api: Api) -> None:
    """Counted by the token's signature, before anything is asked of a database."""
    anna = await api.person()
    statuses = []
    for last in range(12):
        headers = {"X-Forwarded-For": f"203.0.113.{100 + last}"}
        statuses.append((await small.call("GET", "/users/me", anna.access, headers=headers)).status)
    assert statuses == [200] * 10 + [429] * 2


async def test_D6_a_body_over_the_limit_is_refused_before_it_is_read(small: Api) -> None:
    """By its Content-Length alone."""
    body = json.dumps({"email": "x@example.org", "password": "x" * 5_000})
    answer = await small.call("POST", "/auth/login", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (413, "too_large")


async def test_D6_a_body_that_hides_its_length_is_refused_as_well(small: Api) -> None:
    """Chunked, it is read up to the limit and no further."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b'"' + b"x" * 500

    headers = {"Content-Type": "application/json"}
    answer = await small.call("POST", "/auth/login", data=chunks(), headers=headers)
    assert (answer.status, answer.code) == (413, "too_large")


async def test_D6_who_asks_before_sending_need_not_send_what_is_too_large(small: Api) -> None:
    """`Expect: 100-continue` is answered with 413, or with a go-ahead; what is no such thing is ignored."""
    head = "POST /api/v1/auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for length, expectation, body, first in (
        (5_000, "100-continue", "", b"HTTP/1.1 413 "),
        (2, "100-continue", "", b"HTTP/1.1 100 Continue"),
        (2, "a-miracle", "{}", b"HTTP/1.1 422 "),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", small.client.port)
        asking = f"Content-Length: {length}\r\nExpect: {expectation}\r\n\r\n"
        writer.write((head + asking + body).encode())
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(first)
        writer.close()
        await writer.wait_closed()


async def test_D6_a_bomb_is_refused(small: Api) -> None:
    """A megabyte in a kilobyte of gzip."""
    import gzip

    bomb = gzip.compress(b'{"email":"' + b" " * 1_000_000 + b'"}')
    assert len(bomb) < 2_000
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = await small.call("POST", "/auth/login", data=bomb, headers=headers)
    assert (answer.status, answer.code) == (413, "too_large")


# -- headers -------------------------------------------------------------------------------------------


async def test_F1_every_answer_carries_the_protecting_headers(api: Api) -> None:
    """Good ones and refusals; no banner says what runs here."""
    anna = await api.person()
    answers = [await anna.get("/users/me"), await api.call("GET", "/users/me"), await api.call("GET", "/x")]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert "Server" not in answer.headers
    async with api.client.get("/health/live") as response:
        assert "Server" not in response.headers


async def test_F2_a_page_of_ours_may_call(api: Api) -> None:
    """Its origin is named, not a star; refusals can be read by it too."""
    anna = await api.person()
    for token, status in ((anna.access, 200), ("x", 401)):
        answer = await api.call("GET", "/users/me", token, headers={"Origin": ORIGIN})
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in answer.headers["Vary"]
        assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]


async def test_F2_a_preflight_allows_what_the_path_has(api: Api) -> None:
    """The method asked for, if there is one, with our headers."""
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type, if-match",
    }
    answer = await api.call("OPTIONS", "/users/me", headers=asked)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Methods"] == "PATCH"
    for wrong in ({"Access-Control-Request-Method": "PUT"}, {"Access-Control-Request-Headers": "x-evil"}):
        refused = await api.call("OPTIONS", "/users/me", headers=asked | wrong)
        assert (refused.status, refused.code) == (403, "forbidden")


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example.net",
        "http://app.example.org",
        f"{ORIGIN}.evil.net",
        "https://xapp.example.org",
    ],
)
async def test_F2_no_other_page_may_call(api: Api, origin: str) -> None:
    """Neither null, nor http, nor a prefix, nor a suffix."""
    answer = await api.call("GET", "/docs", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    assert (await api.call("OPTIONS", "/users/me", headers=asked)).status == 403


async def test_B12_a_token_in_the_address_is_no_token(api: Api) -> None:
    """Addresses are logged everywhere."""
    anna = await api.person()
    for name in ("token", "access_token", "authorization"):
        assert (await api.call("GET", f"/users/me?{name}={anna.access}")).status == 401


async def test_two_authorizations_are_none(api: Api) -> None:
    """Whoever sends two hopes that somebody else reads the other one."""
    anna = await api.person()
    headers = [("Authorization", f"Bearer {anna.access}"), ("Authorization", "Bearer x")]
    async with api.client.get("/api/v1/users/me", headers=headers) as response:
        assert response.status == 401


async def test_one_line_is_logged_for_a_request_and_no_secret(api: Api) -> None:
    """The pattern of the path, never its values; who; how long."""
    anna = await api.person()
    with structlog.testing.capture_logs() as logs:
        await anna.delete(f"/grants/{'a' * 24}", headers={"User-Agent": "evil\tagent"})
    line = next(each for each in logs if each["event"] == "request")
    assert (line["method"], line["route"], line["status"]) == ("DELETE", "/api/v1/grants/{id}", 404)
    assert line["user"] == anna.id
    assert anna.access not in str(logs)


async def test_long_answers_are_compressed_where_nothing_secret_is_in_them(api: Api) -> None:
    """A list of sessions; never an answer about signing in."""
    tina = await api.person("Tina", role="trainer")
    for number in range(15):
        assert (await tina.post("/sessions", {"title": f"Run {number}", "capacity": 5})).status == 201
    async with api.client.get(
        "/api/v1/sessions",
        headers={"Authorization": f"Bearer {tina.access}", "Accept-Encoding": "gzip"},
    ) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in ",".join(response.headers.getall("Vary"))
        assert len((await response.json())["items"]) == 15
    short = await tina.get("/sessions?limit=1", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in short.headers


def test_the_middlewares_stand_in_the_order_of_the_design() -> None:
    """Log and id outermost, then problems, so that whatever is inside is explained and logged."""
    names = [each.__name__ for each in middlewares.MIDDLEWARES]
    outer, inner = ["log_requests", "explain_problems", "limit"], ["identify", "compress"]
    order = [*outer, "note_denials", "keep_console", *inner]
    assert names == order
    assert isinstance(Clock(), Clock)
