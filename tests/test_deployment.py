"""What the container image holds is enough to serve, and what the deployment files set are settings."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import secrets
import shutil
import sys
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession

from config.settings import Settings
from fittracker.embedded.server import free_port

ROOT = Path(__file__).resolve().parents[1]
VARIABLES = {str(each.metadata["variable"]) for each in dataclasses.fields(Settings)}
SECRETS = {"TOKEN_KEYS", "PASSWORD_PEPPER"}
START_S = 30.0


def copied() -> list[str]:
    """The folders that the Dockerfile copies into the image."""
    return re.findall(r"^COPY (\w+) \./\1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The working directory of a container: the folders of the Dockerfile and nothing else."""
    folder = tmp_path / "srv"
    for name in copied():
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def environment(image: Path, mongo_url: str, redis_url: str, port: int) -> dict[str, str]:
    """A production environment, with nothing of ours but the path to the programs."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(image),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BIND": f"127.0.0.1:{port}",
        "WORKERS": "1",
        "DRAIN_S": "1",
        "MONGO_URL": mongo_url,
        "MONGO_DATABASE": "fittracker_test",
        "REDIS_URL": redis_url,
        "PUBLIC_ORIGIN": "https://fit.example.org",
        "TOKEN_KEYS": f"a:{secrets.token_urlsafe(32)}",
        "PASSWORD_PEPPER": secrets.token_urlsafe(32),
    }


async def serve(image: Path, variables: dict[str, str]) -> asyncio.subprocess.Process:
    """What the image's CMD runs."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fittracker", "serve"),
        cwd=image,
        env=variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_image_serves_in_production_and_drains_on_sigterm(
    image: Path, mongo_url: str, redis_url: str
) -> None:
    """Started as the container does, it becomes ready from its own files, and ends by itself when told to."""
    port = free_port()
    process = await serve(image, environment(image, mongo_url, redis_url, port))
    log = asyncio.ensure_future(process.communicate())
    try:
        async with asyncio.timeout(START_S), ClientSession(f"http://127.0.0.1:{port}") as http:
            while (status := await ready(http)) != 200:
                assert process.returncode is None, (status, await log)
                await asyncio.sleep(0.05)
            async with http.get("/dev/mail") as response:
                assert response.status == 404
        files = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert str(image / "config" / "gunicorn.conf.py").encode() in files
        process.terminate()
        _, errors = await asyncio.wait_for(log, 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    assert b'"drained"' in errors


async def ready(http: ClientSession) -> int:
    """The status of /health/ready; 0 while nobody listens."""
    try:
        async with http.get("/health/ready") as response:
            return response.status
    except ClientConnectionError:
        return 0


@pytest.mark.parametrize("missing", sorted(SECRETS | {"MONGO_URL", "REDIS_URL"}))
async def test_the_image_does_not_start_without(
    image: Path, mongo_url: str, redis_url: str, missing: str
) -> None:
    """There is no default for a secret, nor for where the data is; the message names what is missing."""
    variables = environment(image, mongo_url, redis_url, free_port())
    del variables[missing]
    process = await serve(image, variables)
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode not in {0, None}
    assert errors.decode().count("\n") == 1, "a sentence, and no traceback"
    assert missing in errors.decode()


def test_the_image_leaves_nothing_out() -> None:
    """Every package of the product and the templates are copied, and the build context has them."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert set(copied()) == packages | {"templates"}
    context = (ROOT / ".dockerignore").read_text().splitlines()
    for name in copied():
        assert f"!{name}/**" in context


def test_compose_sets_only_settings() -> None:
    """A misspelt variable would be ignored in silence."""
    compose = (ROOT / "docker-compose.yml").read_text()
    block = re.search(r"^    environment:\n((?:      .*\n)+)", compose, re.MULTILINE)
    assert block is not None
    names = set(re.findall(r"^      ([A-Z_]+):", block[1], re.MULTILINE))
    assert {"MONGO_URL", "REDIS_URL", "TRUSTED_PROXIES", *SECRETS} <= names
    assert names <= VARIABLES


def test_compose_has_no_default_for_a_secret() -> None:
    """Each is asked for with `:?`, so that nothing starts without it."""
    compose = (ROOT / "docker-compose.yml").read_text()
    for name in SECRETS:
        assert re.search(rf"^      {name}: \$\{{{name}:\?.+\}}$", compose, re.MULTILINE), name
    assert not re.search(r"(PASSWORD|PEPPER|KEYS?|SECRET)[^}\n]*:-[^}]", compose)
