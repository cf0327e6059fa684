"""The clients that the README shows work as they stand there."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fittracker.client import Client, Sample
from fittracker.clock import Clock
from tests.people import People, open_people
from tests.server import LoneWorker, lone_workers

README = Path(__file__).resolve().parents[1] / "README.md"
SHOWN = re.compile(r"<!-- tests/test_readme.py runs this -->\n```(\w+)\n(.*?)```", re.DOTALL)
PATIENCE_S = 30.0


def shown(language: str) -> str:
    """The program of that language."""
    (program,) = [text for found, text in SHOWN.findall(README.read_text()) if found == language]
    return str(program)


@pytest.fixture(scope="module")
async def worker(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LoneWorker]:
    """A running server."""
    logs = tmp_path_factory.mktemp("logs")
    async with lone_workers(1, mongo_url, mongo_database, redis_url, logs) as (only,):
        yield only


@pytest.fixture(scope="module")
async def people(worker: LoneWorker) -> AsyncIterator[People]:
    """Its people."""
    async with open_people(worker.settings) as opened:
        yield opened


async def test_the_client_in_python(worker: LoneWorker, people: People, tmp_path: Path) -> None:
    """It shows each heart rate as it comes back from the server, and the summary of what was stored."""
    program = tmp_path / "client.py"
    program.write_text(shown("python"))
    athlete = await people.athlete()
    process = await start(sys.executable, str(program), worker.url, athlete.token)
    output, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0, errors.decode()
    *updates, summary = output.decode().splitlines()
    assert [line.split(" bpm")[0] for line in updates] == ["118", "121", "125", "130", "134"]
    assert "samples=5" in summary
    assert "max_bpm=134" in summary


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js here")
async def test_the_client_in_javascript(worker: LoneWorker, people: People, tmp_path: Path) -> None:
    """It watches its owner's heart rate with a ticket, and reads the close code."""
    program = tmp_path / "client.mjs"
    program.write_text(shown("js"))
    athlete = await people.athlete()
    process = await start("node", "--experimental-websocket", str(program), worker.url, athlete.token)
    assert process.stdout is not None
    try:
        async with Client(worker.url, token=athlete.token) as client:
            stream = await client.open_stream()
            line = asyncio.ensure_future(process.stdout.readline())
            async with asyncio.timeout(PATIENCE_S):
                # It may still be connecting: whoever watches sees what comes from then on.
                while not line.done():
                    await stream.push([Sample(Clock().now_ms(), 120)])
                    await asyncio.wait([line], timeout=0.1)
            assert line.result().decode().startswith("120 bpm, zone ")
            await people.contexts.sessions.end(athlete.id, athlete.sid)
        rest = (await asyncio.wait_for(process.stdout.read(), PATIENCE_S)).decode()
        assert rest.splitlines()[-1] == "4010 come back"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def start(*command: str) -> asyncio.subprocess.Process:
    """A program whose output is read."""
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
