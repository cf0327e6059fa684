"""Coaching sessions on the socket: how they go on, what the trainer says, who reads it; over two workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.settings import Settings
from fittracker.caller import SYSTEM, Caller
from fittracker.clock import Clock
from tests.house import House, open_house
from tests.peer import Peer, connect
from tests.people import People, Person
from tests.ws.heart_rate import T0, samples, strap

NOBODY = "f" * 24


@pytest.fixture(scope="module")
async def there(settings: Settings) -> AsyncIterator[House]:
    """Another worker beside the first."""
    async with open_house(settings) as house:
        yield house


class Lesson:
    """A session, its trainer at one worker, and athletes who are in its room, the first two of them there."""

    def __init__(self, stack: AsyncExitStack, houses: tuple[House, House]) -> None:
        self._stack = stack
        self.here, self.there = houses
        self.people: People = houses[0].people
        self.trainer: Person
        self.athletes: list[Person]
        self.session: str
        self.coach: Peer
        self.peers: list[Peer]

    @property
    def room(self) -> str:
        """Where it takes place."""
        return f"session:{self.session}"

    async def begin(self, **more: Any) -> None:
        """Everybody is there."""
        self.trainer, self.athletes = await self.people.trainer(), await self.people.crowd(2)
        self.session = await self.people.lesson(self.trainer, self.athletes, **more)
        self.coach = await self.socket(self.here, self.trainer)
        self.peers = [await self.socket(self.there, each) for each in self.athletes]
        for peer in (self.coach, *self.peers):
            await peer.call("room.join", room=self.room)

    async def socket(self, house: House, person: Person) -> Peer:
        """A socket of theirs."""
        return await self._stack.enter_async_context(connect(house.url, person.token))

    async def step(self, name: str) -> dict[str, Any]:
        """The trainer says so."""
        return await self.coach.call(f"session.{name}", session=self.session)

    async def cue(self, kind: str, **more: Any) -> dict[str, Any]:
        """The trainer says it."""
        wanted = {"session": self.session, "kind": kind, "client_id": str(uuid4()), **more}
        return await self.coach.call("session.cue", **wanted)

    async def no_cue(self, kind: str, **more: Any) -> dict[str, Any]:
        """The trainer cannot say it."""
        wanted = {"session": self.session, "kind": kind, "client_id": str(uuid4()), **more}
        return await self.coach.refused("session.cue", **wanted)

    async def roster(self, peer: Peer | None = None) -> dict[str, Any]:
        """As somebody sees it, the trainer unless said otherwise."""
        return await (peer or self.coach).call("session.roster", session=self.session)

    def entry(self, roster: dict[str, Any], person: Person) -> dict[str, Any]:
        """Somebody's line of it."""
        (found,) = (each for each in roster["athletes"] if each["user"] == person.id)
        return dict(found)


@pytest.fixture
async def lesson(house: House, there: House) -> AsyncIterator[Lesson]:
    """A new one, live."""
    async with AsyncExitStack() as stack:
        made = Lesson(stack, (house, there))
        await made.begin()
        yield made


async def eventually(ask: Any, true: Any) -> Any:
    """The answer, once it is as it should be."""
    async with asyncio.timeout(10):
        while not true(answer := await ask()):
            await asyncio.sleep(0.02)
    return answer


def types(frames: list[dict[str, Any]]) -> list[str]:
    """What came."""
    return [each["type"] for each in frames]


# -- its life ------------------------------------------------------------------------------------------


async def test_a_session_is_planned_begins_pauses_goes_on_and_ends(house: House, there: House) -> None:
    """Each step is told in its room on every worker, once, however often it is asked for."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        lesson = Lesson(stack, (house, there))
        await lesson.begin(starts_at=clock.utc() + timedelta(hours=1))
        ada = lesson.peers[0]
        assert (await lesson.roster())["state"]["state"] == "planned"
        for step in ("pause", "resume"):
            refused = await lesson.coach.refused(f"session.{step}", session=lesson.session)
            assert (refused["code"], refused["fields"]) == ("conflict", {"session": "is planned"})
        for step, state in (("start", "live"), ("pause", "paused"), ("resume", "live"), ("end", "ended")):
            for _ in range(2):
                assert (await lesson.step(step))["state"] == state
            told = await ada.expect("session.state")
            assert (told["session"], told["state"]) == (lesson.session, state)
        for step in ("start", "pause", "resume"):
            refused = await lesson.coach.refused(f"session.{step}", session=lesson.session)
            assert (refused["code"], refused["fields"]) == ("conflict", {"session": "is ended"})
        assert "session.state" not in types(await ada.settle())


async def test_only_its_trainer_moves_a_session(lesson: Lesson) -> None:
    """Its athletes know it, so it is forbidden; for everybody else it does not exist."""
    stranger = await lesson.socket(lesson.here, await lesson.people.trainer())
    for step in ("start", "pause", "resume", "end"):
        assert (await lesson.peers[0].refused(f"session.{step}", session=lesson.session))[
            "code"
        ] == "forbidden"
        assert (await stranger.refused(f"session.{step}", session=lesson.session))["code"] == "not_found"
    assert (await lesson.roster())["state"]["state"] == "live"


async def test_a_session_that_pauses_can_be_ended_and_everybody_leaves_its_room(lesson: Lesson) -> None:
    """On every worker, at once; nobody comes in again."""
    await lesson.step("pause")
    await lesson.step("end")
    for peer in lesson.peers:
        assert (await peer.expect("session.state", state="ended"))["reason"] == "trainer"
    for house in (lesson.here, lesson.there):
        await eventually(lambda house=house: _rooms(house), lambda rooms: lesson.room not in rooms)
    assert (await lesson.peers[0].refused("room.join", room=lesson.room))["code"] == "not_found"
    assert (await lesson.no_cue("praise"))["fields"] == {"session": "is ended"}


async def _rooms(house: House) -> set[str]:
    return set(house.realtime.hub.rooms)


async def test_who_enters_for_the_first_time_is_told_to_the_others(house: House, there: House) -> None:
    """Once, whichever worker they come to and however many sockets they have."""
    people = house.people
    trainer, ada = await people.trainer(), await people.athlete()
    made = await people.contexts.coaching.create(trainer.id, title="Hills", capacity=3, athletes=[ada.id])
    room = f"session:{made['_id']}"
    async with (
        connect(house.url, trainer.token) as coach,
        connect(house.url, ada.token) as phone,
        connect(there.url, ada.token) as watch,
    ):
        await coach.call("room.join", room=room)
        await asyncio.gather(*(peer.call("room.join", room=room) for peer in (phone, watch)))
        joined = await coach.expect("session.joined")
        assert joined == {"session": made["_id"], "user": ada.id, "name": ada.name}
        await phone.call("room.leave", room=room)
        await phone.call("room.join", room=room)
        assert "session.joined" not in types(await coach.settle())


async def test_an_athlete_who_is_taken_out_leaves_everywhere_at_once(lesson: Lesson) -> None:
    """Also the wearable at another worker; the others are told, and what comes later stays among them."""
    ada, eve = lesson.peers
    person = lesson.athletes[0]
    worn = await strap(await lesson.socket(lesson.here, person), session=lesson.session)
    await worn.push(*samples(1))
    await eve.expect("hr.update", user=person.id)
    places = lesson.people.contexts.lessons.places
    await places.remove(lesson.trainer.id, lesson.session, person.id)
    assert await eve.expect("session.left") == {"session": lesson.session, "user": person.id}
    assert (await ada.expect("session.left"))["user"] == person.id
    hub = lesson.there.realtime.hub
    await eventually(lambda: _rooms_of(hub, person), lambda rooms: lesson.room not in rooms)
    await lesson.cue("praise", text="Good.")
    await eve.expect("session.cue", text="Good.")
    await worn.push(*samples(2))
    await worn.ack(2)
    assert not {"session.cue"} & set(types(await ada.settle()))
    assert "hr.update" not in types(await eve.settle())
    assert (await ada.refused("room.join", room=lesson.room))["code"] == "not_found"
    assert (await lesson.no_cue("praise", to=person.id))["code"] == "not_found"


async def _rooms_of(hub: Any, person: Person) -> set[str]:
    return {name for each in hub.of_user(person.id) for name in each.rooms}


async def test_a_grant_that_ends_ends_being_in_the_session(lesson: Lesson) -> None:
    """Whoever takes back a permission is out of what it was given for."""
    person = lesson.athletes[0]
    await lesson.people.grant(person, lesson.trainer)
    grants = lesson.people.contexts.grants
    await grants.end_between(person.id, lesson.trainer.id, caller=SYSTEM)
    assert (await lesson.coach.expect("session.left"))["user"] == person.id
    assert [each["user"] for each in (await lesson.roster())["athletes"]] == [lesson.athletes[1].id]


async def test_who_is_banned_is_gone_and_the_session_goes_on(lesson: Lesson) -> None:
    """Their sockets close; the others, and who comes late, see that they are not there any more."""
    ada, eve = lesson.peers
    person = lesson.athletes[0]
    (admin,) = await lesson.people.crowd(1, "admin")
    caller = Caller(admin.id, "127.0.0.1", "test")
    change = lesson.people.contexts.administration.change
    await change(person.id, None, True, "spam", caller)
    assert await ada.ending() == 4503
    roster = await eventually(lesson.roster, lambda found: not lesson.entry(found, person)["online"])
    assert lesson.entry(roster, lesson.athletes[1])["online"]
    await lesson.cue("praise")
    await eve.expect("session.cue", kind="praise")


async def test_a_session_goes_on_while_its_trainer_is_away(lesson: Lesson) -> None:
    """The trainer comes back to another worker, and finds it as it was left."""
    await lesson.cue("rest", seconds=600)
    await lesson.coach.close()
    again = await lesson.socket(lesson.there, lesson.trainer)
    await again.call("room.join", room=lesson.room)
    roster = await lesson.roster(again)
    assert (roster["state"]["state"], roster["timers"][0]["kind"]) == ("live", "rest")
    assert (await again.call("session.pause", session=lesson.session))["state"] == "paused"
    await lesson.peers[0].expect("session.state", state="paused")


# -- cues ----------------------------------------------------------------------------------------------


async def test_a_cue_for_everybody_is_in_the_log_of_the_room(lesson: Lesson) -> None:
    """With its place; who was away for a moment gets it afterwards, in order."""
    ada, eve = lesson.peers
    before = await eve.call("room.join", room=lesson.room)
    await eve.call("room.leave", room=lesson.room)
    for text in ("One.", "Two."):
        said = await lesson.cue("text", text=text)
        event = await ada.event("session.cue", text=text)
        assert (event["seq"], event["epoch"], event["room"]) == (said["seq"], said["epoch"], lesson.room)
        assert (event["data"]["id"], event["data"]["by"]) == (said["id"], lesson.trainer.id)
    since = {"epoch": before["epoch"], "seq": before["seq"]}
    again = await eve.call("room.join", room=lesson.room, since=since)
    assert again["recovered"]
    assert [each["data"]["text"] for each in again["events"]] == ["One.", "Two."]


async def test_a_cue_for_one_is_read_by_that_athlete_and_the_trainer_alone(lesson: Lesson) -> None:
    """It is said in their own rooms, which nobody else enters."""
    ada, eve = lesson.peers
    tablet = await lesson.socket(lesson.there, lesson.trainer)
    said = await lesson.cue("text", text="Mind your knee.", to=lesson.athletes[0].id)
    event = await ada.event("session.cue")
    assert (event["room"], event["data"]["session"]) == (f"user:{lesson.athletes[0].id}", lesson.session)
    assert event["data"]["id"] == said["id"]
    for own in (lesson.coach, tablet):
        copy = await own.event("session.cue")
        assert (copy["room"], copy["seq"], copy["data"]) == (said["room"], said["seq"], event["data"])
    assert "session.cue" not in types(await eve.settle())
    log = lesson.people.contexts.room_log.archive
    assert await log.before(lesson.room, "session.cue", None, 100) == []


async def test_feedback_is_for_one_athlete(lesson: Lesson) -> None:
    """With what it is about and how bad it is."""
    ada, eve = lesson.peers
    sent = {"session": lesson.session, "to": lesson.athletes[0].id, "client_id": "a"}
    more = {"code": "knee_over_toe", "severity": "warn", "text": "Knee back."}
    said = await lesson.coach.call("session.feedback", **sent, **more)
    told = await ada.expect("session.feedback")
    assert {name: told[name] for name in more} == more
    assert (told["id"], told["to"]) == (said["id"], lesson.athletes[0].id)
    assert (await lesson.coach.expect("session.feedback"))["id"] == said["id"]
    assert "session.feedback" not in types(await eve.settle())
    # The same client_id is not a cue, too.
    assert (await lesson.no_cue("praise", client_id="a"))["fields"] == {"client_id": "was used before"}


async def test_a_cue_that_is_sent_twice_is_said_once(lesson: Lesson) -> None:
    """The second answer is the first one, also at once, also for a timer that would begin later."""
    ada = lesson.peers[0]
    for more in ({}, {"to": lesson.athletes[0].id}):
        client_id = str(uuid4())
        wanted: dict[str, Any] = {"seconds": 60, "client_id": client_id, **more}
        first = await lesson.cue("rest", **wanted)
        other = await lesson.socket(lesson.there, lesson.trainer)
        again = await asyncio.gather(
            lesson.cue("rest", **wanted),
            other.call("session.cue", session=lesson.session, kind="rest", **wanted),
        )
        assert [first] * 2 == again
        assert first["ends_at"] - first["starts_at"] == 60_000
        event = await ada.expect("session.cue", id=first["id"])
        assert (event["starts_at"], event["ends_at"]) == (first["starts_at"], first["ends_at"])
        assert "session.cue" not in types(await ada.settle())
    assert len((await lesson.roster())["timers"]) == 2


@pytest.mark.parametrize(
    ("kind", "more", "fields"),
    [
        ("text", {}, {"text"}),
        ("rest", {}, {"seconds"}),
        ("interval", {"text": "Go"}, {"seconds"}),
        ("praise", {"seconds": 5}, {"seconds"}),
        ("stop", {"seconds": 5}, {"seconds"}),
        ("rest", {"seconds": 0}, {"seconds"}),
        ("rest", {"seconds": 7_201}, {"seconds"}),
        ("text", {"text": "   "}, {"text"}),
        ("text", {"text": "x" * 501}, {"text"}),
        ("shout", {"text": "x"}, {"kind"}),
        ("praise", {"to": "nobody"}, {"to"}),
    ],
)
async def test_a_cue_that_makes_no_sense_is_refused(
    lesson: Lesson, kind: str, more: dict[str, Any], fields: set[str]
) -> None:
    """And says why."""
    error = await lesson.no_cue(kind, **more)
    assert (error["code"], set(error["fields"])) == ("invalid", fields)


async def test_nothing_is_said_to_who_is_not_in_the_session(lesson: Lesson) -> None:
    """Nobody, somebody else, and somebody who is only invited: that alone must open no way to them."""
    invited, other = await lesson.people.crowd(2)
    places = lesson.people.contexts.lessons.places
    await places.invite(lesson.trainer.id, lesson.session, invited.id)
    for who in (NOBODY, other.id, invited.id, lesson.trainer.id):
        assert (await lesson.no_cue("praise", to=who))["code"] == "not_found"
    ada = lesson.peers[0]
    wanted = {"session": lesson.session, "kind": "praise", "client_id": "x"}
    assert (await ada.refused("session.cue", **wanted))["code"] == "forbidden"


# -- timers --------------------------------------------------------------------------------------------


async def test_a_timer_stands_still_while_the_session_pauses(lesson: Lesson) -> None:
    """Who comes late is told of it; the event says when it ends, on the server's clock."""
    said = await lesson.cue("interval", seconds=90, text="Hard!")
    timer = (await lesson.roster(lesson.peers[0]))["timers"][0]
    assert (timer["kind"], timer["text"], timer["id"]) == ("interval", "Hard!", said["id"])
    assert (timer["starts_at"], timer["ends_at"]) == (said["starts_at"], said["ends_at"])
    paused = await lesson.step("pause")
    left = paused["timer"]["left_ms"]
    assert left == said["ends_at"] - paused["paused_at"]
    assert (await lesson.no_cue("rest", seconds=5))["fields"] == {"session": "is paused"}
    await asyncio.sleep(0.05)
    resumed = await lesson.step("resume")
    moved = resumed["timer"]
    assert moved["ends_at"] - said["ends_at"] == resumed["paused_ms"] >= 50
    assert (moved["ends_at"] - moved["starts_at"], moved["left_ms"]) == (90_000, None)
    assert (await lesson.peers[0].expect("session.state", state="live"))["timer"] == moved


async def test_timers_for_one_are_seen_by_that_athlete_and_the_trainer(lesson: Lesson) -> None:
    """A newer one takes the place of an older one for the same people; stop ends them."""
    ada, eve = lesson.peers
    mine = await lesson.cue("rest", seconds=60, to=lesson.athletes[0].id)
    await lesson.cue("interval", seconds=60)
    everybody = await lesson.cue("interval", seconds=120)
    seen = {
        who: [each["id"] for each in (await lesson.roster(peer))["timers"]]
        for who, peer in (("ada", ada), ("eve", eve), ("coach", lesson.coach))
    }
    both = [mine["id"], everybody["id"]]
    assert seen == {"ada": both, "eve": [everybody["id"]], "coach": both}
    await lesson.cue("stop", to=lesson.athletes[0].id)
    assert [each["id"] for each in (await lesson.roster(ada))["timers"]] == [everybody["id"]]
    await lesson.cue("stop")
    assert (await lesson.roster())["timers"] == []


async def test_stop_reaches_who_reads_too_slowly_for_heart_rates(lesson: Lesson) -> None:
    """Telemetry is thinned for them; what the trainer says is not. It is in the inbox as well."""
    ada = lesson.peers[0]
    connection = lesson.there.connection(lesson.athletes[0].id)
    connection.hold("somebody", _update(lesson))
    assert not connection.offer(b"")
    await lesson.cue("stop", text="Stop!")
    assert (await ada.expect("session.cue"))["kind"] == "stop"
    assert (await ada.expect("notification", event="session.stop"))["subject"] == lesson.room


def _update(lesson: Lesson) -> Any:
    return lesson.there.realtime.event("hr.stale", lesson.room, {"user": NOBODY})


# -- who does what -------------------------------------------------------------------------------------


async def test_the_roster_shows_hearts_and_repetitions_from_all_workers(lesson: Lesson) -> None:
    """Whether they are there, what they do, and whether that is old; of who was only invited their name."""
    ada, eve = lesson.athletes
    (invited,) = await lesson.people.crowd(1)
    await lesson.people.contexts.lessons.places.invite(lesson.trainer.id, lesson.session, invited.id)
    worn = await strap(lesson.peers[0], session=lesson.session)
    await worn.push(*samples(1, bpm=150))
    tally = lesson.there.people.contexts.session_tally
    for _ in range(3):
        tally.rep(lesson.session, ada.id, exercise="squat", score=80.0)
    await tally.flush()
    roster = await eventually(lesson.roster, lambda found: lesson.entry(found, ada)["bpm"] is not None)
    assert (roster["count"], roster["capacity"], roster["known"]) == (3, 100, True)
    seen = lesson.entry(roster, ada)
    assert (seen["bpm"], seen["t"], seen["stale"], seen["online"]) == (150, T0 + 1_000, False, True)
    assert seen["zone"] > 0
    assert (seen["reps"], seen["exercises"]) == (3, {"squat": 3})
    idle = lesson.entry(roster, eve)
    assert (idle["bpm"], idle["online"], idle["entered"], idle["reps"]) == (None, True, True, 0)
    stranger = lesson.entry(roster, invited)
    assert (stranger["name"], stranger["online"], stranger["entered"]) == (invited.name, False, False)
    assert [each["user"] for each in (await lesson.roster(lesson.peers[1]))["athletes"]] == [
        each["user"] for each in roster["athletes"]
    ]


# -- at the end ----------------------------------------------------------------------------------------


async def test_at_the_end_everybody_is_told_what_it_came_to(lesson: Lesson) -> None:
    """The trainer of all, each athlete of themselves; it is kept with the workout, also one made later."""
    ada, eve = lesson.athletes
    worn = await strap(lesson.peers[0], session=lesson.session)
    await worn.push(*samples(1, 61, bpm=140))
    await worn.ack(61)
    tally = lesson.there.people.contexts.session_tally
    tally.rep(lesson.session, ada.id, exercise="squat", score=70.0)
    tally.rep(lesson.session, ada.id, exercise="squat", score=90.0)
    tally.fault(lesson.session, ada.id, exercise="squat", code="shallow")
    await lesson.cue("praise")
    await lesson.cue("text", text="Knee.", to=ada.id)
    await lesson.step("end")
    own = (await lesson.peers[0].expect("session.ended"))["summary"]
    (mine,) = own["athletes"]
    heart = mine["heart"]
    assert (heart["samples"], heart["avg_bpm"], heart["max_bpm"], heart["duration_s"]) == (61, 140, 140, 60)
    assert (mine["reps"], mine["faults"]) == (2, 1)
    assert mine["exercises"] == {"squat": {"reps": 2, "score": 80.0, "faults": {"shallow": 1}}}
    assert (mine["cues"], mine["feedback"]) == ({"praise": 1, "text": 1}, {})
    assert (mine["workouts"], mine["complete"], own["complete"]) == ([], False, False)
    (hers,) = (await lesson.peers[1].expect("session.ended"))["summary"]["athletes"]
    assert (hers["user"], hers["heart"], hers["cues"], hers["complete"]) == (
        eve.id,
        None,
        {"praise": 1},
        True,
    )
    whole = (await lesson.coach.expect("session.ended"))["summary"]
    assert {each["user"] for each in whole["athletes"]} == {ada.id, eve.id}
    # The recording is the athlete's: it goes on, and what comes after the end is not the session's.
    await worn.push(*samples(62, 5, bpm=190))
    closed = await worn.close()
    results = lesson.people.contexts.lessons.results
    await lesson.people.contexts.database.session_results.update_many(
        {"session": lesson.session, "complete": False}, {"$set": {"look_at": Clock().utc()}}
    )
    await results.look_after()
    found = await results.summary(lesson.trainer.id, lesson.session)
    (hearty,) = [each for each in found.athletes if each.user == ada.id]
    assert (hearty.complete, hearty.workouts, found.complete) == (True, [closed["workout"]], True)
    assert hearty.heart is not None
    assert (hearty.heart.samples, hearty.heart.max_bpm) == (61, 140)
    workout = await lesson.people.contexts.workouts.get(ada.id, closed["workout"])
    assert (workout["coaching"]["session"], workout["coaching"]["reps"]) == (lesson.session, 2)
    assert workout["summary"]["samples"] == 66
