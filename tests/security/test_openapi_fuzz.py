"""The running server against its own OpenAPI document, by everybody: no 500, and nothing undeclared."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from handlers.openapi import PREFIX
from handlers.rest import MODULES
from handlers.routes import Route, Routes
from tests.people import People, open_people
from tests.security.swarm import CHECKS, swarm
from tests.server import LoneWorker, lone_workers

# schemathesis' and its libraries' own; what the server warns of is in its log, and looked at there.
pytestmark = pytest.mark.filterwarnings("default")
TABLE = list(Routes(MODULES))
EVERYBODY = ("user", "trainer", "admin", "nobody")
ENDS_SIGN_INS = re.compile(r"/(auth/(logout|sessions/)|admin/users/{id})")
"""What may end the sign-in that everything else is tried with; it is tried by somebody of its own."""


@pytest.fixture(scope="module")
async def worker(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LoneWorker]:
    """A server that lets one address ask this much."""
    logs, rates = tmp_path_factory.mktemp("logs"), {"rest_rate": 1_000_000, "auth_rate": 1_000_000}
    async with lone_workers(1, mongo_url, mongo_database, redis_url, logs, **rates) as (only,):
        yield only


@pytest.fixture(scope="module")
async def people(worker: LoneWorker) -> AsyncIterator[People]:
    """Its people."""
    async with open_people(worker.settings) as opened:
        yield opened


@pytest.fixture(scope="module")
async def document(worker: LoneWorker) -> dict[str, Any]:
    """What it says of itself."""
    async with ClientSession() as http, http.get(f"{worker.url}{PREFIX}/openapi.json") as response:
        return dict(await response.json())


def label(route: Route) -> str:
    """As schemathesis names it."""
    return f"{route.method} {route.path}"


def home(route: Route) -> str:
    """Who tries a route thoroughly: who it is for."""
    return "nobody" if route.policy.anonymous else min(route.policy.roles or {"user"})


async def token_of(people: People, who: str) -> str | None:
    """Of somebody with this role; None of nobody."""
    return None if who == "nobody" else (await people.crowd(1, who))[0].token


def unconditional(document: dict[str, Any]) -> dict[str, Any]:
    """The same without If-Match, of which a random one is never met: so changes are made as well."""
    document = copy.deepcopy(document)
    for path in document["paths"].values():
        for operation in path.values():
            kept = [each for each in operation["parameters"] if not each["name"].startswith("If-")]
            operation["parameters"] = kept
    return document


@pytest.mark.parametrize("who", EVERYBODY)
async def test_every_answer_is_one_that_the_document_declares(
    worker: LoneWorker, people: People, document: dict[str, Any], who: str
) -> None:
    """On every route, with good and bad input: status, content type, headers and shape; and never a 500.

    Everybody tries everything; who a route is for, tries it thoroughly.
    """
    token, routes = (
        await token_of(people, who),
        [each for each in TABLE if not ENDS_SIGN_INS.match(each.path)],
    )
    ours = {label(each) for each in routes if home(each) == who}
    others = {label(each) for each in routes} - ours
    findings = await asyncio.to_thread(swarm, worker.url, document, token, ours, thorough=True)
    simpler = unconditional(document)
    for labels in (ours, others):
        await asyncio.to_thread(swarm, worker.url, simpler, token, labels, thorough=False, findings=findings)
    assert findings.failures == {}, findings.told()
    assert findings.passed.keys() == set(CHECKS)
    for route in routes:
        welcome = who != "nobody" and (route.policy.roles is None or who in route.policy.roles)
        refusals = {401, 403, 405} if welcome else {405}
        assert set(findings.statuses[label(route)]) - refusals, f"{who} never got into {label(route)}"
    assert worker.defects() == []


@pytest.mark.parametrize("who", ["user", "admin", "nobody"])
async def test_so_is_every_answer_of_what_ends_a_sign_in(
    worker: LoneWorker, people: People, document: dict[str, Any], who: str
) -> None:
    """By somebody of its own: after the first good one, everything else is 401."""
    labels = {label(each) for each in TABLE if ENDS_SIGN_INS.match(each.path)}
    token = await token_of(people, who)
    findings = await asyncio.to_thread(swarm, worker.url, document, token, labels, thorough=who == "user")
    assert findings.failures == {}, findings.told()
    assert findings.statuses.keys() == labels
    assert worker.defects() == []


async def test_a_document_that_says_too_little_would_be_found_out(
    worker: LoneWorker, people: People, document: dict[str, Any]
) -> None:
    """The swarm stings: without a 422 or with another shape it fails."""
    poor = copy.deepcopy(document)
    del poor["paths"]["/auth/verify"]["post"]["responses"]["422"]
    poor["components"]["schemas"]["Ticket"]["properties"]["expires_in"] = {"type": "string"}
    labels, token = {"POST /auth/verify", "POST /auth/ws-ticket"}, await token_of(people, "user")
    findings = await asyncio.to_thread(swarm, worker.url, poor, token, labels, thorough=True)
    assert set(findings.failures) == labels
