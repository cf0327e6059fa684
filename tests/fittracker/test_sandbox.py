"""Work on strangers' bytes; hanging, killed and starving processes are in tests/fittracker/recordings."""

from __future__ import annotations

import asyncio

import pytest

from fittracker.avatars import MEMORY_BYTES
from fittracker.errors import Unavailable
from fittracker.pictures import work
from fittracker.sandbox import Overdue, Sandbox
from tests.fittracker.picture_files import halves, saved


async def test_what_takes_too_long_is_killed_and_the_next_one_is_done() -> None:
    """In a process of its own: nothing but a picture costs the picture's time."""
    data = saved(halves(), "PNG")
    async with Sandbox(timeout_s=0.0, memory_bytes=MEMORY_BYTES) as hasty:
        with pytest.raises(Overdue):
            await hasty.run(work, data)
        assert hasty.pids == []
    async with Sandbox(timeout_s=20, memory_bytes=MEMORY_BYTES) as sandbox:
        answers = await asyncio.gather(*(sandbox.run(work, data) for _ in range(3)))
        assert len(set(answers)) == 1
        assert len(sandbox.pids) == 1


async def test_a_closed_one_does_nothing_more() -> None:
    """Who comes too late is told so."""
    sandbox = Sandbox()
    await sandbox.close()
    with pytest.raises(Unavailable):
        await sandbox.run(work, b"")
