"""Watcher and athlete on different workers: what one does the other sees, whatever happens to Valkey.

The two workers are processes of their own, so all that links them is MongoDB and Valkey; the athlete streams
on one, whoever looks on is on the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from redis import Redis

from fittracker.embedded import Services
from tests.handlers.api import eventually
from tests.peer import Peer, Refused, connect
from tests.people import People, Person, open_people
from tests.server import LoneWorker, lone_workers
from tests.ws.heart_rate import T0, Strap, samples, strap

RECOVERY_S = 35.0
BROKERS = ("fittracker-sub-", "fittracker-pub-")


@pytest.fixture(scope="module")
async def workers(
    mongo_url: str, mongo_database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[LoneWorker]]:
    """Two workers; silence is told after 1 s, and asking often what has changed is no offence."""
    logs = tmp_path_factory.mktemp("two-workers")
    async with lone_workers(
        2, mongo_url, mongo_database, redis_url, logs, hr_stale_s=1.0, hr_flush_s=0.05, ws_commands=10_000
    ) as running:
        yield running


@pytest.fixture(scope="module")
def here(workers: list[LoneWorker]) -> LoneWorker:
    """The worker of those who watch."""
    return workers[0]


@pytest.fixture(scope="module")
def there(workers: list[LoneWorker]) -> LoneWorker:
    """The worker of those who are watched."""
    return workers[1]


@pytest.fixture(scope="module")
async def people(here: LoneWorker) -> AsyncIterator[People]:
    """People whom both workers know."""
    async with open_people(here.settings) as people:
        yield people


@pytest.fixture
def valkey(redis_url: str) -> Iterator[Any]:
    """The console of whoever looks after Valkey."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@dataclass
class Training:
    """A trainer here and an athlete there, both in the room of their session; the strap's stream is shown."""

    trainer: Person
    athlete: Person
    room: str
    watcher: Peer
    strap: Strap
    last: int = 0

    async def beats(self, count: int = 1, bpm: int = 120) -> None:
        """The strap sends its next samples."""
        await self.strap.push(*samples(self.last + 1, count, bpm))
        self.last += count

    async def crosses(self) -> None:
        """Go on sending until the trainer sees something that was sent after this call."""
        newest = T0 + self.last * 1_000

        async def seen() -> bool:
            await self.beats()
            await asyncio.sleep(0.05)  # a pace, not a wait for anything
            came = await self.watcher.settle()
            return any(each["type"] == "hr.update" and each["data"]["t"] > newest for each in came)

        await eventually(seen, "a heart beat reaches the other worker", seconds=RECOVERY_S)

    async def both_are_present(self) -> None:
        """Each worker comes to say that both are in the room."""
        both = {self.trainer.id, self.athlete.id}
        for peer in (self.watcher, self.strap.peer):
            await present(peer, self.room, both)


async def present(peer: Peer, room: str, expected: set[str]) -> None:
    """Ask until exactly these are online in the room."""

    async def right() -> bool:
        try:
            answer = await peer.call("room.members", room=room)
        except Refused as refusal:
            if refusal.code != "unavailable":
                raise
            return False
        return {each["user"] for each in answer["members"] if each["online"]} == expected

    await eventually(right, f"{len(expected)} are in {room}", seconds=RECOVERY_S)


@asynccontextmanager
async def training(people: People, here: LoneWorker, there: LoneWorker) -> AsyncIterator[Training]:
    """Begin one; the first heart beat has crossed."""
    trainer, athlete = await people.trainer(), await people.athlete()
    session = await people.session(trainer, [athlete])
    async with connect(here.url, trainer.token) as watcher, connect(there.url, athlete.token) as wearer:
        room = f"session:{session}"
        await watcher.call("room.join", room=room)
        await wearer.call("room.join", room=room)
        stage = Training(trainer, athlete, room, watcher, await strap(wearer, session=session))
        await stage.crosses()
        yield stage


def broker_links(valkey: Any) -> dict[str, str]:
    """The connections between the workers and Valkey: their ids by their names."""
    return {each["name"]: each["id"] for each in valkey.client_list() if each["name"].startswith(BROKERS)}


# -- while all is well ---------------------------------------------------------------------------------


async def test_a_watcher_sees_the_heart_rate_of_an_athlete_on_the_other_worker(
    people: People, here: LoneWorker, there: LoneWorker
) -> None:
    """With a grant, `hr.watch` is all it takes; what is shown is what was measured."""
    trainer, athlete = await people.trainer(), await people.athlete()
    await people.grant(athlete, trainer)
    async with connect(here.url, trainer.token) as watcher, connect(there.url, athlete.token) as wearer:
        await watcher.call("hr.watch", user=athlete.id)
        worn = await strap(wearer)
        await worn.push(*samples(1, bpm=143))
        update = await watcher.expect("hr.update", user=athlete.id)
        assert (update["t"], update["bpm"]) == (T0 + 1_000, 143)


async def test_people_on_two_workers_meet_in_the_room_of_their_session(
    people: People, here: LoneWorker, there: LoneWorker
) -> None:
    """Who joins is told who is there on the other worker; who leaves is online there no more."""
    trainer, athlete = await people.trainer(), await people.athlete()
    room = f"session:{await people.session(trainer, [athlete])}"
    async with connect(here.url, trainer.token) as first, connect(there.url, athlete.token) as second:
        assert [each["user"] for each in (await first.call("room.join", room=room))["members"]] == [
            trainer.id
        ]
        joined = await second.call("room.join", room=room)
        assert {each["user"] for each in joined["members"]} == {trainer.id, athlete.id}
        await present(first, room, {trainer.id, athlete.id})
        await second.call("room.leave", room=room)
        await present(first, room, {trainer.id})


async def test_an_alert_reaches_the_other_worker(people: People, here: LoneWorker, there: LoneWorker) -> None:
    """A heart rate that stays above the athlete's limit is told to whoever is in the session."""
    async with training(people, here, there) as stage:
        too_high = stage.strap.opened["alerts"]["high"] + 5
        await stage.beats(12, too_high)
        alert = await stage.watcher.expect("hr.alert", user=stage.athlete.id, kind="high")
        assert alert["bpm"] == too_high


async def test_the_summary_of_a_closed_stream_reaches_the_other_worker(
    people: People, here: LoneWorker, there: LoneWorker
) -> None:
    """Both are told the same workout, and its end is not taken for silence."""
    async with training(people, here, there) as stage:
        closed = await stage.strap.close()
        told = await stage.watcher.expect("hr.summary", user=stage.athlete.id)
        assert (told["workout"], told["summary"]) == (closed["workout"], closed["summary"])
        assert told["summary"]["samples"] == stage.last


async def test_a_stream_that_is_opened_on_the_other_worker_is_taken_from_the_first(
    people: People, here: LoneWorker, there: LoneWorker
) -> None:
    """The older connection is told so and can push no more; the new one learns from where to go on."""
    athlete = await people.athlete()
    async with connect(there.url, athlete.token) as older, connect(here.url, athlete.token) as newer:
        before = await strap(older)
        await before.push(*samples(1, 5))
        await before.ack(5)
        after = await strap(newer, stream=before.stream)
        assert after.acked == 5
        await older.expect("hr.taken", stream=before.stream)
        refused = await older.refused("hr.push", stream=before.stream, samples=samples(6))
        assert refused["code"] == "not_found"
        await after.push(*samples(6, 2))
        await after.ack(7)
        assert (await after.close())["summary"]["samples"] == 7


async def test_signing_out_closes_the_sockets_on_the_other_worker(
    people: People, here: LoneWorker, there: LoneWorker
) -> None:
    """Those of that sign-in with 4010; another sign-in of the same person stays."""
    person = await people.athlete()
    other = await people.sign_in(person)
    async with (
        connect(here.url, person.token) as closed,
        connect(here.url, other.token) as kept,
        ClientSession(there.url) as http,
    ):
        headers = {"Authorization": f"Bearer {person.token}"}
        async with http.post("/api/v1/auth/logout", headers=headers) as answer:
            assert answer.status == 204
        assert await closed.ending() == 4010
        assert await kept.call("ping")


async def test_a_grant_that_is_ended_on_one_worker_ends_the_watching_on_the_other(
    people: People, here: LoneWorker, there: LoneWorker
) -> None:
    """The athlete, watching themselves beside the trainer, goes on to see what the trainer does not."""
    trainer, athlete = await people.trainer(), await people.athlete()
    grant = await people.grant(athlete, trainer)
    async with (
        connect(here.url, trainer.token) as watcher,
        connect(here.url, athlete.token) as mirror,
        connect(there.url, athlete.token) as wearer,
        ClientSession(there.url) as http,
    ):
        for peer in (watcher, mirror):
            await peer.call("hr.watch", user=athlete.id)
        worn = await strap(wearer)
        await worn.push(*samples(1))
        for peer in (watcher, mirror):
            await peer.expect("hr.update", t=T0 + 1_000)
        headers = {"Authorization": f"Bearer {athlete.token}"}
        async with http.delete(f"/api/v1/grants/{grant}", headers=headers) as answer:
            assert answer.status == 204
        await present(wearer, f"heart:{athlete.id}", {athlete.id})
        await worn.push(*samples(2))
        await mirror.expect("hr.update", t=T0 + 2_000)
        assert [each for each in await watcher.settle() if each["type"] == "hr.update"] == []
        assert (await watcher.refused("hr.watch", user=athlete.id))["code"] == "not_found"


# -- while Valkey is not well --------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [BROKERS[:1], BROKERS[1:], BROKERS], ids=["listening", "publishing", "both"])
async def test_workers_whose_connections_to_valkey_are_cut_find_each_other_again(
    people: People, here: LoneWorker, there: LoneWorker, valkey: Any, cut: tuple[str, ...]
) -> None:
    """Every broken connection is replaced, what is sent afterwards arrives, and nobody is missing."""
    async with training(people, here, there) as stage:
        before = broker_links(valkey)
        assert len(before) == 4
        for name, number in before.items():
            if name.startswith(cut):
                valkey.client_kill_filter(_id=number)
        await stage.crosses()
        await stage.both_are_present()
        after = broker_links(valkey)
        assert after.keys() == before.keys()
        for name in before:
            assert (after[name] != before[name]) == name.startswith(cut), name


async def test_a_short_pause_of_valkey_is_waited_out(
    people: People, here: LoneWorker, there: LoneWorker, valkey: Any
) -> None:
    """Nobody gives up a connection for 1.5 s, and afterwards everything arrives again."""
    async with training(people, here, there) as stage:
        before = broker_links(valkey)
        valkey.client_pause(1_500, all=True)
        await stage.crosses()
        await stage.both_are_present()
        assert broker_links(valkey) == before


async def test_a_valkey_that_lost_its_memory_is_told_everything_again(
    people: People, here: LoneWorker, there: LoneWorker, services: Services
) -> None:
    """Rooms are listened to as before, and their members are known although nobody joined anew."""
    async with training(people, here, there) as stage:
        await asyncio.to_thread(services.restart_redis, keep_data=False)
        await stage.crosses()
        await stage.both_are_present()
        await stage.strap.close()
        told = await stage.watcher.expect("hr.summary", user=stage.athlete.id)
        assert told["summary"]["samples"] == stage.last


# -- at the end, for one of them dies ------------------------------------------------------------------


async def test_a_killed_worker_falls_silent_and_its_people_are_no_longer_present(
    people: People, here: LoneWorker, there: LoneWorker
) -> None:
    """Nobody can say goodbye for it: the watchers' worker notices, and what the dead one left is swept up."""
    async with training(people, here, there) as stage:
        await stage.strap.ack(stage.last)
        there.kill_worker()
        await stage.watcher.expect("hr.stale", user=stage.athlete.id)
        await present(stage.watcher, stage.room, {stage.trainer.id})
        await there.ready()
        async with connect(there.url, stage.athlete.token) as again:
            resumed = await strap(again, stream=stage.strap.stream)
            assert resumed.acked == stage.last
            stage.strap = resumed
            await stage.crosses()


async def test_a_lesson_outlives_the_worker_of_its_athletes(
    people: People, here: LoneWorker, there: LoneWorker
) -> None:
    """The trainer goes on, timers run on, and who comes back has missed nothing of what was said."""
    async with training(people, here, there) as stage:
        session = stage.room.removeprefix("session:")
        coach, athlete = stage.watcher, stage.strap.peer

        async def cue(kind: str, **more: Any) -> dict[str, Any]:
            return await coach.call("session.cue", session=session, kind=kind, client_id=str(uuid4()), **more)

        async def seen() -> dict[str, Any]:
            return dict((await coach.call("session.roster", session=session))["athletes"][0])

        async def lost() -> bool:
            return bool((await seen())["stale"])

        async def shown() -> bool:
            return (await seen())["bpm"] is not None

        timer = await cue("interval", seconds=600)
        before = await athlete.event("session.cue", id=timer["id"])
        await eventually(shown, "the heart is in the roster")
        there.kill_worker()
        said = await cue("text", text="Keep going.")
        await eventually(lost, "the roster tells that nothing comes any more")
        await there.ready()
        async with connect(there.url, stage.athlete.token) as again:
            since = {"epoch": before["epoch"], "seq": before["seq"]}
            joined = await again.call("room.join", room=stage.room, since=since)
            assert joined["recovered"]
            assert [each["data"]["id"] for each in joined["events"]] == [said["id"]]
            roster = await again.call("session.roster", session=session)
            assert [each["ends_at"] for each in roster["timers"]] == [timer["ends_at"]]
            assert (await again.refused("session.end", session=session))["code"] == "forbidden"
            await coach.call("session.end", session=session)
            await again.expect("session.state", state="ended")
            (own,) = (await again.expect("session.ended"))["summary"]["athletes"]
            assert (own["user"], own["heart"]["samples"]) == (stage.athlete.id, stage.last)


async def test_nothing_of_this_was_a_defect(workers: list[LoneWorker]) -> None:
    """The logs tell of broken connections, not of errors of ours."""
    for worker in workers:
        assert worker.defects() == []
