"""Tokens: each kind opens one door, no weak key gets the server started, and no log ever holds one."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession, WSServerHandshakeError

from config.settings import EXAMPLE_PEPPER, EXAMPLE_TOKEN_KEY
from fittracker.clock import Clock
from fittracker.devmail import DevMails, open_sink
from fittracker.embedded.server import free_port
from fittracker.mongo import Database
from handlers.openapi import PREFIX
from handlers.rest import MODULES
from handlers.routes import Routes
from tests.dev_machine import ROOT, command
from tests.handlers.api import PASSWORD, Api, Person, eventually
from tests.server import LoneWorker, lone_workers

ROUTES = {f"{each.method} {each.path}" for each in Routes(MODULES)}
STREAM = "00000000-0000-4000-8000-00000000b012"


# -- B4 ------------------------------------------------------------------------------------------------


async def every_kind(api: Api, person: Person) -> dict[str, str]:
    """One of each kind of token, all of them good."""
    stranger = api.stranger()
    await stranger.register()
    device = await person.post("/auth/device-tokens", {"name": "Strap", "scopes": ["telemetry:write"]})
    return {
        "access": person.access,
        "refresh": person.refresh,
        "verify": await api.mailed_token(stranger.email),
        "device": device.data["token"],
        "ticket": (await person.post("/auth/ws-ticket")).data["ticket"],
    }


async def test_B4_no_other_kind_of_token_is_an_access_token(api: Api) -> None:
    """Good ones, each in the place of another: 401, and 403 for a device token, which is told from others."""
    tokens = await every_kind(api, await api.person())
    for kind in ("refresh", "verify", "ticket"):
        assert (await api.call("GET", "/users/me", tokens[kind])).status == 401, kind
    assert (await api.call("GET", "/users/me", tokens["device"])).status == 403
    assert (await api.call("GET", "/users/me", tokens["access"])).status == 200


async def test_B4_an_access_token_is_no_other_kind(api: Api) -> None:
    """Nor is any other one: each opens its own door alone, and is not used up by knocking at another."""
    tokens = await every_kind(api, await api.person())
    for kind, token in tokens.items():
        if kind != "refresh":
            answer = await api.post("/auth/refresh", {"refresh_token": token})
            assert (answer.status, answer.code) == (401, "unauthenticated"), kind
        if kind != "verify":
            assert (await api.post("/auth/verify", {"token": token})).status == 422, kind
        if kind != "ticket":
            with pytest.raises(WSServerHandshakeError) as refused:
                await api.client.ws_connect(f"/ws?ticket={token}")
            assert refused.value.status == 401, kind
    assert (await api.post("/auth/refresh", {"refresh_token": tokens["refresh"]})).status == 200
    assert (await api.post("/auth/verify", {"token": tokens["verify"]})).status == 204
    async with api.client.ws_connect(f"/ws?ticket={tokens['ticket']}") as socket:
        assert (await socket.receive_json(timeout=10))["type"] == "hello"


@pytest.mark.parametrize("path", ["/auth/password/reset", "/auth/email/confirm"])
async def test_B4_no_other_kind_is_a_token_out_of_a_mail(api: Api, path: str) -> None:
    """One mail's link does not do what another one's does."""
    if f"POST {path}" not in ROUTES:
        pytest.skip(f"there is no {path}")
    person = await api.person()
    for kind, token in (await every_kind(api, person)).items():
        body = {"token": token} | ({"password": "a-new-one-of-these-88"} if "reset" in path else {})
        answer = await api.post(path, body)
        assert answer.status in {400, 401, 410, 422}, kind
    await person.sign_in()


# -- B5 ------------------------------------------------------------------------------------------------

LONG = "kW3x9QzL0pT7vB2nM5cR8yH1dF4gJ6sA"
GOOD = {"TOKEN_KEYS": f"k1:{LONG}", "PASSWORD_PEPPER": LONG[::-1]}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"TOKEN_KEYS": ""}, "TOKEN_KEYS is missing"),
        ({"TOKEN_KEYS": f"k1:{LONG[:31]}"}, "TOKEN_KEYS k1 must be at least 32 random bytes"),
        ({"TOKEN_KEYS": f"k1:{LONG},k2:{LONG[:31]}"}, "TOKEN_KEYS k2 must be at least 32"),
        ({"TOKEN_KEYS": f"k1:{'ab' * 16}"}, "TOKEN_KEYS k1 must be at least 32 random bytes"),
        ({"TOKEN_KEYS": EXAMPLE_TOKEN_KEY}, "TOKEN_KEYS dev is the published example"),
        ({"TOKEN_KEYS": LONG}, "TOKEN_KEYS must hold kid:secret pairs"),
        ({"PASSWORD_PEPPER": ""}, "PASSWORD_PEPPER is missing"),
        ({"PASSWORD_PEPPER": EXAMPLE_PEPPER}, "PASSWORD_PEPPER is the published example"),
        ({"PASSWORD_PEPPER": "short"}, "PASSWORD_PEPPER must be at least 32"),
        ({"BCRYPT_COST": "4"}, "BCRYPT_COST must be at least 10"),
    ],
    ids=str,
)
def test_B5_with_a_weak_key_production_does_not_start(changes: dict[str, str], complaint: str) -> None:
    """`fittracker serve` ends at once with the reason, and without the key, before it opens anything."""
    done = serve(changes)
    assert done.returncode not in {0, None}
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    for secret in (LONG, LONG[:31], LONG[::-1]):
        assert secret not in done.stdout + done.stderr


def serve(changes: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The process, in production, with databases that are not there."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "FITTRACKER_MODE"},
        "BIND": f"127.0.0.1:{free_port()}",
        "MONGO_URL": "mongodb://127.0.0.1:9/?directConnection=true",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        **GOOD,
        **changes,
    }
    return subprocess.run(
        command("serve"), env=environment, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


# -- B12 -----------------------------------------------------------------------------------------------

BEATS = (213, 217, 219, 223)
"""Heart rates that are nothing else in a log: not alone in a text, and not the value of a field."""
WRONG = "wrong-horse-battery-staple-9"


@pytest.fixture(scope="module")
async def talkative(
    database: Database,
    mongo_url: str,
    mongo_database: str,
    redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[LoneWorker]:
    """A server that logs all it can."""
    logs = tmp_path_factory.mktemp("logs")
    async with (
        open_sink(database, Clock()) as port,
        lone_workers(
            1, mongo_url, mongo_database, redis_url, logs, log_level="debug", smtp_port=port, auth_rate=1_000
        ) as (only,),
    ):
        yield only


class Visitor:
    """Does what a person does, and remembers each secret that was used or given."""

    def __init__(self, http: ClientSession, mails: DevMails) -> None:
        self.http = http
        self.mails = mails
        self.secrets: set[str] = set()

    async def post(self, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """The status, and the answer where there is one."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        sent: dict[str, Any] = {} if body is None else {"json": body}
        async with self.http.post(PREFIX + path, headers=headers, **sent) as response:
            text = await response.text()
            answer = json.loads(text) if text else None
        self._remember(body)
        self._remember(answer)
        return response.status, answer

    def _remember(self, value: Any) -> None:
        for key, each in value.items() if isinstance(value, dict) else ():
            if isinstance(each, str) and re.search("token$|password|current|ticket|secret", key):
                self.secrets.add(each)

    async def mailed(self, email: str, subject: str) -> str:
        """The token out of the newest mail with this in its subject."""

        async def look() -> list[str]:
            found = [
                each for each in await self.mails.newest(email) if subject.lower() in each["subject"].lower()
            ]
            return [match[1] for each in found if (match := re.search(r"[?&#]token=([\w-]+)", each["text"]))]

        token = (await eventually(look, f"a mail '{subject}'"))[0]
        self.secrets.add(token)
        return token

    async def beat(self, query: str = "", headers: dict[str, str] | None = None) -> None:
        """Open a socket and push heart rates until they are stored."""
        async with self.http.ws_connect(f"/ws{query}", headers=headers or {}) as socket:
            assert (await socket.receive_json(timeout=10))["type"] == "hello"
            await socket.send_json({"id": 1, "type": "hr.open", "data": {"stream": STREAM}})
            opened = await socket.receive_json(timeout=10)
            seq, now = opened["data"]["acked"], Clock().now_ms()
            samples = [{"seq": seq + n, "t": now + n, "bpm": bpm} for n, bpm in enumerate(BEATS, 1)]
            await socket.send_json({"type": "hr.push", "data": {"stream": STREAM, "samples": samples}})
            while (await socket.receive_json(timeout=10))["type"] != "hr.ack":
                pass
            # A heart that cannot be: what is refused is not written down either.
            bad = [{"seq": seq + 9, "t": now, "bpm": "213"}]
            await socket.send_json({"id": 2, "type": "hr.push", "data": {"stream": STREAM, "samples": bad}})
            while (await socket.receive_json(timeout=10)).get("id") != 2:
                pass


async def test_B12_logs_hold_no_token_no_password_and_no_heart_rate(
    talkative: LoneWorker, database: Database
) -> None:
    """After registering, proving, signing in well and badly, refreshing, tickets, devices, sockets."""
    email = "zoe@example.org"
    async with ClientSession(talkative.url) as http:
        visitor = Visitor(http, DevMails(database, Clock()))
        access = await arrive(visitor, email)
        _, device = await visitor.post(
            "/auth/device-tokens", {"name": "Strap", "scopes": ["telemetry:write"]}, access
        )
        _, ticket = await visitor.post("/auth/ws-ticket", token=access)
        await visitor.beat(f"?ticket={ticket['ticket']}")
        with pytest.raises(WSServerHandshakeError):
            await visitor.beat(f"?ticket={ticket['ticket']}")
        await visitor.beat(headers={"Authorization": f"Bearer {device['token']}"})
        await visitor.beat(headers={"Authorization": f"Bearer {access}"})
        async with http.get(f"{PREFIX}/users/me?access_token={access}") as response:
            assert response.status == 401
        await visitor.post("/auth/verify", {"token": access})
        await visitor.post("/auth/register", {"email": WRONG, "password": PASSWORD, "name": device["token"]})
        if "POST /auth/password/forgot" in ROUTES:
            assert (await visitor.post("/auth/password/forgot", {"email": email}))[0] == 202
            body = {
                "token": await visitor.mailed(email, "password"),
                "password": "kestrels-hover-over-19-moors",
            }
            assert (await visitor.post("/auth/password/reset", body))[0] == 204
    await talkative.stop()
    assert len(visitor.secrets) >= 9
    text = talkative.log.read_text(errors="replace")
    assert text.count('"event": "request"') + text.count('"event":"request"') >= 10
    assert {each for each in visitor.secrets if told(each, text)} == set()
    assert list(hearts(text)) == []


async def arrive(visitor: Visitor, email: str) -> str:
    """Register, prove the address, sign in well and badly, and refresh; the newest access token."""
    body = {"email": email, "password": PASSWORD, "name": "Zoe"}
    assert (await visitor.post("/auth/register", body))[0] == 202
    assert (await visitor.post("/auth/verify", {"token": await visitor.mailed(email, "confirm")}))[0] == 204
    assert (await visitor.post("/auth/login", {"email": email, "password": WRONG}))[0] == 401
    _, signed_in = await visitor.post("/auth/login", {"email": email, "password": PASSWORD})
    _, refreshed = await visitor.post("/auth/refresh", {"refresh_token": signed_in["refresh_token"]})
    assert (await visitor.post("/auth/refresh", {"refresh_token": refreshed["access_token"]}))[0] == 401
    return str(refreshed["access_token"])


def told(secret: str, text: str) -> bool:
    """Whether it is in there, as it is, in part, or in base64."""
    parts = [secret, base64.b64encode(secret.encode()).decode().rstrip("=")]
    if secret.count(".") == 2:  # a JWT: its signature is what makes it one
        parts.append(secret.rpartition(".")[2])
    elif len(secret) > 40:
        parts.append(secret[-24:])
    return any(part in text for part in parts)


def hearts(text: str) -> Iterator[str]:
    """The lines in which one of our heart rates stands by itself."""
    alone = re.compile(rf"(?<![\w.:-])({'|'.join(map(str, BEATS))})(?![\w.:-])")
    for line in text.splitlines():
        if alone.search(re.sub(r'"(pid|lineno|port)": ?\d+', "", line)):
            yield line


def test_B12_the_search_would_find_them() -> None:
    """In the fields of a line, inside of a text, and not in a time."""
    token = "ftr_" + "x" * 24 + "y" * 43
    assert told(token, f'{{"event": "oops", "detail": "got {token}"}}')
    assert told(token, f"...{token[-30:]}")
    assert len(list(hearts('{"bpm": 213}\n{"x": "bpm=217 now"}\n{"at": "12:00:00.213Z", "id": "a213"}'))) == 2
