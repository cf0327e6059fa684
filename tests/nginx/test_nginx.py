"""What passes our nginx and what does not, with a real nginx, a real worker and real TLS."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import (
    ClientResponse,
    ClientSession,
    ClientWebSocketResponse,
    TCPConnector,
    WSServerHandshakeError,
)

from fittracker.clock import Clock
from fittracker.embedded.server import free_port
from tests.nginx import proxy
from tests.nginx.proxy import OURS, Site
from tests.people import People, open_people
from tests.server import LoneWorker, lone_workers

pytestmark = pytest.mark.skipif(not proxy.is_installed(), reason="there is no nginx here")

FORGED = "203.0.113.9"
STRANGERS_PATHS = (
    "/metrics",
    "/health/ready",
    "/api/v1/docs",
    "/api/v1/docs/live",
    "/api/v1/openapi.json",
    "/api/v1/asyncapi.json",
    "/dev/mail",
    "/",
)


@pytest.fixture(scope="module")
async def worker(
    services: Any,
    mongo_url: str,
    mongo_database: str,
    redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[LoneWorker]:
    """A server that believes a proxy on the loopback, as it is told to in production."""
    logs = tmp_path_factory.mktemp("logs")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRUSTED_PROXIES", "127.0.0.1/32")
        async with lone_workers(
            1, mongo_url, mongo_database, redis_url, logs, public_origin="https://fit.example.org"
        ) as (only,):
            yield only
            assert only.defects() == []


@pytest.fixture(scope="module")
async def people(worker: LoneWorker) -> AsyncIterator[People]:
    """People of that server."""
    async with open_people(worker.settings) as opened:
        yield opened


@pytest.fixture(scope="module")
async def site(worker: LoneWorker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """nginx in front of it, where nobody is an insider."""
    folder = tmp_path_factory.mktemp("nginx") / "etc"
    async with proxy.running(proxy.lay_out(folder, worker.settings.bind)) as started:
        yield started


@asynccontextmanager
async def browser(site: Site, **options: Any) -> AsyncIterator[ClientSession]:
    """A client that speaks TLS with this nginx."""
    connector = TCPConnector(ssl=site.trust)
    async with ClientSession(site.url, connector=connector, **options) as session:
        yield session


def bearer(token: str) -> dict[str, str]:
    """The header of somebody signed in."""
    return {"Authorization": f"Bearer {token}"}


async def problem(response: ClientResponse) -> str:
    """The code of a problem."""
    assert response.content_type == "application/problem+json"
    body = await response.json(content_type=None)
    assert body["status"] == response.status
    return str(body["code"])


async def hello(socket: ClientWebSocketResponse[bool]) -> dict[str, Any]:
    """The first frame."""
    frame: dict[str, Any] = await socket.receive_json(timeout=10)
    assert frame["type"] == "hello"
    return dict(frame["data"])


# -- what passes -------------------------------------------------------------------------------------


async def test_a_socket_passes_and_its_owner_is_greeted(site: Site, people: People) -> None:
    """The upgrade, hello, and a command and its answer, through TLS and nginx."""
    athlete = await people.athlete()
    async with (
        browser(site) as http,
        http.ws_connect("/ws", headers=bearer(athlete.token), protocols=("fittracker.v1.json",)) as socket,
    ):
        assert (await hello(socket))["user"] == athlete.id
        assert socket.protocol == "fittracker.v1.json"
        await socket.send_json({"id": 1, "type": "ping"})
        assert (await socket.receive_json(timeout=10))["type"] == "result"


async def test_a_sample_is_acknowledged_through_nginx(site: Site, people: People) -> None:
    """Frames are passed on as they come, and not when a buffer is full."""
    athlete = await people.athlete()
    stream = "00000000-0000-4000-8000-000000000001"
    async with browser(site) as http, http.ws_connect("/ws", headers=bearer(athlete.token)) as socket:
        await hello(socket)
        await socket.send_json({"id": 1, "type": "hr.open", "data": {"stream": stream}})
        assert (await socket.receive_json(timeout=10))["data"]["acked"] == 0
        sample = {"seq": 1, "t": Clock().now_ms(), "bpm": 120}
        await socket.send_json({"type": "hr.push", "data": {"stream": stream, "samples": [sample]}})
        acknowledged = await socket.receive_json(timeout=10)
        assert acknowledged == {"type": "hr.ack", "data": {"stream": stream, "seq": 1}}


async def test_a_ticket_in_the_address_is_not_logged(site: Site, people: People) -> None:
    """A browser's ticket passes, and no log of nginx has it."""
    athlete = await people.athlete()
    ticket = await people.ticket(athlete)
    async with browser(site) as http, http.ws_connect(f"/ws?ticket={ticket}") as socket:
        assert (await hello(socket))["user"] == athlete.id
    assert '"path":"/ws"' in site.log
    assert ticket not in site.log


async def test_rest_passes_with_each_header_once(site: Site, people: People) -> None:
    """The profile of who asks; what both nginx and the application would add is there once."""
    athlete = await people.athlete()
    async with browser(site) as http, http.get("/api/v1/users/me", headers=bearer(athlete.token)) as response:
        assert response.status == 200
        assert (await response.json())["id"] == athlete.id
        headers = response.headers
        assert headers.getall("Strict-Transport-Security") == ["max-age=31536000; includeSubDomains"]
        assert headers.getall("X-Content-Type-Options") == ["nosniff"]
        assert headers.getall("Referrer-Policy") == ["no-referrer"]
        assert headers.getall("Content-Security-Policy") == ["default-src 'none'; frame-ancestors 'none'"]
        assert headers["Cache-Control"] == "no-store"
        assert re.search(r"\d", headers.get("Server", "")) is None


async def test_liveness_is_for_everybody(site: Site) -> None:
    """A load balancer may ask whether there is life; it learns nothing else."""
    async with browser(site) as http, http.get("/health/live") as response:
        assert response.status == 200
        assert await response.json() == {"status": "ok"}


async def test_plain_http_is_sent_to_https(site: Site) -> None:
    """Nothing is served without TLS."""
    async with (
        ClientSession() as http,
        http.get(f"http://127.0.0.1:{site.plain_port}/api/v1/users/me", allow_redirects=False) as response,
    ):
        assert response.status == 308
        assert response.headers["Location"] == "https://127.0.0.1/api/v1/users/me"


# -- what does not -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", STRANGERS_PATHS)
async def test_F4_strangers_find_nothing_but_the_product(site: Site, path: str) -> None:
    """Metrics, detailed health, the description of the API and the rest look as if they were not there."""
    async with browser(site) as http, http.get(path) as response:
        assert response.status == 404
        assert await problem(response) == "not_found"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "//metrics",
        "/%6detrics",
        "/api/v1/../../metrics",
        "/api/v1/%2e%2e/%2e%2e/metrics",
        "/metrics/",
        "/Metrics",
    ],
)
async def test_F4_spelling_it_differently_does_not_help(site: Site, path: str) -> None:
    """nginx and the application read a path alike."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.tls_port, ssl=site.trust)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 404"), answer
    assert b"fittracker_" not in answer


async def test_F4_insiders_see_the_metrics(worker: LoneWorker, tmp_path: Path) -> None:
    """Whoever is named in site/insiders.conf does."""
    site = proxy.lay_out(tmp_path / "etc", worker.settings.bind, insiders="allow 127.0.0.0/8;")
    async with proxy.running(site), browser(site) as http:
        async with http.get("/metrics") as response:
            assert response.status == 200
            assert "fittracker_sockets" in await response.text()
        async with http.get("/health/ready") as response:
            assert (await response.json())["dependencies"]["mongodb"]["status"] == "ok"
        async with http.get("/dev/mail") as response:
            assert response.status == 404


async def test_F3_a_foreign_forwarded_address_does_not_get_through(
    site: Site, worker: LoneWorker, people: People
) -> None:
    """The worker hears the address that nginx saw; without nginx it would believe the claim."""
    athlete = await people.athlete()
    claims = {"X-Forwarded-For": FORGED, "X-Real-IP": FORGED, "Forwarded": f"for={FORGED}"}
    seen = len(worker.log.read_text())
    headers = claims | bearer(athlete.token)
    async with browser(site, headers=headers) as http, http.get("/api/v1/users/me") as response:
        assert response.status == 200
    through = worker.log.read_text()[seen:]
    assert '"address":"127.0.0.1"' in through.replace(" ", "")
    assert FORGED not in through
    async with (
        ClientSession(worker.url, headers=headers) as http,
        http.get("/api/v1/users/me") as response,
    ):
        assert response.status == 200
    assert FORGED in worker.log.read_text()[seen:]


async def test_a_picture_may_be_larger_than_json(site: Site, people: People) -> None:
    """Four megabytes reach the application, which tells what it thinks of them; six do not."""
    anna = await people.athlete()
    headers = {"Authorization": f"Bearer {anna.token}", "Content-Type": "image/png"}
    async with browser(site, headers=headers) as http:
        for megabytes, status, code in ((4, 422, "invalid"), (6, 413, "too_large")):
            body = io.BytesIO(b" " * (megabytes << 20))
            async with http.put("/api/v1/users/me/avatar", data=body) as response:
                assert (response.status, await problem(response)) == (status, code)


async def test_an_export_may_be_larger_still(site: Site, people: People) -> None:
    """Twenty megabytes reach the application, which stores them and looks into them later."""
    anna = await people.athlete()
    headers = {"Authorization": f"Bearer {anna.token}", "Content-Type": "application/zip"}
    body = io.BytesIO(b"PK\x03\x04" + bytes(20 << 20))
    async with (
        browser(site, headers=headers) as http,
        http.post("/api/v1/users/me/import", data=body) as response,
    ):
        assert response.status == 202


async def test_a_large_body_is_refused_before_the_application_sees_it(site: Site, worker: LoneWorker) -> None:
    """More than REST_BODY_BYTES is 413, in the form of all problems."""
    seen = len(worker.log.read_text())
    body = io.BytesIO(b" " * (worker.settings.rest_body_bytes + 1))
    async with browser(site) as http, http.post("/api/v1/auth/login", data=body) as response:
        assert response.status == 413
        assert await problem(response) == "too_large"
    assert "/auth/login" not in worker.log.read_text()[seen:]


async def test_a_flood_is_held_back(worker: LoneWorker, tmp_path: Path) -> None:
    """Far more requests at once than anybody makes are refused with a time to come back."""
    site = proxy.lay_out(tmp_path / "etc", worker.settings.bind)
    async with proxy.running(site), browser(site) as http:
        statuses = []
        for _ in range(200):
            async with http.get("/api/v1/users/me") as response:
                statuses.append(response.status)
                if response.status == 429:
                    assert await problem(response) == "rate_limited"
                    assert response.headers["Retry-After"] == "2"
                    assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert statuses[:100] == [401] * 100
        assert 429 in statuses


async def test_without_workers_the_answer_says_when_to_come_back(tmp_path: Path) -> None:
    """A dead upstream is `unavailable`, for REST and for the upgrade."""
    site = proxy.lay_out(tmp_path / "etc", f"127.0.0.1:{free_port()}")
    async with proxy.running(site), browser(site) as http:
        async with http.get("/api/v1/users/me") as response:
            assert response.status == 503
            assert await problem(response) == "unavailable"
            assert response.headers["Retry-After"] == "2"
        with pytest.raises(WSServerHandshakeError) as refused:
            await http.ws_connect("/ws")
        assert refused.value.status == 503


# -- the site that is shipped ------------------------------------------------------------------------


def test_the_shipped_site_is_accepted_by_nginx(tmp_path: Path) -> None:
    """As in docker-compose.yml, but for places on the disk and what an nginx before 1.27.3 does not know."""
    folder = tmp_path / "etc"
    shutil.copytree(OURS, folder)
    proxy.certify(folder / "tls")
    for path, ours in (
        ("upstream", {"app:8080 resolve": "127.0.0.1:8080"}),
        ("http", {"/var/log/nginx/": ""}),
    ):
        file = folder / "site" / f"{path}.conf"
        text = file.read_text()
        for before, after in ours.items():
            assert before in text
            text = text.replace(before, after)
        file.write_text(text)
    (folder / "site" / "process.conf").write_text("pid nginx.pid; error_log error.log crit;\n")
    result = subprocess.run(
        proxy.command(folder, "-t"), capture_output=True, text=True, timeout=20, check=False
    )
    assert result.returncode == 0, result.stderr
