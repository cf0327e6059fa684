"""Alive, ready, and counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from fittracker.app import build_app
from fittracker.embedded import Services
from handlers.keys import READINESS
from tests.handlers.api import Api


async def test_it_says_that_it_lives(api: Api) -> None:
    """Whatever else is missing."""
    async with api.client.get("/health/live") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})


async def test_ready_names_each_dependency_and_how_long_it_took(api: Api) -> None:
    """In milliseconds."""
    async with api.client.get("/health/ready") as response:
        assert response.status == 200
        body = await response.json()
    assert body["status"] == "ok"
    assert set(body["dependencies"]) == {"mongodb", "redis"}
    assert all(0 < each["latency_ms"] < 2_000 for each in body["dependencies"].values())


async def test_while_draining_it_is_not_ready(api: Api) -> None:
    """So that nothing new is sent here; what is here goes on."""
    assert api.client.app is not None
    api.client.app[READINESS].draining = True
    try:
        async with api.client.get("/health/ready") as response:
            assert (response.status, (await response.json())["status"]) == (503, "draining")
        async with api.client.get("/health/live") as response:
            assert response.status == 200
    finally:
        api.client.app[READINESS].draining = False


async def test_requests_are_counted_by_pattern(api: Api) -> None:
    """Not by what people write into the path."""
    anna = await api.person()
    await anna.get(f"/sessions/{'e' * 24}")
    async with api.client.get("/metrics") as response:
        text = await response.text()
    assert 'fittracker_requests_total{method="GET",route="/api/v1/sessions/{id}",status="404"}' in text
    assert "e" * 24 not in text


@pytest.fixture
async def alone(settings: Settings, tmp_path: Path) -> AsyncIterator[tuple[TestClient, Services]]:
    """A server with a Valkey of its own, which may be killed."""
    with Services.start(tmp_path, mongo_url=settings.mongo_url) as services:
        app = build_app(settings.with_changes(redis_url=services.redis_url))
        async with TestClient(TestServer(app)) as client:
            yield client, services


async def test_without_redis_it_is_not_ready_but_people_still_get_in(
    alone: tuple[TestClient, Services], api: Api
) -> None:
    """503 names what is missing. Signing in, limits and lockout go on by MongoDB and memory alone."""
    client, services = alone
    anna = await api.person()
    services.kill("valkey")
    async with client.get("/health/ready") as response:
        assert response.status == 503
        body = await response.json()
    assert body["status"] == "unavailable"
    assert body["dependencies"]["redis"]["status"] == "missing"
    assert body["dependencies"]["mongodb"]["status"] == "ok"
    credentials = {"email": anna.email, "password": anna.password}
    async with client.post("/api/v1/auth/login", json=credentials) as response:
        assert response.status == 200
        token = (await response.json())["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with client.get("/api/v1/users/me", headers=headers) as response:
        assert response.status == 200
        assert "RateLimit" in response.headers
    async with client.post("/api/v1/auth/ws-ticket", headers=headers) as response:
        assert response.status == 503
        assert "Retry-After" in response.headers
    async with client.post("/api/v1/auth/logout", headers=headers) as response:
        assert response.status == 204
    async with client.get("/api/v1/users/me", headers=headers) as response:
        assert response.status == 401
