"""The REST API as people use it: a house with a front door and a letter box, and people who sign up in it."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.test_utils import TestClient
from multidict import CIMultiDictProxy

from fittracker.auth.founding import Founding
from fittracker.auth.passwords import Passwords
from fittracker.contexts import Contexts
from fittracker.devmail import DevMails
from handlers.keys import CONTEXTS
from handlers.openapi import PREFIX, statuses
from handlers.rest import MODULES
from handlers.routes import ADMIN, Policy, Routes
from tests.moving_clock import MovingClock

PASSWORD = "otters-swim-upstream-at-77"
Found = TypeVar("Found")
_numbers = itertools.count(1)


def check_declared(method: str, path: str, status: int) -> None:
    """Whatever a test tries, the answer is one that the OpenAPI document tells of."""
    for route in Routes(MODULES):
        pattern = re.sub(r"{\w+}", "[^/]+", route.path)
        if route.method == method and re.fullmatch(pattern, path.partition("?")[0]):
            assert status in statuses(route), f"{method} {route.path} answered {status}"
            return  # the first that fits is the one that answers: /users/me is no /users/{id}


async def eventually(ask: Callable[[], Awaitable[Found]], what: str, *, seconds: float = 10.0) -> Found:
    """The first true answer, asked again and again; fails saying `what`."""
    deadline = time.monotonic() + seconds
    while not (found := await ask()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.01)
    return found


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    raw: bytes

    @property
    def data(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        """The code of a problem, which must be one in form as well."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.raw
        assert self.data["status"] == self.status
        return str(self.data["code"])

    @property
    def fields(self) -> dict[str, str]:
        """What a problem says of the fields."""
        return dict(self.data.get("fields", {}))


@dataclass
class Api:
    """A server of our own."""

    client: TestClient[web.Request, web.Application]
    clock: MovingClock
    mails: DevMails

    @property
    def contexts(self) -> Contexts:
        """The contexts of the running application."""
        assert self.client.app is not None
        return self.client.app[CONTEXTS]

    async def call(self, method: str, path: str, token: str | None = None, **options: Any) -> Answer:
        """One request below /api/v1."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.client.request(method, PREFIX + path, headers=headers, **options) as response:
            check_declared(method, path, response.status)
            return Answer(response.status, response.headers, await response.read())

    async def post(self, path: str, body: Any, **options: Any) -> Answer:
        """A post by nobody."""
        return await self.call("POST", path, json=body, **options)

    async def mail_to(self, email: str, subject: str = "Confirm", count: int = 1) -> dict[str, Any]:
        """The newest mail to an address with this in its subject, once so many have come."""

        async def look() -> list[dict[str, Any]]:
            found = [each for each in await self.mails.newest(email) if subject in each["subject"]]
            return found if len(found) >= count else []

        return (await eventually(look, f"{count} mails '{subject}' to {email}"))[0]

    async def mailed_token(self, email: str, count: int = 1) -> str:
        """The token in the link of the newest verification mail."""
        mail = await self.mail_to(email, count=count)
        return str(mail["text"]).split("?token=")[1].split()[0]

    def stranger(self, name: str = "Anna") -> Person:
        """Somebody who has no account yet."""
        number = next(_numbers)
        return Person(self, name, f"{name.lower()}{number}@example.org")

    async def person(self, name: str = "Anna", role: str = "user", **profile: Any) -> Person:
        """Somebody who registered, proved the address, and signed in."""
        person = self.stranger(name)
        await person.register(role=role, **profile)
        await person.verify()
        await person.sign_in()
        return person

    async def whoever_may(self, policy: Policy) -> Person:
        """Somebody of a role that such a policy lets in; a trainer where it lets in everybody."""
        return await (self.admin("Ada") if policy is ADMIN else self.person("Tina", role="trainer"))

    async def admin(self, name: str = "Ada") -> Person:
        """An administrator, made as on the command line, who signed in."""
        person = self.stranger(name.split()[0])
        person.name = name
        async with Passwords.open(
            pepper=self.contexts.settings.password_pepper, cost=4, threads=1
        ) as passwords:
            founding = Founding(self.contexts.database, passwords, self.contexts.audit, self.clock)
            await founding.found(person.email, person.password, name, "admin")
        await person.sign_in()
        return person


@dataclass
class Person:
    """Somebody with an address and a password; after `sign_in` also with tokens."""

    api: Api
    name: str
    email: str
    password: str = PASSWORD
    id: str = ""
    access: str = ""
    refresh: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    async def register(self, **profile: Any) -> Answer:
        """Ask for an account."""
        body = {"email": self.email, "password": self.password, "name": self.name, **profile}
        answer = await self.api.post("/auth/register", body)
        assert answer.status == 202, answer.raw
        return answer

    async def verify(self) -> None:
        """Follow the mailed link."""
        answer = await self.api.post("/auth/verify", {"token": await self.api.mailed_token(self.email)})
        assert answer.status == 204, answer.raw

    async def try_to_sign_in(self, password: str | None = None) -> Answer:
        """Sign in, whatever comes of it."""
        return await self.api.post(
            "/auth/login", {"email": self.email, "password": password or self.password}
        )

    async def sign_in(self) -> dict[str, Any]:
        """Sign in; the whole answer."""
        answer = await self.try_to_sign_in()
        assert answer.status == 200, answer.raw
        data: dict[str, Any] = answer.data
        self.access, self.refresh = data["access_token"], data["refresh_token"]
        self.id = data["user"]["id"]
        return data

    async def get(self, path: str, **options: Any) -> Answer:
        """A request with one's token."""
        return await self.api.call("GET", path, self.access, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        """A request with one's token."""
        return await self._send("POST", path, body, options)

    async def put(self, path: str, body: Any, **options: Any) -> Answer:
        """A request with one's token."""
        return await self._send("PUT", path, body, options)

    async def patch(self, path: str, body: Any, **options: Any) -> Answer:
        """A request with one's token."""
        return await self._send("PATCH", path, body, options)

    async def delete(self, path: str, **options: Any) -> Answer:
        """A request with one's token."""
        return await self._send("DELETE", path, None, options)

    async def _send(self, method: str, path: str, body: Any, options: dict[str, Any]) -> Answer:
        if body is not None:
            options["json"] = body
        return await self.api.call(method, path, self.access, **options)

    async def is_signed_in(self) -> bool:
        """Whether one's access token still opens anything."""
        return (await self.get("/users/me")).status == 200
