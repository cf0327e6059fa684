"""B11 and B12: the console's cookie is of use to our own pages alone, and no address carries a token."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from aiohttp import hdrs, web
from aiohttp.test_utils import TestServer

from config.settings import Settings
from fittracker.app import build_app
from fittracker.embedded.server import free_port
from fittracker.ids import fingerprint
from fittracker.redis import console_key
from handlers.by_cookie import brings_cookie
from handlers.console_storage import COOKIE
from handlers.forgery import CSRF_HEADER
from handlers.keys import CONTEXTS
from handlers.openapi import PREFIX
from handlers.rest import MODULES
from handlers.routes import Route, Routes
from tests.handlers.api import PASSWORD, Api, Person
from tests.handlers.test_console import Browser
from tests.security.browser import PROGRAM, Page, open_browser

TABLE = list(Routes(MODULES))
CLOSED = [each for each in TABLE if not each.policy.anonymous]
CHANGING = [each for each in CLOSED if each.method != "GET"]
READING = [each for each in CLOSED if each.method == "GET"]


def name(route: Route) -> str:
    """Method and path."""
    return f"{route.method} {route.path}"


@pytest.fixture(scope="module")
async def anna(api: Api) -> Person:
    """Somebody with all roles but the highest."""
    return await api.person("Anna", role="trainer")


@pytest.fixture
async def browser(api: Api, anna: Person) -> AsyncIterator[Browser]:
    """Anna's, signed in."""
    browser = Browser(api)
    assert (await browser.sign_in(anna)).status == 200
    yield browser
    api.client.session.cookie_jar.clear()


# -- B11: the cookie -----------------------------------------------------------------------------------


async def test_B11_the_cookie_is_bound_to_this_host_and_out_of_reach_of_scripts(
    api: Api, browser: Browser
) -> None:
    """`__Host-`: no other host could have set it. What it says is random, of 256 bits."""
    (given,) = browser.set_cookie
    morsel = SimpleCookie(given)[COOKIE]
    assert COOKIE.startswith("__Host-")
    assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Strict")
    assert (morsel["path"], morsel["domain"]) == ("/", "")
    assert morsel["max-age"] == str(api.contexts.settings.console_s)
    assert len(morsel.value) == 43  # base64 of 32 bytes


async def test_B11_each_sign_in_gets_a_cookie_nobody_had_before(
    api: Api, browser: Browser, anna: Person
) -> None:
    """Also where the browser brings one: somebody else may have put it there. It is worth nothing then."""
    planted, seen = browser.cookie, {browser.cookie}
    for _ in range(5):
        assert (await browser.sign_in(anna)).status == 200
        seen.add(browser.cookie)
    assert len(seen) == 6
    for former in seen - {browser.cookie}:
        assert not await api.contexts.redis.exists(console_key(fingerprint(former)))
    thief = Browser(api, cookie=planted)
    assert (await thief.call("GET", "/users/me")).status == 401
    made_up = Browser(api, cookie="A" * 43)
    await made_up.sign_in(anna)
    assert made_up.cookie != "A" * 43
    assert (await Browser(api, cookie="A" * 43).call("GET", "/users/me")).status == 401


async def test_B11_a_sign_in_that_is_replaced_has_ended(api: Api, browser: Browser, anna: Person) -> None:
    """It is not left in the list of places where one is signed in, with nobody to end it."""
    before = len((await anna.get("/auth/sessions")).data["items"])
    await browser.sign_in(anna)
    assert len((await anna.get("/auth/sessions")).data["items"]) == before


async def test_B11_who_reads_redis_finds_no_cookie(api: Api, browser: Browser) -> None:
    """Keys are hashes, and no value tells the cookie either."""
    redis = api.contexts.redis
    texts = [f"{key} {await redis.get(key)}" async for key in redis.scan_iter("console:*")]
    assert any(fingerprint(browser.cookie) in text for text in texts)
    assert not any(browser.cookie in text for text in texts)


# -- B11: other sites ----------------------------------------------------------------------------------

FOREIGN: dict[str, dict[str, str]] = {
    "another site": {"Sec_Fetch_Site": "cross-site"},
    "another host of the same site": {"Sec_Fetch_Site": "same-site"},
    "no page": {"Sec_Fetch_Site": "none"},
    "two answers": {"Sec_Fetch_Site": "same-origin, cross-site"},
    "an old browser on another site": {"Sec_Fetch_Site": "", "Origin": "https://evil.example"},
    "an old browser in a sandbox": {"Sec_Fetch_Site": "", "Origin": "null"},
    "an old browser on an allowed origin": {"Sec_Fetch_Site": "", "Origin": "https://app.example.org"},
    "an old browser that does not say": {"Sec_Fetch_Site": ""},
    "no secret": {"X_CSRF_Token": ""},
    "a wrong secret": {"X_CSRF_Token": "A" * 43},
    "a secret that is no ASCII": {"X_CSRF_Token": "ä" * 43},
}


@pytest.mark.parametrize("each", CHANGING, ids=name)
async def test_B11_what_changes_something_is_refused_to_other_sites(browser: Browser, each: Route) -> None:
    """By every route: 403, before anything is looked at, with the cookie of somebody who may."""
    path = re.sub(r"{\w+}", "f" * 24, each.path)
    for why, headers in FOREIGN.items():
        answer = await browser.call(each.method, path, {} if each.body else None, **headers)
        assert (answer.status, answer.code) == (403, "forbidden"), why
    assert (await browser.call("GET", "/users/me")).status == 200


async def test_B11_the_secret_of_another_session_is_a_wrong_one(
    api: Api, browser: Browser, anna: Person
) -> None:
    """Double submit: header and session must agree, so one's own secret opens no other's session."""
    other = Browser(api)
    await other.sign_in(await api.person("Mallory"))
    answer = await browser.call("PATCH", "/users/me", {"name": "M"}, X_CSRF_Token=other.secret)
    assert answer.status == 403
    old = await browser.call(
        "PATCH", "/users/me", {"name": "Anna"}, Sec_Fetch_Site="", Origin=api.contexts.settings.public_origin
    )
    assert old.status == 200


@pytest.mark.parametrize("each", READING, ids=name)
async def test_B11_what_reads_is_refused_to_other_sites_as_well(browser: Browser, each: Route) -> None:
    """A page that embeds an answer learns from its size or time. An address that was typed is no page."""
    path = re.sub(r"{\w+}", "f" * 24, each.path)
    for site in ("cross-site", "same-site", "nonsense"):
        assert (await browser.call("GET", path, Sec_Fetch_Site=site)).status == 403
    for site in ("same-origin", "none", ""):
        answer = await browser.call("GET", path, Sec_Fetch_Site=site)
        assert answer.status != 401
        assert answer.status != 403 or each.policy.roles is not None


async def test_B11_no_origin_may_send_cookies(api: Api, browser: Browser) -> None:
    """Not even those that may call with tokens."""
    (allowed,) = api.contexts.settings.allowed_origins
    answer = await browser.call("GET", "/users/me", Origin=allowed, Sec_Fetch_Site="cross-site")
    assert answer.status == 403
    assert answer.headers["Access-Control-Allow-Origin"] == allowed
    assert "Access-Control-Allow-Credentials" not in answer.headers
    asking = {"Origin": allowed, "Access-Control-Request-Method": "POST"}
    for asked in ("", CSRF_HEADER):
        headers = asking | ({"Access-Control-Request-Headers": asked} if asked else {})
        preflight = await api.call("OPTIONS", "/auth/console/login", headers=headers)
        assert "Access-Control-Allow-Credentials" not in preflight.headers
        assert (preflight.status == 200) is not bool(asked)


# -- B11: in a browser ---------------------------------------------------------------------------------


@dataclass
class Stage:
    """A server, the pages on it and beside it, and what the server saw of each request."""

    ours: str
    sibling: str
    stranger: str
    app: web.Application
    seen: list[tuple[str, str, int, bool, str]] = field(default_factory=list)

    async def note(self, request: web.Request, response: web.StreamResponse) -> None:
        """Method, path, status, whether our cookie came along, and where the browser says it came from."""
        site = request.headers.get("Sec-Fetch-Site", "")
        self.seen.append((request.method, request.path, response.status, brings_cookie(request), site))

    def posts(self) -> list[tuple[int, bool, str]]:
        """Of the posts since it was asked last: status, cookie, site."""
        found = [each[2:] for each in self.seen if each[0] == "POST"]
        self.seen.clear()
        return found


async def blank(_: web.Request) -> web.Response:
    """A page."""
    return web.Response(text="<!doctype html><title>Page</title><p>Hello", content_type="text/html")


@pytest.fixture
async def stage(settings: Settings) -> AsyncIterator[Stage]:
    """Our server on localhost; another port of the same site; another site."""
    port, other = free_port(), free_port()
    ours = f"http://localhost:{port}"
    app = build_app(settings.with_changes(public_origin=ours))
    app.router.add_get("/page", blank)
    aside = web.Application()
    aside.router.add_get("/page", blank)
    stage = Stage(ours, f"http://localhost:{other}", f"http://127.0.0.1:{other}", app)
    app.on_response_prepare.append(stage.note)
    async with TestServer(app, port=port), TestServer(aside, port=other):
        yield stage


def post(address: str, body: Any = None, headers: Any = None, mode: str = "cors") -> str:
    """A script that posts with cookies, and gives status and body as far as the page may see them."""
    kind = {hdrs.CONTENT_TYPE: "application/json" if mode == "cors" else "text/plain"} if body else {}
    options = {
        "method": "POST",
        "mode": mode,
        "credentials": "include",
        "headers": kind | (headers or {}),
        "body": json.dumps(body) if body else "",
    }
    return f"""fetch({json.dumps(address)}, {json.dumps(options)})
        .then(async answer => [answer.status, await answer.text()])
        .catch(error => [0, String(error)])"""


FORM = """(() => {{ const form = document.createElement("form"); form.method = "post"; form.action = {!r};
    form.enctype = "text/plain"; document.body.append(form); form.submit(); return true; }})()"""


async def attack(page: Page, stage: Stage, origin: str) -> list[tuple[int, bool, str]]:
    """Everything that a page of that origin can post to us; what the server made of it."""
    target = f"{stage.ours}{PREFIX}/auth/console/logout"
    stage.posts()
    await page.visit(f"{origin}/page")
    for mode in ("no-cors", "cors"):
        status, _ = await page.run(post(target, mode=mode))
        assert status == 0  # it sees nothing of the answer
    await page.run(FORM.format(target))
    async with asyncio.timeout(20):
        while len([each for each in stage.seen if each[0] == "POST"]) < 3:
            await asyncio.sleep(0.02)
    return stage.posts()


@pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on PATH")
async def test_B11_in_a_real_browser_only_our_pages_can_use_the_cookie(
    stage: Stage, anna: Person, tmp_path: Path
) -> None:
    """It takes the cookie over http on localhost, hides it from scripts, and gives it up at logout."""
    base = f"{stage.ours}{PREFIX}"
    signing_in = {"email": anna.email, "password": PASSWORD}
    async with open_browser(tmp_path) as page:
        await page.visit(f"{stage.stranger}/page")
        await page.run(post(f"{base}/auth/console/login", signing_in, mode="no-cors"))
        assert stage.posts() == [(415, False, "cross-site")]
        await page.visit(f"{stage.ours}/page")
        status, text = await page.run(post(f"{base}/auth/console/login", signing_in))
        assert status == 200, text
        assert await page.run("document.cookie") == ""
        (cookie,) = await page.cookies()
        assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == (COOKIE, True, True)
        assert (cookie["sameSite"], cookie["path"], cookie["domain"]) == ("Strict", "/", "localhost")
        secret = await page.run(f"fetch('{base}/auth/console').then(a => a.json()).then(b => b.csrf_token)")
        stage.posts()
        status, _ = await page.run(post(f"{base}/auth/ws-ticket"))
        assert (status, stage.posts()) == (403, [(403, True, "same-origin")])
        from_sibling = await attack(page, stage, stage.sibling)
        assert from_sibling == [(403, True, "same-site")] * 3  # the cookie came along
        from_stranger = await attack(page, stage, stage.stranger)
        assert from_stranger == [(401, False, "cross-site")] * 3  # the browser kept it back
        await page.visit(f"{stage.ours}/page")
        logout = post(f"{base}/auth/console/logout", headers={CSRF_HEADER: secret})
        assert await page.run(logout) == [204, ""]
        assert await page.cookies() == []
    assert await stage.app[CONTEXTS].redis.exists(console_key(fingerprint(cookie["value"]))) == 0


# -- B12 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", TABLE, ids=name)
async def test_B12_no_route_reads_a_token_from_its_address(api: Api, each: Route) -> None:
    """A good one there signs nobody in, and beside a good header it is a parameter that is not known."""
    anna = await api.person(
        "Anna", role="trainer"
    )  # each a new one: there are more routes than calls a minute
    path = re.sub(r"{\w+}", "f" * 24, each.path)
    ticket = (await anna.post("/auth/ws-ticket")).data["ticket"]
    body = {"json": {}} if each.body else {}
    shown = dict.fromkeys(("token", "access_token", "authorization"), anna.access) | {"ticket": ticket}
    for parameter, secret in shown.items():
        answer = await api.call(each.method, f"{path}?{parameter}={secret}", **body)
        assert answer.status == (422 if each.policy.anonymous else 401), parameter
        if each.body is None and each.upload is None and each.policy.roles is None:
            beside = await api.call(each.method, f"{path}?{parameter}={secret}", anna.access)
            assert (beside.status, parameter in beside.fields) == (422, True)
            assert secret not in beside.raw.decode()


@pytest.mark.parametrize("parameter", ["token", "access_token", "authorization"])
async def test_B12_a_socket_takes_no_token_from_its_address_but_a_ticket(
    api: Api, anna: Person, parameter: str
) -> None:
    """It opens, as for everybody, and is nobody's."""
    async with api.client.ws_connect(f"/ws?{parameter}={anna.access}") as socket:
        await socket.send_json({"id": 1, "type": "hr.watch", "data": {"user": anna.id}})
        answer = await socket.receive_json(timeout=5)
        assert answer["error"]["code"] == "unauthenticated"
