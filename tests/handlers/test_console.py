"""The console: a browser signs in by a cookie, stays signed in, and is signed out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from config.settings import Settings
from fittracker.ids import fingerprint
from fittracker.redis import OUTAGES, console_key
from handlers.console_storage import COOKIE
from tests.handlers.api import Answer, Api, Person

OURS = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Browser:
    """Somebody's browser: it keeps the cookie, and its pages know the secret."""

    api: Api
    cookie: str = ""
    secret: str = ""
    set_cookie: list[str] = field(default_factory=list)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A request as a page of ours makes it; `headers` in place of what it sends."""
        sent = {**OURS, "Cookie": f"{COOKIE}={self.cookie}", "X-CSRF-Token": self.secret}
        if method == "GET":
            del sent["X-CSRF-Token"]
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        options = {} if body is None else {"json": body}
        answer = await self.api.call(
            method, path, headers={name: value for name, value in sent.items() if value}, **options
        )
        self.set_cookie = answer.headers.getall("Set-Cookie", [])
        return answer

    async def sign_in(self, person: Person, **headers: str) -> Answer:
        """Sign in; the browser keeps what it was given."""
        body = {"email": person.email, "password": person.password}
        answer = await self.call("POST", "/auth/console/login", body, **headers)
        if answer.status == 200:
            (given,) = self.set_cookie
            self.cookie = SimpleCookie(given)[COOKIE].value
            self.secret = answer.data["csrf_token"]
        return answer


@pytest.fixture
async def browser(api: Api) -> AsyncIterator[Browser]:
    """One nobody is signed in with; the cookie jar of the test client is kept out of it."""
    yield Browser(api)
    api.client.session.cookie_jar.clear()


@pytest.fixture
async def anna(api: Api) -> Person:
    """Somebody."""
    return await api.person("Anna")


async def test_who_signed_in_by_cookie_is_known_by_it(browser: Browser, anna: Person) -> None:
    """The answer says who it is and gives the secret, and no tokens."""
    answer = await browser.sign_in(anna)
    assert answer.status == 200
    assert set(answer.data) == {"csrf_token", "user"}
    assert answer.data["user"]["id"] == anna.id
    again = await browser.call("GET", "/auth/console")
    assert again.data == answer.data
    assert (await browser.call("GET", "/users/me")).data["id"] == anna.id
    changed = await browser.call("PATCH", "/users/me", {"name": "Anna B"})
    assert (changed.status, changed.data["name"]) == (200, "Anna B")


async def test_a_console_is_a_sign_in_like_any_other(browser: Browser, anna: Person) -> None:
    """It is listed with what the browser calls itself, ends with the cookie, and is this one to itself."""
    await browser.sign_in(anna, User_Agent="Firefox")
    items = (await browser.call("GET", "/auth/sessions")).data["items"]
    (mine,) = [each for each in items if each["current"]]
    assert mine["device"] == "Firefox"
    stored = await browser.api.contexts.database.sessions.find_one({"_id": mine["id"]})
    assert stored is not None
    life_s = (stored["expires_at"] - stored["created_at"]).total_seconds()
    assert life_s == pytest.approx(browser.api.contexts.settings.console_s, abs=5)
    assert len(items) == 2  # with the sign-in that made Anna


async def test_logout_ends_everything(api: Api, browser: Browser, anna: Person) -> None:
    """The sign-in, the entry in Redis, and the cookie, which browsers only give up with its attributes."""
    await browser.sign_in(anna)
    answer = await browser.call("POST", "/auth/console/logout")
    assert answer.status == 204
    (taken,) = browser.set_cookie
    morsel = SimpleCookie(taken)[COOKIE]
    assert (morsel.value, morsel["max-age"]) == ("", "0")
    assert (morsel["secure"], morsel["path"], morsel["domain"]) == (True, "/", "")
    assert not await api.contexts.redis.exists(console_key(fingerprint(browser.cookie)))
    assert (await browser.call("GET", "/auth/console")).status == 401
    assert len((await anna.get("/auth/sessions")).data["items"]) == 1


async def test_ending_the_sign_in_elsewhere_signs_the_console_out(browser: Browser, anna: Person) -> None:
    """By its id, or all at once; the cookie is asked about at every request."""
    await browser.sign_in(anna)
    items = (await anna.get("/auth/sessions")).data["items"]
    (console,) = [each["id"] for each in items if not each["current"]]
    assert (await anna.delete(f"/auth/sessions/{console}")).status == 204
    assert (await browser.call("GET", "/users/me")).status == 401
    await browser.sign_in(anna)
    assert (await anna.post("/auth/logout-all")).status == 204
    assert (await browser.call("GET", "/users/me")).status == 401


async def test_who_is_disabled_is_signed_out(api: Api, browser: Browser, anna: Person) -> None:
    """As with tokens."""
    await browser.sign_in(anna)
    now = api.contexts.clock.utc()
    await api.contexts.database.users.update_one({"_id": anna.id}, {"$set": {"disabled_at": now}})
    await api.contexts.sessions.end_all(anna.id)
    assert (await browser.call("GET", "/users/me")).status == 401


async def test_a_wrong_password_sets_no_cookie(browser: Browser, anna: Person) -> None:
    """And does not sign out who is signed in."""
    await browser.sign_in(anna)
    body = {"email": anna.email, "password": "wrong-password-77"}
    answer = await browser.call("POST", "/auth/console/login", body)
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert browser.set_cookie == []
    assert (await browser.call("GET", "/users/me")).status == 200


async def test_the_cookie_is_for_other_sites_of_no_use_at_sign_in(browser: Browser, anna: Person) -> None:
    """A form of theirs is neither JSON nor from here; nobody is signed in as somebody they chose."""
    for site in ("cross-site", "same-site", "none"):
        assert (await browser.sign_in(anna, Sec_Fetch_Site=site)).status == 403
        assert browser.set_cookie == []
    form = await browser.api.call(
        "POST", "/auth/console/login", headers=OURS, data={"email": anna.email, "password": anna.password}
    )
    assert form.status == 415


async def test_where_there_is_a_token_it_counts_alone(
    api: Api, browser: Browser, anna: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """A bad token beside a good cookie is a bad token; a good one is of its owner, and Redis is not asked."""
    await browser.sign_in(anna)
    for bad in ("Bearer nonsense", "Basic YTpi", "Bearer"):
        assert (await browser.call("GET", "/users/me", Authorization=bad)).status == 401
    bob = await api.person("Bob")
    token = f"Bearer {bob.access}"
    assert (await browser.call("GET", "/users/me", Authorization=token)).data["id"] == bob.id
    for method, path in (("GET", "/auth/console"), ("POST", "/auth/console/logout")):
        answer = await browser.call(method, path, Authorization=token)
        assert (answer.status, answer.code) == (404, "not_found")
    assert (await browser.call("GET", "/auth/console")).status == 200


async def test_requests_with_a_token_do_not_pay_for_the_console(
    api: Api, anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No entry is looked for, even where the cookie comes along."""
    asked: list[str] = []

    async def read(cookie: str) -> None:
        asked.append(cookie)

    monkeypatch.setattr(api.contexts.consoles, "read", read)
    for cookie in ({}, {"Cookie": f"{COOKIE}={'x' * 43}"}):
        assert (await anna.get("/users/me", headers=cookie)).status == 200
    assert asked == []
    assert (await api.call("GET", "/users/me", headers={"Cookie": f"{COOKIE}={'x' * 43}"})).status == 401
    assert asked == ["x" * 43]


@pytest.mark.parametrize(
    "cookie", ["", "x", "x" * 42, "x" * 44, "$ne" + "x" * 40, "a" * 43, "../" * 14 + "a"]
)
async def test_a_made_up_cookie_opens_nothing(browser: Browser, cookie: str) -> None:
    """Neither one of the right form nor any other."""
    browser.cookie = cookie
    answer = await browser.call("GET", "/users/me")
    assert (answer.status, answer.code) == (401, "unauthenticated")


async def test_a_console_is_counted_against_its_person(api: Api, browser: Browser, anna: Person) -> None:
    """As a token is: the limit of a person is the same from everywhere."""
    await browser.sign_in(anna)
    bucket = f"limit:user:{anna.id}"
    await api.contexts.redis.hset(bucket, mapping={"n": 0, "t": 10**15})
    answer = await browser.call("GET", "/users/me")
    assert (answer.status, answer.code) == (429, "rate_limited")
    assert "user" in answer.headers["RateLimit"]
    await api.contexts.redis.delete(bucket)
    assert (await browser.call("GET", "/users/me")).status == 200


# -- life --------------------------------------------------------------------------------------------


async def test_using_it_keeps_it_and_not_using_it_ends_it(api: Api, browser: Browser, anna: Person) -> None:
    """The entry lives as long as an idle console may; each request lets it begin anew."""
    await browser.sign_in(anna)
    key, idle_s = console_key(fingerprint(browser.cookie)), api.contexts.settings.console_idle_s
    assert idle_s - 10 < await api.contexts.redis.ttl(key) <= idle_s
    await api.contexts.redis.expire(key, 60)
    assert (await browser.call("GET", "/users/me")).status == 200
    assert idle_s - 10 < await api.contexts.redis.ttl(key) <= idle_s
    await api.contexts.redis.delete(key)  # what Redis does by itself once it was idle for too long
    assert (await browser.call("GET", "/users/me")).status == 401


async def test_however_much_it_is_used_it_ends(api: Api, browser: Browser, anna: Person) -> None:
    """After so long somebody has to sign in again; the cookie says the same."""
    await browser.sign_in(anna)
    (given,) = browser.set_cookie or [""]
    key = console_key(fingerprint(browser.cookie))
    entry = json.loads(str(await api.contexts.redis.get(key)))
    entry["created"] -= api.contexts.settings.console_s - 60
    await api.contexts.redis.set(key, json.dumps(entry))
    assert (await browser.call("GET", "/users/me")).status == 200
    entry["created"] -= 61
    await api.contexts.redis.set(key, json.dumps(entry))
    assert (await browser.call("GET", "/users/me")).status == 401
    assert f"max-age={api.contexts.settings.console_s}" in given.lower()


async def test_redis_without_its_memory_signs_consoles_out_and_nothing_worse(
    api: Api, browser: Browser, anna: Person
) -> None:
    """Tokens go on, and the browser signs in again."""
    await browser.sign_in(anna)
    await api.contexts.redis.flushdb()
    assert (await browser.call("GET", "/users/me")).status == 401
    assert await anna.is_signed_in()
    assert (await browser.sign_in(anna)).status == 200


async def test_while_redis_is_away_nobody_gets_in_by_cookie(
    api: Api, browser: Browser, anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the one they have nor by a new one; and no sign-in is begun that nobody could use."""
    await browser.sign_in(anna)
    before = await api.contexts.database.sessions.count_documents({"user": anna.id})

    async def away(*_: Any, **__: Any) -> None:
        raise OUTAGES[0]("away")

    monkeypatch.setattr(api.contexts.redis, "getex", away)
    monkeypatch.setattr(api.contexts.redis, "ping", away)
    for answer in (await browser.call("GET", "/users/me"), await browser.sign_in(anna)):
        assert (answer.status, answer.code) == (503, "unavailable")
        api.clock.advance(5)  # Redis is asked again
    assert await api.contexts.database.sessions.count_documents({"user": anna.id}) == before


# -- sockets -------------------------------------------------------------------------------------------


async def test_a_console_opens_sockets_with_a_ticket(api: Api, browser: Browser, anna: Person) -> None:
    """The ticket is asked for with cookie and secret, works once, and the socket ends with the console."""
    await browser.sign_in(anna)
    ticket = (await browser.call("POST", "/auth/ws-ticket")).data["ticket"]
    async with api.client.ws_connect(f"/ws?ticket={ticket}") as socket:
        hello = json.loads((await socket.receive(5)).data)
        assert (hello["type"], hello["data"]["user"]) == ("hello", anna.id)
        assert hello["data"]["expires_at"] <= api.clock.now() + api.contexts.settings.access_token_s
        await browser.call("POST", "/auth/console/logout")
        assert (await socket.receive(5)).data == 4010
    with pytest.raises(WSServerHandshakeError, match="401"):
        await api.client.ws_connect(f"/ws?ticket={ticket}")


async def test_a_socket_takes_no_cookie(api: Api, browser: Browser, anna: Person) -> None:
    """It is open, as for everybody, and belongs to nobody until a frame says who it is."""
    await browser.sign_in(anna)
    headers = {"Cookie": f"{COOKIE}={browser.cookie}", "Origin": api.contexts.settings.public_origin}
    async with api.client.ws_connect("/ws", headers=headers) as socket:
        await socket.send_json({"id": 1, "type": "hr.watch", "data": {"user": anna.id}})
        answer = json.loads((await socket.receive(5)).data)
        assert (answer["type"], answer["error"]["code"]) == ("error", "unauthenticated")


async def test_settings_say_how_long_a_console_lives(settings: Settings) -> None:
    """Half a day, and half an hour without use."""
    assert (settings.console_s, settings.console_idle_s) == (43_200, 1_800)
