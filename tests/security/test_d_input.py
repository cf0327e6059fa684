"""Input: whatever is sent in the place of a text is refused, everywhere, and what is refused has no effect.

Routes, bodies and parameters are those of the route table: a new route is tried by being there.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fittracker.errors import Failure
from fittracker.mail import Stationery
from handlers.routes import Route
from tests.handlers.api import PASSWORD, Api, Person
from tests.handlers.test_nasty_input import GOOD, TABLE, WITH_BODY, WITH_ID, name, somewhere
from tests.security.operators import OPERATORS, no_texts, texts

CHANGING = [each for each in TABLE if each.method != "GET"]
WITH_QUERY = [each for each in TABLE if each.query is not None]
REFUSED = {400, 401, 403, 404, 409, 412, 415, 422}
bounded = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
async def callers(api: Api) -> dict[str, Person]:
    """Somebody of each role, signed in."""
    found = {role: await api.person("Tina", role=role) for role in ("user", "trainer")}
    admin = await api.person("Ada")
    await api.contexts.database.users.update_one({"_id": admin.id}, {"$set": {"role": "admin"}})
    await admin.sign_in()
    return found | {"admin": admin}


def caller(route: Route, callers: dict[str, Person]) -> Person:
    """Somebody whom its policy lets in."""
    return callers[min(route.policy.roles or {"user"})]


def sent(route: Route) -> dict[str, Any]:
    """A good body, as options of a request."""
    if route.upload is not None:
        return {"data": b"x", "headers": {"Content-Type": min(route.upload.types)}}
    return {"json": GOOD[name(route)]} if route.body else {}


async def state(api: Api) -> dict[str, Any]:
    """How many documents there are of what people own, and everybody's role."""
    database = api.contexts.database
    counts = {each: await database[each].count_documents({}) for each in ("users", "grants", "sessions")}
    admins = await database.users.count_documents({"role": "admin"})
    return counts | {
        "admins": admins,
        "verified": await database.users.count_documents({"verified_at": None}),
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the texts of a body are."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in items:
            yield from places(each, (*path, key))


def swapped(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The same with something else at this place."""
    if not path:
        return other
    items = value.items() if isinstance(value, dict) else enumerate(value)
    changed = {key: swapped(each, path[1:], other) if key == path[0] else each for key, each in items}
    return changed if isinstance(value, dict) else list(changed.values())


# -- D1 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [each for each in WITH_BODY if list(places(GOOD[name(each)]))], ids=name)
@bounded
@given(data=st.data())
async def test_D1_no_operator_in_the_place_of_a_text(
    api: Api, callers: dict[str, Person], each: Route, data: st.DataObject
) -> None:
    """In every text of every body, at every depth: 422, and nothing has happened."""
    good = GOOD[name(each)]
    place = data.draw(st.sampled_from(sorted(places(good), key=repr)))
    body = swapped(good, place, data.draw(no_texts))
    before = await state(api)
    answer = await api.call(each.method, somewhere(each), caller(each, callers).access, json=body)
    assert answer.status == 422, body
    assert await state(api) == before


@pytest.mark.parametrize("each", [each for each in WITH_BODY if list(places(GOOD[name(each)]))], ids=name)
@bounded
@given(data=st.data())
async def test_D1_a_text_that_looks_like_an_operator_is_a_text(
    api: Api, callers: dict[str, Person], each: Route, data: st.DataObject
) -> None:
    """Refused for what it is, or kept as it is; it finds nobody, and nobody becomes anything."""
    good = GOOD[name(each)]
    place = data.draw(st.sampled_from(sorted(places(good), key=repr)))
    body = swapped(good, place, data.draw(texts))
    before = await api.contexts.database.users.count_documents({"role": "admin"})
    answer = await api.call(each.method, somewhere(each), caller(each, callers).access, json=body)
    assert answer.status in {each.status, *REFUSED}, body
    assert await api.contexts.database.users.count_documents({"role": "admin"}) == before


@pytest.mark.parametrize("each", TABLE, ids=name)
@bounded
@given(operator=st.sampled_from(OPERATORS), field=st.sampled_from(["id", "limit", "email", "user", "a", ""]))
async def test_D1_no_operator_in_the_name_of_a_parameter(
    api: Api, callers: dict[str, Person], each: Route, operator: str, field: str
) -> None:
    """`?a[$ne]=`, `?$where=`, `?a.$gt=` on every route: 422, whether it takes parameters or not."""
    before = await state(api)
    for query in (
        f"{field}[{operator}]=1",
        f"{operator}=1",
        f"{field}.{operator}=",
        f"{field}[]=a&{field}[]=b",
    ):
        path = f"{somewhere(each)}?{quote(query, safe='=&')}"
        answer = await api.call(each.method, path, caller(each, callers).access, **sent(each))
        assert answer.status == 422, query
    assert await state(api) == before


@pytest.mark.parametrize("each", WITH_QUERY, ids=name)
@bounded
@given(data=st.data())
async def test_D1_no_operator_in_the_value_of_a_parameter(
    api: Api, callers: dict[str, Person], each: Route, data: st.DataObject
) -> None:
    """A text that is none of the words, numbers, or times that are asked for; twice is too often."""
    assert each.query is not None
    known = each.query().fields
    field = data.draw(st.sampled_from(sorted(f.data_key or key for key, f in known.items())))
    value = quote(data.draw(texts), safe="")
    path, token = somewhere(each), caller(each, callers).access
    answer = await api.call(each.method, f"{path}?{field}={value}", token)
    assert answer.status in {200, *REFUSED}
    assert (await api.call(each.method, f"{path}?{field}={value}&{field}={value}", token)).status == 422


@pytest.mark.parametrize("each", WITH_ID, ids=name)
@bounded
@given(text=texts)
async def test_D1_no_operator_in_a_path(api: Api, callers: dict[str, Person], each: Route, text: str) -> None:
    """What is no id is nobody's: 404, and where a router unpacks it, still nothing else."""
    path = re.sub(r"{\w+}", quote(text, safe=""), each.path)
    before = await state(api)
    answer = await api.call(each.method, path, caller(each, callers).access, **sent(each))
    assert answer.status in {400, 404, 405, 422}, path
    assert await state(api) == before


# -- D2 ------------------------------------------------------------------------------------------------

TWISTED = {
    "a key twice": b'{"email":"a@example.org","email":"b@example.org"}',
    "NaN": b'{"email":NaN}',
    "infinity": b'{"email":1e999}',
    "2^63": b'{"email":9223372036854775808}',
    "depth 1000": b'{"email":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    "depth 100 000": b'{"email":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    "NUL in a text": b'{"email":"a\\u0000@example.org"}',
    "NUL in a key": b'{"e\\u0000mail":"a@example.org"}',
    "NUL as a byte": b'{"email":"a\x00@example.org"}',
    "$ key": b'{"$where":"sleep(5000)"}',
    ". key": b'{"email.x":"a@example.org"}',
    "$ key below": b'{"email":{"$ne":null}}',
    "half a character": b'{"email":"\\ud83d"}',
    "no UTF-8": b'{"email":"\xc3\x28"}',
    "many digits": b'{"email":' + b"9" * 900_000 + b"}",
    "many keys": json.dumps({f"k{n}": n for n in range(60_000)}).encode(),
    "several keys": json.dumps({f"k{n}": n for n in range(900)}).encode(),
}


@pytest.mark.parametrize("raw", TWISTED.values(), ids=TWISTED)
async def test_D2_twisted_json_is_refused(api: Api, raw: bytes, record_property: Any) -> None:
    """400 or 422, within 100 ms: that is measured and printed, for a busy machine takes longer."""
    began = time.perf_counter()
    answer = await api.call("POST", "/auth/login", data=raw, headers={"Content-Type": "application/json"})
    took_ms = (time.perf_counter() - began) * 1_000
    print(f"{took_ms:.1f} ms")
    record_property("ms", round(took_ms, 1))
    assert answer.status in {400, 422}
    assert len(answer.raw) < 10_000
    assert (await api.call("GET", "/docs")).status == 200


# -- D4, D5 --------------------------------------------------------------------------------------------

BREAKS = ["\r\n", "\n", "\r", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x85"]
HEADERS = "Bcc: evil@example.net"
TEMPLATES = [
    "{{ 7*7 }}",
    "{% for x in range(9) %}x{% endfor %}",
    "{{ ''.__class__.__mro__ }}",
    "${7*7}",
    "<%= 7*7 %>",
]


@pytest.mark.parametrize("line_break", BREAKS, ids=repr)
async def test_D4_no_line_break_in_a_name_an_address_or_a_subject(api: Api, line_break: str) -> None:
    """422 wherever such a text could become a header of a mail, and no mail is sent to anybody."""
    good = GOOD["POST /auth/register"]
    person = await api.person()
    evil = f"Anna{line_break}{HEADERS}"
    for body in ({**good, "name": evil}, {**good, "email": f"a@example.org{line_break}{HEADERS}"}):
        assert (await api.post("/auth/register", body)).status == 422
    assert (await person.patch("/users/me", {"name": evil})).status == 422
    assert (await api.post("/auth/verify/resend", {"email": f"{person.email}{line_break}x"})).status == 422
    token = {"name": evil, "scopes": ["telemetry:write"]}
    assert (await person.post("/auth/device-tokens", token)).status == 422
    trainer = await api.person("Tina", role="trainer")
    assert (await trainer.post("/sessions", {"title": evil, "capacity": 3})).status == 422
    assert await api.mails.newest("evil@example.net") == []


async def test_D4_a_line_break_in_the_name_of_a_device_makes_no_header(api: Api) -> None:
    """The one text in our mails that a stranger writes without being asked: cut to one line of plain text."""
    person = await api.person()
    mail_before = len(await api.mails.newest(person.email))
    headers = {"User-Agent": f"Phone\t{HEADERS}\x9b31m"}
    body = {"email": person.email, "password": PASSWORD}
    assert (await api.post("/auth/login", body, headers=headers)).status == 200
    listed = (await person.get("/auth/sessions")).data["items"]
    assert all(each["device"].isprintable() for each in listed)
    assert len(await api.mails.newest("evil@example.net")) == 0
    assert len(await api.mails.newest(person.email)) >= mail_before


@pytest.mark.parametrize("text", TEMPLATES)
async def test_D5_a_name_is_never_a_template(api: Api, text: str) -> None:
    """It comes back as it was sent."""
    person = api.stranger(text)
    person.email = f"d5-{abs(hash(text))}@example.org"
    await person.register()
    await person.verify()
    assert (await person.sign_in())["user"]["name"] == text
    for mail in await api.mails.newest(person.email):
        assert "49" not in mail["subject"]
        assert "xxxxxxxxx" not in mail["text"] + mail["html"]


@pytest.mark.parametrize("text", TEMPLATES)
def test_D5_a_value_in_a_mail_is_never_a_template(text: str) -> None:
    """Whatever a template shows, it shows as text, in HTML without its power."""
    values = {"device": f"{text}<script>", "since": "2026-11-24T00:00:00Z"}
    letter = Stationery("https://fit.example.org").write("anna@example.org", "token_reused", values)
    assert text in letter.text
    assert "<script>" not in letter.html
    assert "<class" not in letter.text + letter.html


# -- D6 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", WITH_BODY, ids=name)
async def test_D6_another_content_type_is_415(api: Api, callers: dict[str, Person], each: Route) -> None:
    """On every route with a body, before it is looked at, and without one at all."""
    token = caller(each, callers).access
    before = await state(api)
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
        "",
    ):
        raw = json.dumps(GOOD[name(each)]).encode()
        answer = await api.call(each.method, somewhere(each), token, data=raw, headers={"Content-Type": kind})
        assert (answer.status, answer.code) == (415, "unsupported_media_type"), kind
    assert await state(api) == before


@pytest.mark.parametrize("path", sorted({each.path for each in TABLE}))
async def test_D6_another_method_is_405_with_those_that_there_are(api: Api, path: str) -> None:
    """On every path, for everybody."""
    there = {each.method for each in TABLE if each.path == path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - there:
        answer = await api.call(method, re.sub(r"{\w+}", "f" * 24, path))
        assert (answer.status, answer.code) == (405, "method_not_allowed"), method
        assert there <= set(answer.headers["Allow"].replace(" ", "").split(",")), method


@pytest.mark.parametrize("each", CHANGING, ids=name)
async def test_D6_a_large_body_is_413_before_it_is_read(
    api: Api, callers: dict[str, Person], each: Route
) -> None:
    """By its length alone: of the body itself not one byte is ever sent."""
    token = caller(each, callers).access
    kind = "application/json" if each.upload is None else min(each.upload.types)
    head = (
        f"{each.method} /api/v1{somewhere(each)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: 99999999999\r\n\r\n"
    )
    assert (await raw_exchange(api, head.encode())).startswith(b"HTTP/1.1 413 ")


async def raw_exchange(api: Api, sent: bytes) -> bytes:
    """The first line of the answer to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.client.port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.readline(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


HUGE = b'{"email":"' + b" " * 40_000_000 + b'"}'
BOMBS = {
    "gzip": ("gzip", gzip.compress(HUGE)),
    "deflate": ("deflate", zlib.compress(HUGE)),
    "raw deflate": ("deflate", zlib.compress(HUGE, wbits=-15)),
    "GZIP": ("GZIP", gzip.compress(HUGE)),
}
PUZZLES = {
    "gzip twice": ("gzip, gzip", gzip.compress(gzip.compress(HUGE))),
    "x-gzip": ("x-gzip", gzip.compress(HUGE)),
    "br": ("br", b"\x1b\x00\x00\x00" * 100),
    "zstd": ("zstd", b"\x28\xb5\x2f\xfd" * 100),
    "no gzip": ("gzip", b'{"email":"a@example.org"}'),
    "identity": ("identity", b'{"email":'),
    "nonsense": ("nonsense", gzip.compress(b"{}")),
}


@pytest.mark.parametrize(("encoding", "bomb"), BOMBS.values(), ids=BOMBS)
async def test_D6_a_bomb_is_413_and_is_never_unpacked(api: Api, encoding: str, bomb: bytes) -> None:
    """40 MB in 40 kB: it stops at the limit, by what comes out and not by what goes in."""
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    tracemalloc.start()
    try:
        answer = await api.call("POST", "/auth/verify/resend", data=bomb, headers=headers)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.status, answer.code) == (413, "too_large")
    assert peak < 12_000_000


@pytest.mark.parametrize(("encoding", "raw"), PUZZLES.values(), ids=PUZZLES)
async def test_D6_a_body_in_a_code_that_we_do_not_read_is_refused(
    api: Api, encoding: str, raw: bytes
) -> None:
    """400, 413 or 415, never 500, and the next request is answered."""
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    with structlog.testing.capture_logs() as logs:
        answer = await api.call("POST", "/auth/verify/resend", data=raw, headers=headers)
    assert answer.status in {400, 413, 415}
    assert [each for each in logs if each["log_level"] == "error"] == []
    assert (await api.call("GET", "/docs")).status == 200


async def test_D6_a_body_that_is_cut_off_or_badly_chunked_is_no_error_of_ours(api: Api) -> None:
    """Who leaves in the middle, or sends chunks that are none, leaves no stack trace behind."""
    head = b"POST /api/v1/auth/verify/resend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with structlog.testing.capture_logs() as logs:
        chunked = head + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"ema\r\nzz\r\n'
        assert b" 400 " in await raw_exchange(api, chunked)
        _, writer = await asyncio.open_connection("127.0.0.1", api.client.port)
        writer.write(head + b'Content-Length: 500\r\n\r\n{"email":')
        await writer.drain()
        assert (await api.call("GET", "/docs")).status == 200
        writer.close()
        await writer.wait_closed()
        assert (await api.call("GET", "/docs")).status == 200
    assert [each for each in logs if each["log_level"] == "error"] == []


# -- D7 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mongodb://user:hunter2@host said no"),
        KeyError("hunter2"),
        RecursionError("hunter2"),
        UnicodeDecodeError("utf-8", b"hunter2", 0, 1, "hunter2"),
        ExceptionGroup("hunter2", [ValueError("hunter2")]),
        MemoryError("hunter2"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_D7_an_unexpected_exception_is_500_with_an_id_and_costs_one_request(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The id is in the log with the trace; the answer tells nothing of it; the worker lives."""
    anna = await api.person()

    async def broken(_user: str) -> Any:
        raise error

    with structlog.testing.capture_logs() as logs, monkeypatch.context() as patched:
        patched.setattr(api.contexts.users, "get", broken)
        answer = await anna.get("/users/me")
    assert (answer.status, answer.code) == (500, Failure.code)
    assert b"hunter2" not in answer.raw
    assert b"Traceback" not in answer.raw
    assert type(error).__name__.encode() not in answer.raw
    assert answer.data["request_id"] == answer.headers["X-Request-Id"]
    (line,) = [each for each in logs if each["event"] == "request_failed"]
    assert line["exc_info"] is error
    assert await anna.is_signed_in()
