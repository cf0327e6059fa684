"""What is noticed although nobody says it: lost contact, silence, and a sign-out that was not heard."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from fittracker.errors import TooLarge
from fittracker.mongo import Database
from tests.house import House
from tests.peer import connect
from tests.people import People
from tests.ws.heart_rate import T0, Strap, samples, strap
from ws.heart import notice_lost
from ws.watch import Watch


@pytest.fixture(scope="module")
def watch(house: House) -> Watch:
    """One that looks when the test says so."""
    return Watch(house.realtime)


@pytest.fixture(scope="module")
def database(people: People) -> Database:
    """What is behind the server."""
    return people.contexts.database


def silent(house: House, worn: Strap) -> None:
    """Nothing has come on this stream for longer than a stream may be silent."""
    house.realtime.telemetry.streams[worn.stream].heard -= house.realtime.settings.hr_idle_s + 1


async def test_contact_that_was_lost_is_an_alert_though_the_device_says_nothing_more(
    house: House, people: People
) -> None:
    """Once; and not before the athlete's own limit is over."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        await peer.call("hr.watch", user=ada.id)
        worn = await strap(peer)
        await worn.push(*samples(1, contact=True), *samples(2, bpm=0, contact=False))
        await worn.ack(2)
        heard = house.realtime.telemetry.streams[worn.stream].heard
        limit = worn.opened["alerts"]["lost_s"]
        notice_lost(house.realtime, heard + limit - 1)
        assert not [each for each in await peer.settle() if each["type"] == "hr.alert"]
        for later in (1, 2, 60):
            notice_lost(house.realtime, heard + limit + later)
        (alert,) = [each["data"] for each in await peer.settle() if each["type"] == "hr.alert"]
        assert (alert["user"], alert["kind"], alert["bpm"], alert["limit"]) == (ada.id, "lost", 0, limit)


async def test_a_silent_stream_becomes_a_workout_and_its_watchers_are_told(
    house: House, people: People, watch: Watch
) -> None:
    """Its socket may still be open: what it pushes then finds no stream, and opening says that it is over."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        await peer.call("hr.watch", user=ada.id)
        worn = await strap(peer)
        await worn.push(*samples(1, 3, bpm=100))
        await worn.ack(3)
        await watch.round()
        silent(house, worn)
        await watch.round()
        told = await peer.expect("hr.summary", user=ada.id)
        assert (told["summary"]["samples"], told["summary"]["avg_bpm"]) == (3, 100.0)
        push = {"stream": worn.stream, "samples": samples(4)}
        assert (await peer.refused("hr.push", **push))["code"] == "not_found"
        error = await peer.refused("hr.open", stream=worn.stream)
        assert (error["code"], error["fields"]) == ("gone", {"workout": told["workout"]})
        assert (await worn.close())["workout"] == told["workout"]


async def test_a_silent_stream_whose_socket_is_gone_becomes_a_workout_as_well(
    house: House, people: People, watch: Watch, database: Database
) -> None:
    """What was accepted before the socket went is in it."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        worn = await strap(peer)
        await worn.push(*samples(1, 2))
        await peer.call("ping")
    silent(house, worn)
    await watch.round()
    workout = await database.workouts.find_one({"stream": worn.stream})
    assert workout is not None
    assert workout["summary"]["samples"] == 2
    assert worn.stream not in house.realtime.telemetry.streams


async def test_a_stream_that_goes_on_elsewhere_is_not_ended_here(
    house: House, people: People, watch: Watch, database: Database
) -> None:
    """Another worker took it, and the word of that was lost: this one only forgets it."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        worn = await strap(peer)
        await worn.push(*samples(1, 2))
        await worn.ack(2)
        batch = {"_id": {"s": worn.stream, "n": 3}, "user": ada.id, "session": None, "day": "2026-11-23"}
        more = {"t": [T0 + 3_000], "bpm": [90], "to": 3, "from_t": T0 + 3_000, "until_t": T0 + 3_000}
        await database.heart_batches.insert_one({**batch, **more})
        silent(house, worn)
        await watch.round()
        await peer.expect("hr.taken", stream=worn.stream)
    found = await database.heart_streams.find_one({"_id": worn.stream})
    assert found is not None
    assert found["closed_at"] is None
    assert worn.stream not in house.realtime.telemetry.streams


async def test_a_stream_that_cannot_be_ended_keeps_no_other_open(
    house: House, people: People, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next round tries it again."""
    ada = await people.athlete()
    workouts = house.realtime.contexts.workouts
    finish = workouts.finish
    async with connect(house.url, ada.token) as peer:
        straps = [await strap(peer) for _ in range(3)]
        for each in straps:
            await each.push(*samples(1))
            await each.ack(1)
            silent(house, each)

        async def stubborn(stream: str, user: str) -> Any:
            if stream == straps[0].stream:
                raise TooLarge("Too many samples at once.")
            return await finish(stream, user)

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(workouts, "finish", stubborn)
            await watch.round()
        left = house.realtime.telemetry.streams
        assert [each.stream in left for each in straps] == [True, False, False]
        await watch.round()
        assert straps[0].stream not in left


async def test_a_sign_out_that_no_message_told_is_found_in_the_database(
    house: House, people: People, watch: Watch, database: Database
) -> None:
    """Valkey was away at that moment. Sockets of others, and of nobody yet, stay."""
    ada, bob = await people.crowd(2)
    device, token = await people.device(ada)
    async with (
        connect(house.url, ada.token) as phone,
        connect(house.url, token) as worn,
        connect(house.url, bob.token) as other,
        connect(house.url) as nobody,
    ):
        ended = {"$set": {"ended_at": people.contexts.clock.utc()}}
        await database.sessions.update_one({"_id": ada.sid}, ended)
        await database.device_tokens.delete_one({"_id": device})
        await watch.round()
        assert await phone.ending() == await worn.ending() == 4010
        await other.call("ping")
        await nobody.call("ping")


async def test_a_defect_in_one_duty_ends_neither_the_other_nor_the_watch(
    house: House, people: People, watch: Watch, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and the sign-outs are looked at all the same."""
    ada = await people.athlete()

    async def broken() -> Any:
        raise ZeroDivisionError

    async with connect(house.url, ada.token) as peer:
        ended = {"$set": {"ended_at": people.contexts.clock.utc()}}
        await database.sessions.update_one({"_id": ada.sid}, ended)
        with monkeypatch.context() as meanwhile, capture_logs() as logs:
            meanwhile.setattr(house.realtime.contexts.workouts, "finish_silent", broken)
            await watch.round()
        assert [each["event"] for each in logs] == ["watch_broken"]
        assert await peer.ending() == 4010
