"""A camera app on the public client: it counts on over connections that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

import config.settings
from config.settings import Settings
from fittracker.client import Client, FormFault, FormRep
from fittracker.client.form import MOST_IN_A_PUSH, FormFrame
from tests.fittracker.client.scripted import Scripted
from tests.fittracker.form.skeletons import squat
from tests.house import House, open_house
from tests.ws.filmed import squats

Make = partial[Client]


@pytest.fixture(scope="module")
def settings(mongo_url: str, mongo_database: str, redis_url: str) -> Settings:
    """As in production but for cheap hashes."""
    return config.settings.load(
        mode="test", mongo_url=mongo_url, mongo_database=mongo_database, redis_url=redis_url, bcrypt_cost=4
    )


@pytest.fixture(scope="module")
async def house(settings: Settings) -> AsyncIterator[House]:
    """A running server."""
    async with open_house(settings) as house:
        yield house


def frames(count: int, **more: Any) -> list[FormFrame]:
    """So many squats."""
    return [(each["t"], each["points"]) for each in squats(count, **more)]


async def test_squats_are_counted_over_a_connection_that_breaks(house: House) -> None:
    """Two before, one after: three."""
    ada = await house.people.athlete()
    async with Client(house.url, token=ada.token) as client:
        form = await client.open_form("squat", "coco17")
        await form.push(frames(2, shape=squat(110, trunk=62)))
        rep = (await client.expect("form.rep", count=2)).data
        assert isinstance(rep, FormRep)
        assert rep.deductions == {"back_lean": 15}
        assert isinstance((await client.expect("form.fault")).data, FormFault)
        before = form.id
        house.connection(ada.id).transport.abort()
        await client.expect("client.disconnected")
        await form.push(frames(1))
        assert (await client.expect("form.rep", count=3)).get("analysis") == form.id != before
        assert form.count == 3
        closed = await form.close()
        assert (closed.reps, closed.faults) == (3, {})
        assert await form.close() is closed


async def test_many_frames_go_in_several_pushes_and_leaving_closes(script: Scripted, impatient: Make) -> None:
    """None is too large for the server, and the count is that of the summary."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        opening = asyncio.create_task(
            client.open_form("plank", "mediapipe33", session="s", aspect=1.5, world=True)
        )
        command = await peer.command("form.open")
        assert command["data"] == {
            "exercise": "plank",
            "model": "mediapipe33",
            "session": "s",
            "aspect": 1.5,
            "space": "world",
            "count_from": 0,
        }
        await peer.result(command, analysis="a")
        async with await opening as form:
            await form.push([(float(number), [None] * 33) for number in range(MOST_IN_A_PUSH + 1)])
            first, second = await peer.command("form.push"), await peer.command("form.push")
            assert [len(each["data"]["frames"]) for each in (first, second)] == [MOST_IN_A_PUSH, 1]
            assert "id" not in first
            closing = asyncio.create_task(form.close())
            await peer.result(await peer.command("form.close"), reps=0, held_s=60.0, more="unknown")
            assert (await closing).held_s == 60.0
