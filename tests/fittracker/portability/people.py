"""Somebody with a real recording, and what an archive of theirs says."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.recordings import read
from fittracker.stream import Sample, Stream
from fittracker.telemetry import Telemetry
from tests.fittracker.recorded import recording

Facts = dict[str, list[dict[str, Any]]]
OWN = ("id", "created_at", "session", "email", "name", "role", "verified_at")
"""What is another one's in another account: who they are, and what things are called there."""


class Strap:
    """Owns a stream and needs no acknowledgement."""

    def acknowledge(self, stream: Stream) -> None:
        """Not waited for."""

    def taken(self, stream: Stream) -> None:
        """Nobody takes it."""


async def ride(contexts: Contexts, user: str, name: str) -> int:
    """A real recording, streamed and summed up; how many samples it has."""
    samples = list(read(recording(f"workouts/{name}").read_bytes()).samples())
    telemetry = Telemetry(
        contexts.database,
        contexts.control,
        contexts.clock,
        worker="t" * 12,
        flush_s=60,
        flush_samples=100_000,
        buffer_samples=100_000,
    )
    physiology = await contexts.users.physiology(user)
    device = {"name": "Strap", "kind": "chest"}
    stream = await telemetry.open(
        str(uuid4()),
        user,
        physiology,
        session=None,
        sport="cycling",
        device=device,
        owner=Strap(),
        connection="c1",
    )
    for number, each in enumerate(samples, 1):
        # Every tenth number is skipped, as by a device that lost some.
        rr = [beat for beat in each.rr if 0 < beat <= 10_000]
        telemetry.accept(stream, [Sample(number + number // 10, each.t_ms, each.bpm, rr or None, True)])
        if number % 100 == 0:
            await telemetry.store(stream)
    await telemetry.store(stream)
    assert await contexts.workouts.finish(stream.id, user) is not None
    return len(samples)


async def ended(contexts: Contexts, job: str) -> dict[str, Any]:
    """A job, once it has ended."""
    async with asyncio.timeout(60):
        while True:
            found = await contexts.database.jobs.find_one({"_id": job})
            assert found is not None
            if found["status"] in {"ready", "failed"}:
                return found
            await contexts.ownership.exports.work()
            await contexts.ownership.imports.work()
            await asyncio.sleep(0.01)


async def exported(contexts: Contexts, user: str) -> bytes:
    """Everything of a person."""
    job = await contexts.ownership.exports.ask(user, SYSTEM)
    assert (await ended(contexts, job["_id"]))["status"] == "ready"
    _, content = await contexts.ownership.exports.fetch(user, job["_id"])
    return b"".join([chunk async for chunk in content])


async def imported(contexts: Contexts, user: str, content: bytes) -> dict[str, Any]:
    """What came of handing this in."""

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 50_000):
            yield content[at : at + 50_000]

    job = await contexts.ownership.imports.ask(user, pieces(), SYSTEM)
    done = await ended(contexts, job["_id"])
    assert done["status"] == "ready", done
    result: dict[str, Any] = done["result"]
    return result


def facts(content: bytes) -> Facts:
    """The rows of an archive, by file, without what is different in each account."""
    found: Facts = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        for name in sorted(archive.namelist()):
            source = name.partition(".")[0].partition("-")[0]
            if name == "export.json" or source == "sign_ins":
                continue
            lines = [archive.read(name)] if name.endswith(".json") else archive.read(name).splitlines()
            keep = ("id",) if source == "heart_streams" else ()
            found.setdefault(source, []).extend(
                {key: value for key, value in json.loads(line).items() if key not in OWN or key in keep}
                for line in lines
            )
    return found
