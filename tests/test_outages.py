"""What a client sees while MongoDB or Valkey is away, slow, or out of space; and that it heals by itself.

What is said meanwhile is answered with `unavailable`: nobody knows what became of it, and it is safe to send
it again with the same `client_id`. Then it is there once, in one place, for everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from pymongo.errors import PyMongoError
from redis.asyncio import Redis

import config.settings
from fittracker.embedded import Services
from fittracker.embedded.server import LOOPBACK
from tests.fault_proxy import FaultProxy
from tests.handlers.api import eventually
from tests.house import House, open_house
from tests.peer import Peer, Refused, connect
from tests.people import Person
from tests.tiny_disk import TinyDisk, tiny_disk
from tests.ws.heart_rate import samples, strap


@dataclass
class Scene:
    """A worker, what it stands on, and the ways there."""

    house: House
    services: Services
    to_mongo: FaultProxy
    to_valkey: FaultProxy

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """What the worker says of itself: the status, and each dependency's."""
        async with ClientSession() as http:
            async with http.get(f"{self.house.url}/health/live") as answer:
                assert answer.status == 200
            async with http.get(f"{self.house.url}/health/ready") as answer:
                body = await answer.json()
                return answer.status, {name: each["status"] for name, each in body["dependencies"].items()}

    async def becomes_ready(self) -> None:
        """It heals by itself."""

        async def good() -> bool:
            return (await self.ready())[0] == 200

        await eventually(good, "the worker is ready", seconds=40)

    async def kill(self, name: str) -> None:
        """SIGKILL to mongod or valkey."""
        await asyncio.to_thread(self.services.kill, name)

    async def restart_valkey(self) -> None:
        """As a supervisor does, without what it knew."""
        await asyncio.to_thread(lambda: self.services.restart_redis(keep_data=False))

    async def restart_mongod(self) -> None:
        """As a supervisor does."""
        await asyncio.to_thread(self.services.restart_mongo)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Servers of its own below this folder, each behind a proxy."""
    async with AsyncExitStack() as stack:
        services = stack.enter_context(await asyncio.to_thread(Services.start, folder))
        mongo_port = int(services.mongo_url.partition("/?")[0].rpartition(":")[2])
        address, _, valkey_port = services.redis_url.rpartition("/")[0].rpartition(":")
        to_mongo = await stack.enter_async_context(FaultProxy((LOOPBACK, mongo_port)))
        to_valkey = await stack.enter_async_context(FaultProxy((LOOPBACK, int(valkey_port))))
        settings = config.settings.load(
            mode="test",
            # Straight: the set names its member by the port behind the proxy.
            mongo_url=f"mongodb://{LOOPBACK}:{to_mongo.port}/?directConnection=true",
            mongo_database="fittracker_outages",
            redis_url=f"{address}:{to_valkey.port}/0",
            bcrypt_cost=4,
            hr_flush_s=0.05,
            ws_commands=10_000,
        )
        house = await stack.enter_async_context(open_house(settings))
        yield Scene(house, services, to_mongo, to_valkey)


@pytest.fixture(scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """One for all that leave their servers as they found them."""
    async with scene(tmp_path_factory.mktemp("outages")) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says something waits for a second, not for ten."""
    monkeypatch.setattr("fittracker.roomlog.log.PATIENCE_S", 1.0)


@dataclass
class Talk:
    """Two people in a room."""

    scene: Scene
    room: str
    speaker: Peer
    listener: Peer

    async def say(self, text: str, client_id: str) -> dict[str, Any]:
        """Say it until it is sure."""
        told = {"room": self.room, "text": text, "client_id": client_id}

        async def sure() -> dict[str, Any] | None:
            return await attempt(self.speaker, told)

        return await eventually(sure, f"{text!r} is said", seconds=40) or {}

    async def history(self) -> list[tuple[str, int, str]]:
        """Text, number and id of all that was said."""
        page = await self.speaker.call("chat.history", room=self.room, limit=100)
        return [(each["text"], each["seq"], each["id"]) for each in page["messages"]]

    async def heard(self, last: int) -> list[str]:
        """What the listener is sent up to this number: texts, and `gap` where one was announced."""
        came: list[str] = []
        at = 0
        while at < last:
            frame = await self.listener.next()
            if frame["type"] == "chat.message":
                came.append(frame["data"]["text"])
                at = frame["seq"]
            elif frame["type"] == "room.gap":
                came.append("gap")
                at = frame["data"]["seq"]
        return came


async def attempt(speaker: Peer, told: dict[str, Any]) -> dict[str, Any] | None:
    """Say something once: the answer, or None where the outcome is unknown."""
    try:
        return await speaker.call("chat.send", **told)
    except Refused as refusal:
        if refusal.code != "unavailable":
            raise
        return None


@asynccontextmanager
async def talk(scene: Scene) -> AsyncIterator[Talk]:
    """Both are in the room, and `before` was said and heard."""
    people = scene.house.people
    anna, bela = await people.crowd(2)
    room = await conversation(scene, anna, bela)
    async with connect(scene.house.url, anna.token) as speaker, connect(scene.house.url, bela.token) as other:
        await speaker.call("room.join", room=room)
        await other.call("room.join", room=room)
        stage = Talk(scene, room, speaker, other)
        said = await stage.say("before", str(uuid4()))
        assert await stage.heard(said["seq"]) == ["before"]
        yield stage


async def conversation(scene: Scene, one: Person, other: Person) -> str:
    """The room of the two."""
    conversations = scene.house.people.contexts.conversations
    made = await conversations.begin(one.id, "direct", [other.id], None)
    return f"chat:{made['_id']}"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, how it ends, and who is missed meanwhile."""

    begin: Callable[[Scene], Awaitable[Any]]
    end: Callable[[Scene], Awaitable[Any]]
    missing: str


async def _stall_valkey(scene: Scene) -> None:
    scene.to_valkey.stall()


async def _flow_valkey(scene: Scene) -> None:
    scene.to_valkey.flow()


FAULTS = {
    "valkey is killed": Fault(lambda scene: scene.kill("valkey"), Scene.restart_valkey, "redis"),
    "valkey says nothing": Fault(_stall_valkey, _flow_valkey, "redis"),
    "mongod is killed": Fault(lambda scene: scene.kill("mongod"), Scene.restart_mongod, "mongodb"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_what_is_said_while_something_is_away_is_there_once_afterwards(
    ground: Scene, name: str
) -> None:
    """The answer says that nobody knows; the probe says what is missing; afterwards all is well."""
    fault = FAULTS[name]
    client_id = str(uuid4())
    async with talk(ground) as stage:
        await fault.begin(ground)
        refused, (status, dependencies) = await asyncio.gather(
            stage.speaker.refused("chat.send", room=stage.room, text="meanwhile", client_id=client_id),
            ground.ready(),
        )
        assert (refused["code"], refused["retry"]) == ("unavailable", True)
        assert "safe" in refused["detail"]
        assert (status, dependencies.pop(fault.missing)) == (503, "missing")
        assert set(dependencies.values()) == {"ok"}
        await fault.end(ground)
        said = await stage.say("meanwhile", client_id)
        again = await stage.say("meanwhile", client_id)
        assert again == said
        await ground.becomes_ready()
        after = await stage.say("after", str(uuid4()))
        history = await stage.history()
        assert [text for text, _, _ in history] == ["before", "meanwhile", "after"]
        assert history[1][1:] == (said["seq"], said["id"])
        heard = await stage.heard(after["seq"])
        if "gap" not in heard:
            assert heard == ["meanwhile", "after"]


@pytest.mark.parametrize("which", ["to_mongo", "to_valkey"])
async def test_a_connection_that_is_cut_in_the_middle_is_made_again(ground: Scene, which: str) -> None:
    """Again and again, wherever in a command it breaks; what was said is there once, and heard in order."""
    proxy: FaultProxy = getattr(ground, which)
    async with talk(ground) as stage:
        texts = [f"{number}" for number in range(20)]
        cuts = proxy.cuts
        for text in texts:
            saying = asyncio.create_task(stage.say(text, str(uuid4())))
            await asyncio.sleep(0)
            await proxy.cut()
            said = await saying
        assert proxy.cuts > cuts
        assert [text for text, _, _ in await stage.history()] == ["before", *texts]
        heard = await stage.heard(said["seq"])
        if "gap" not in heard:
            assert heard == texts
    await ground.becomes_ready()


async def test_a_slow_mongodb_makes_everything_slow_and_nothing_wrong(ground: Scene) -> None:
    """An answer comes when it is stored, and not before; who listens hears it at once."""
    async with talk(ground) as stage:
        ground.to_mongo.delay_s = 0.15
        try:
            saying = asyncio.create_task(stage.say("slow", str(uuid4())))
            assert await stage.heard(2) == ["slow"]
            assert not saying.done()
            await saying
            assert (await ground.ready())[0] == 200
        finally:
            ground.to_mongo.delay_s = 0.0


async def test_a_mongodb_that_stalls_is_waited_for(ground: Scene) -> None:
    """The probe says so; what was asked meanwhile is answered when it goes on."""
    async with talk(ground) as stage:
        ground.to_mongo.stall()
        try:
            saying = asyncio.create_task(stage.say("stalled", str(uuid4())))
            status, dependencies = await ground.ready()
            assert (status, dependencies) == (503, {"mongodb": "missing", "redis": "ok"})
            assert not saying.done()
        finally:
            ground.to_mongo.flow()
        await saying
        await ground.becomes_ready()
        assert [text for text, _, _ in await stage.history()] == ["before", "stalled"]


# -- full disks ----------------------------------------------------------------------------------------------


async def test_a_valkey_whose_disk_is_full_is_away_until_there_is_space(tmp_path: Path) -> None:
    """It answers, and refuses to write: nothing is acknowledged, nothing is an error of ours."""
    folder = tmp_path / "data"
    with tiny_disk(folder / "redis", 2) as disk:
        async with (
            scene(folder) as ground,
            talk(ground) as stage,
            Redis.from_url(ground.services.redis_url) as console,
        ):
            await console.config_set("appendonly", "yes")
            await _full(disk, console)
            told = {"room": stage.room, "text": "meanwhile", "client_id": str(uuid4())}
            assert await attempt(stage.speaker, told) is None
            status, dependencies = await ground.ready()
            assert (status, dependencies) == (503, {"mongodb": "ok", "redis": "missing"})
            disk.free()
            await stage.say("meanwhile", told["client_id"])
            await ground.becomes_ready()
            await stage.say("after", str(uuid4()))
            assert [text for text, _, _ in await stage.history()] == ["before", "meanwhile", "after"]


async def _full(disk: TinyDisk, console: Any) -> None:
    """Fill the disk until Valkey has noticed."""

    async def started() -> bool:
        state = await console.info("persistence")
        return bool(state["aof_enabled"]) and not state["aof_rewrite_in_progress"]

    await eventually(started, "Valkey writes to its disk", seconds=20)
    disk.fill()

    async def noticed() -> bool:
        try:
            await console.set("noise", "x" * 10_000)
        except Exception as error:  # noqa: BLE001  whatever it says, it is looked at below
            return str(error).startswith("MISCONF")
        return False

    await eventually(noticed, "Valkey has noticed that its disk is full", seconds=20)


async def test_a_mongodb_whose_disk_is_full_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """mongod ends when it cannot write its journal; with space and a new start all goes on."""
    folder = tmp_path / "data"
    with tiny_disk(folder / "mongo", 400) as disk:
        async with scene(folder) as ground, talk(ground) as stage:
            athlete = await ground.house.people.athlete()
            async with connect(ground.house.url, athlete.token) as wearer:
                worn = await strap(wearer)
                await worn.push(*samples(1, 5))
                await worn.ack(5)
                await asyncio.to_thread(disk.fill)
                last = await stage.say("into the journal", str(uuid4()))
                with contextlib.suppress(PyMongoError):  # a checkpoint, for which there is no space
                    await ground.house.people.contexts.database.client.admin.command("fsync")
                told = {"room": stage.room, "text": "meanwhile", "client_id": str(uuid4())}
                await worn.push(*samples(6, 5))
                answer, (_, dependencies) = await asyncio.gather(attempt(stage.speaker, told), ground.ready())
                assert answer is None
                assert dependencies == {"mongodb": "missing", "redis": "ok"}
                disk.free()
                await ground.restart_mongod()
                await stage.say("meanwhile", told["client_id"])
                await worn.ack(10)
                await ground.becomes_ready()
                history = await stage.history()
                assert [text for text, _, _ in history] == ["before", "into the journal", "meanwhile"]
                assert history[1][1:] == (last["seq"], last["id"])
                assert (await worn.close())["summary"]["samples"] == 10
