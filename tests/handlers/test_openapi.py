"""The description of the API agrees with the API."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fittracker.app import asyncapi_document
from handlers.openapi import STYLE_POLICY
from handlers.rest import MODULES
from handlers.routes import Routes
from tests.handlers.api import Api


@pytest.fixture
async def spec(api: Api) -> dict[str, Any]:
    answer = await api.call("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    return dict(answer.data)


def references(value: Any) -> set[str]:
    """Every $ref in it."""
    if isinstance(value, dict):
        mine = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return mine.union(*map(references, value.values()))
    if isinstance(value, list):
        return set().union(*map(references, value))
    return set()


async def test_every_route_is_described_with_its_policy(spec: dict[str, Any]) -> None:
    """Method, path, who may, and all the ways in which it can go wrong."""
    for route in Routes(MODULES):
        operation = spec["paths"][route.path][route.method.lower()]
        assert operation["x-policy"] == route.policy.name
        assert bool(operation["security"]) is not route.policy.anonymous
        assert {str(route.status), "400", "422", "429", "500", "503"} <= set(operation["responses"])
        signs_in = route.path in {"/auth/login", "/auth/console/login", "/auth/refresh"}
        assert ("401" in operation["responses"]) is (not route.policy.anonymous or signs_in)
        assert {each["name"] for each in operation["parameters"] if each["in"] == "path"} == set(
            re.findall(r"{(\w+)}", route.path)
        )


async def test_every_reference_leads_somewhere(spec: dict[str, Any]) -> None:
    """No schema is missing, and operation ids are unique."""
    known = {f"#/components/schemas/{name}" for name in spec["components"]["schemas"]}
    assert references(spec) <= known
    ids = [each["operationId"] for path in spec["paths"].values() for each in path.values()]
    assert len(set(ids)) == len(ids)


async def test_the_page_shows_every_path(api: Api, spec: dict[str, Any]) -> None:
    """Without a script, and with nothing from elsewhere."""
    answer = await api.call("GET", "/docs")
    page = answer.raw.decode()
    assert answer.headers["Content-Type"].startswith("text/html")
    for path in spec["paths"]:
        assert f"/api/v1{path}" in page
    assert "<script" not in page
    assert "http:" not in page
    assert "https:" not in page
    assert "script-src" not in answer.headers["Content-Security-Policy"]


async def test_the_websocket_is_described_beside_it(api: Api) -> None:
    """As AsyncAPI and as a page; made when somebody asks first, the same for everybody after."""
    document = await api.call("GET", "/asyncapi.json")
    assert document.headers["Content-Type"].startswith("application/json")
    assert (document.data["asyncapi"], document.raw) == ("3.0.0", asyncapi_document())
    page = await api.call("GET", "/docs/live")
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Content-Security-Policy"] == STYLE_POLICY
    assert "room.join" in page.raw.decode()
    assert page.raw == (await api.call("GET", "/docs/live")).raw
    assert "docs/live" in (await api.call("GET", "/docs")).raw.decode()
