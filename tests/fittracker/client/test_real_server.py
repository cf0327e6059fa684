"""The client and the server of the product, together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import pytest

import config.settings
from config.settings import Settings
from fittracker.client import (
    Client,
    CommandError,
    Device,
    Disconnected,
    HeartStream,
    HrUpdate,
    Sample,
    StreamTaken,
)
from fittracker.mongo import Document
from tests.house import House, open_house
from tests.people import People, Person

Make = partial[Client]
PASSWORD = "violet harbour 7 lantern"


@pytest.fixture(scope="module")
def settings(mongo_url: str, mongo_database: str, redis_url: str) -> Settings:
    """Tokens that are about to end as soon as they are made: a warning comes 60 s before."""
    return config.settings.load(
        mode="test",
        mongo_url=mongo_url,
        mongo_database=mongo_database,
        redis_url=redis_url,
        bcrypt_cost=4,
        access_token_s=62,
        hr_flush_s=0.05,
        ws_sockets_per_user=100,
        ws_sockets_per_address=100,
    )


@pytest.fixture(scope="module")
async def house(settings: Settings) -> AsyncIterator[House]:
    """A running server."""
    async with open_house(settings) as house:
        yield house


@pytest.fixture(scope="module")
def people(house: House) -> People:
    """People whom it knows."""
    return house.people


def recording(count: int, *, start: int | None = None) -> list[Sample]:
    """So many seconds, until now, with beats."""
    first = start if start is not None else time.time_ns() // 1_000_000 - count * 1000
    return [Sample(first + place * 1000, 100 + place % 50, [600.0, 610.5], True) for place in range(count)]


async def stored(house: House, stream: str) -> list[tuple[int, int, int]]:
    """(seq, t, bpm) of every sample in the database, in order."""
    batches: list[Document] = await house.people.contexts.database.heart_batches.find(
        {"_id.s": stream}, sort=[("_id", 1)]
    ).to_list()
    rows = []
    for batch in batches:
        numbers = batch.get("seq") or range(batch["to"] - len(batch["t"]) + 1, batch["to"] + 1)
        rows += list(zip(numbers, batch["t"], batch["bpm"], strict=True))
    return rows


def rows(samples: list[Sample]) -> list[tuple[int, int, int]]:
    """The same of what was pushed."""
    return [(seq, each.t, each.bpm) for seq, each in enumerate(samples, 1)]


@pytest.mark.parametrize(("msgpack", "binary"), [(False, False), (True, False), (False, True), (True, True)])
async def test_a_recording_goes_up_and_comes_to_a_workout(
    house: House, people: People, impatient: Make, msgpack: bool, binary: bool
) -> None:
    """In every encoding: each sample stored once, in order, and the summary of all of them."""
    athlete = await people.athlete()
    samples = recording(700)
    async with (
        impatient(house.url, token=athlete.token, msgpack=msgpack) as client,
        await client.open_stream(sport="running", device=Device("Strap"), binary=binary) as stream,
    ):
        assert stream.opened is not None
        assert len(stream.opened.zones) == 5
        await stream.push(samples)
        await stream.flush()
        assert stream.unacknowledged == []
        assert await stored(house, stream.id) == rows(samples)
        closed = await stream.close()
    assert closed.summary.samples == 700
    assert closed.summary.max_bpm == max(each.bpm for each in samples)
    assert closed.summary.avg_bpm == pytest.approx(sum(each.bpm for each in samples) / 700, abs=0.05)
    assert closed.summary.rmssd_ms is not None


async def test_a_watcher_sees_an_athlete_live(house: House, people: People, impatient: Make) -> None:
    """With a grant, from another socket; then the summary."""
    athlete, trainer = await people.athlete(), await people.trainer()
    await people.grant(athlete, trainer)
    async with (
        impatient(house.url, token=trainer.token) as watching,
        impatient(house.url, token=athlete.token) as wearing,
    ):
        await watching.watch(athlete.id)
        stream = await wearing.open_stream()
        await stream.push(recording(1))
        update = await watching.expect("hr.update", user=athlete.id)
        assert isinstance(update.data, HrUpdate)
        assert update.data.bpm == 100
        assert update.room == f"heart:{athlete.id}"
        await stream.close()
        summary = await watching.expect("hr.summary", user=athlete.id)
        assert summary.data.summary.samples == 1


async def online(client: Client, session: str) -> dict[str, bool]:
    """Who of the session's people is in its room."""
    return {each.user: each.online for each in await client.members(f"session:{session}")}


async def test_members_of_a_session_are_told_and_counted(
    house: House, people: People, impatient: Make
) -> None:
    """Rooms by the typed helpers."""
    athlete, trainer = await people.athlete(), await people.trainer()
    session = await people.session(trainer, [athlete])
    async with (
        impatient(house.url, token=trainer.token) as coach,
        impatient(house.url, token=athlete.token) as client,
    ):
        joined = await coach.join(f"session:{session}")
        assert [each.user for each in joined.members] == [trainer.id]
        await client.join(f"session:{session}")
        assert await online(coach, session) == {trainer.id: True, athlete.id: True}
        await client.leave(f"session:{session}")
        async with asyncio.timeout(5):
            while await online(coach, session) != {trainer.id: True, athlete.id: False}:
                await asyncio.sleep(0.05)


async def test_nothing_is_lost_or_doubled_when_the_socket_breaks(
    house: House, people: People, impatient: Make
) -> None:
    """Cut in the middle, several times, without a close frame."""
    athlete = await people.athlete()
    samples = recording(2_000)
    async with impatient(house.url, token=athlete.token) as client:
        await client.expect("client.connected")
        stream = await client.open_stream()
        for start in range(0, 2_000, 250):
            await stream.push(samples[start : start + 250])
            house.connection(athlete.id).transport.abort()
            await client.expect("client.disconnected")
            await client.expect("client.connected")
            async with asyncio.timeout(5):
                while len(house.realtime.hub.of_user(athlete.id)) != 1:  # the server has noticed, too
                    await asyncio.sleep(0.005)
        await stream.flush()
        assert await stored(house, stream.id) == rows(samples)
        assert (await stream.close()).summary.samples == 2_000


async def test_another_process_goes_on_where_one_stopped(
    house: House, people: People, impatient: Make
) -> None:
    """`acked` says which samples need not be pushed again."""
    athlete = await people.athlete()
    samples, name = recording(100), uuid4()
    async with impatient(house.url, token=athlete.token) as client:
        stream = await client.open_stream(stream=name)
        await stream.push(samples[:60])
        await stream.flush()
    async with impatient(house.url, token=athlete.token) as client:
        stream = await client.open_stream(stream=name)
        assert stream.acked == 60
        await stream.push(samples[stream.acked :])
        assert (await stream.close()).summary.samples == 100
    assert await stored(house, str(name)) == rows(samples)


async def test_the_newest_connection_owns_a_stream(house: House, people: People, impatient: Make) -> None:
    """The older one is told, and does not fight for it."""
    athlete = await people.athlete()
    async with (
        impatient(house.url, token=athlete.token) as first,
        impatient(house.url, token=athlete.token) as second,
    ):
        old = await first.open_stream()
        new: HeartStream = await second.open_stream(stream=old.id)
        await first.expect("hr.taken", stream=old.id)
        with pytest.raises(StreamTaken):
            await old.push(recording(1))
        await new.push(recording(3))
        assert (await new.close()).summary.samples == 3


async def test_too_fast_a_stream_waits_and_arrives_whole(
    house: House, people: People, impatient: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rate_limited` names a time; the client waits for it and sends the same again."""
    athlete = await people.athlete()
    samples = recording(1_200)
    async with impatient(house.url, token=athlete.token) as client:
        stream = await client.open_stream()
        connection = house.connection(athlete.id)
        limits = house.realtime.settings.with_changes(ws_samples=500, ws_commands_s=0.3)
        monkeypatch.setattr(connection, "_limits", limits)
        await stream.push(samples)
        assert (await stream.close()).summary.samples == 1_200
    assert await stored(house, stream.id) == rows(samples)


async def test_a_device_token_may_send_and_nothing_else(
    house: House, people: People, impatient: Make
) -> None:
    """What a lost strap can do is little."""
    athlete = await people.athlete()
    _, token = await people.device(athlete)
    async with impatient(house.url, token=token) as client:
        async with await client.open_stream() as stream:
            await stream.push(recording(2))
        with pytest.raises(CommandError) as refused:
            await client.watch(athlete.id)
        assert refused.value.code == "forbidden"


async def test_a_token_is_renewed_before_it_ends(house: House, people: People, impatient: Make) -> None:
    """Signed in with a password: the server warns, the client refreshes and says so on the open socket."""
    contexts = people.contexts
    await people._founding.found("renewed@example.org", PASSWORD, "Renata", "user")
    async with impatient(house.url, email="renewed@example.org", password=PASSWORD) as client:
        connection = house.connection(client.user)
        before = client.hello.expires_at
        assert (await client.expect("auth.expiring", timeout=15)).data.in_s <= 60
        async with asyncio.timeout(10):
            while connection.identity is None or connection.identity.expires_at <= before:
                await asyncio.sleep(0.01)
        assert house.connection(client.user) is connection
        profile = await client.rest("GET", "/users/me")
        assert profile["email"] == "renewed@example.org"
    assert len(await contexts.sessions.of_user(client.user)) == 1


async def test_signing_out_elsewhere_ends_a_client_that_has_only_a_token(
    house: House, people: People, impatient: Make
) -> None:
    """4010, and nothing to sign in with again."""
    athlete: Person = await people.athlete()
    async with impatient(house.url, token=athlete.token) as client:
        await people.contexts.sessions.end(athlete.id, athlete.sid)
        with pytest.raises(Disconnected) as ended:
            await client.expect("never")
        assert ended.value.code == 4010
