"""Form analysis over the socket: who sees it, what is refused, what it costs, and that none is miscounted."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest

from config.settings import Settings
from fittracker.caller import SYSTEM
from fittracker.form import Analysis
from tests.fittracker.form.skeletons import Camera, film, plank, squat
from tests.house import House, open_house
from tests.peer import MSGPACK, Peer, connect
from tests.people import People
from tests.ws.filmed import FPS, opened, push, sent, squats
from tests.ws.lines import End
from ws.form import AT_ONCE, COST, MOST_ANALYSES, MOST_FRAMES, FormFrame, FormPush, form_push
from ws.frames import Encoding, Outgoing
from ws.room import Room

STILL = squats(1)[:1]


async def counts(peer: Peer, upto: int) -> list[int]:
    """The counts of the repetitions that come, until this one."""
    found: list[int] = []
    while not found or found[-1] < upto:
        found.append((await peer.expect("form.rep"))["count"])
    return found


async def test_squats_are_counted_as_they_are_done(house: House, people: People) -> None:
    """Three of them: three events with all that there is to say, and a summary at the end."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        analysis = await opened(peer)
        await push(peer, analysis, squats(3))
        first = await peer.event("form.rep")
        assert first["room"] == f"user:{ada.id}"
        data = first["data"]
        assert {name: data[name] for name in ("user", "exercise", "count", "score", "analysis")} == {
            "user": ada.id,
            "exercise": "squat",
            "count": 1,
            "score": 100,
            "analysis": analysis,
        }
        assert 100 < data["depth_deg"] < 115
        assert len(data["tempo_s"]) == 3
        assert await counts(peer, 3) == [2, 3]
        closed = await peer.call("form.close", analysis=analysis)
        assert (closed["reps"], closed["faults"], closed["short"]) == (3, {}, 0)
        assert all(0.1 < part < 2 for part in closed["tempo"])
        assert closed["frames"] == len(squats(3))


async def test_the_trainer_and_other_devices_see_it_but_nobody_else(house: House, people: People) -> None:
    """Opening an analysis for a session is to enter it; without a session it is one's own business."""
    trainer, (ada, eve) = await people.trainer(), await people.crowd(2)
    session = await people.session(trainer, [ada, eve])
    async with (
        connect(house.url, ada.token) as camera,
        connect(house.url, ada.token, protocols=(MSGPACK,)) as watch,
        connect(house.url, trainer.token) as coach,
        connect(house.url, eve.token) as other,
    ):
        await coach.call("room.join", room=f"session:{session}")
        shown = await opened(camera, session=session)
        hidden = await opened(camera)
        assert ada.id in await entered(house, session)
        await push(camera, hidden, squats(2, squat(110, trunk=60)))
        await push(camera, shown, squats(1))
        told = await coach.event("form.rep")
        assert (told["room"], told["data"]["count"]) == (f"session:{session}", 1)
        assert [each for each in await coach.settle() if each["type"].startswith("form.")] == []
        assert [(await watch.expect("form.rep"))["count"] for _ in range(3)] == [1, 2, 1]
        assert [each for each in await other.settle() if each["type"].startswith("form.")] == []


async def entered(house: House, session: str) -> list[str]:
    """Which athletes have entered a session."""
    found = await house.people.contexts.database.coaching_sessions.find_one({"_id": session})
    assert found is not None
    return list(found["entered"])


async def test_a_fault_is_told_once_an_episode(house: House, people: People) -> None:
    """A squat with the trunk too far forwards: one fault for each, however many frames it lasts."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        analysis = await opened(peer)
        await push(peer, analysis, squats(2, squat(110, trunk=62)))
        await counts(peer, 2)
        faults = [each["data"] for each in peer.backlog if each["type"] == "form.fault"]
        assert [each["code"] for each in faults] == ["back_lean"] * 2
        assert {name: faults[0][name] for name in ("joint", "limit_deg", "severity")} == {
            "joint": "hip",
            "limit_deg": 45,
            "severity": "warn",
        }
        assert faults[0]["value_deg"] > 45
        closed = await peer.call("form.close", analysis=analysis)
        assert closed["faults"] == {"back_lean": 2}
        assert closed["score"] == 85


async def test_planks_are_held(house: House, people: People) -> None:
    """`form.hold` says so every five seconds."""
    ada = await people.athlete()
    frames = film(lambda _: plank(5), lambda _: 0.0, Camera("coco17"), seconds=6, fps=FPS)
    async with connect(house.url, ada.token) as peer:
        analysis = await opened(peer, exercise="plank")
        await push(peer, analysis, [sent(t, points) for t, points in frames])
        held = await peer.expect("form.hold")
        assert (held["exercise"], round(held["held_s"])) == ("plank", 5)
        closed = await peer.call("form.close", analysis=analysis)
        assert closed["good_s"] == pytest.approx(5.8, abs=0.4)


async def test_what_is_done_in_a_session_is_tallied(house: House, people: People) -> None:
    """Repetitions and faults, for the summary of the session; what is not shown there is not."""
    trainer, ada = await people.trainer(), await people.athlete()
    session = await people.session(trainer, [ada])
    async with connect(house.url, ada.token) as peer:
        shown, hidden = await opened(peer, session=session), await opened(peer)
        await push(peer, shown, squats(2, squat(110, trunk=62)))
        await push(peer, hidden, squats(3))
        await peer.call("form.close", analysis=hidden)
    tally = house.people.contexts.session_tally
    await tally.flush()
    done = (await tally.done(session))[ada.id]["squat"]
    assert (done.reps, done.score, dict(done.faults)) == (2, 170, {"back_lean": 2})


async def test_one_analysis_after_the_other_is_one_row_of_a_session(house: House, people: People) -> None:
    """Opening and closing is cheap: it must not fill what the trainer's roster has to read."""
    trainer, ada = await people.trainer(), await people.athlete()
    session = await people.session(trainer, [ada])
    async with connect(house.url, ada.token) as peer:
        for _ in range(3):
            analysis = await opened(peer, session=session)
            await push(peer, analysis, squats(1))
            await peer.call("form.close", analysis=analysis)
    tally = house.people.contexts.session_tally
    await tally.flush()
    assert (await tally.done(session))[ada.id]["squat"].reps == 3
    assert await people.contexts.database.session_tallies.count_documents({"session": session}) == 1


async def test_the_roster_and_the_summary_of_a_session_have_what_the_camera_saw(
    house: House, people: People
) -> None:
    """While it goes on, and when the trainer ends it."""
    trainer, ada = await people.trainer(), await people.athlete()
    session = await people.session(trainer, [ada])
    async with connect(house.url, ada.token) as peer, connect(house.url, trainer.token) as coach:
        for each in (peer, coach):
            await each.call("room.join", room=f"session:{session}")
        analysis = await opened(peer, session=session)
        await push(peer, analysis, squats(3, squat(110, trunk=62)))
        await coach.expect("form.rep", count=3)
        await house.people.contexts.session_tally.flush()
        (entry,) = (await coach.call("session.roster", session=session))["athletes"]
        assert (entry["user"], entry["reps"], entry["exercises"]) == (ada.id, 3, {"squat": 3})
        await coach.call("session.end", session=session)
        (mine,) = (await peer.expect("session.ended"))["summary"]["athletes"]
        assert mine["exercises"] == {"squat": {"reps": 3, "score": 85.0, "faults": {"back_lean": 3}}}
        # It is over: what the camera sees from now on is the athlete's own business.
        (watched,) = house.connection(ada.id).analyses
        async with asyncio.timeout(5):
            while len(watched.rooms) > 1:
                await asyncio.sleep(0.01)


async def test_whoever_is_out_of_the_session_is_shown_there_no_more(house: House, people: People) -> None:
    """The analysis goes on, for the athlete alone."""
    trainer, ada = await people.trainer(), await people.athlete()
    session = await people.session(trainer, [ada])
    frames = squats(2)
    half = len(frames) // 2
    async with connect(house.url, ada.token) as peer, connect(house.url, trainer.token) as coach:
        await coach.call("room.join", room=f"session:{session}")
        analysis = await opened(peer, session=session)
        await push(peer, analysis, frames[:half])
        await coach.expect("form.rep", count=1)
        await people.contexts.grants.end_between(ada.id, trainer.id, caller=SYSTEM)
        (watched,) = house.connection(ada.id).analyses
        async with asyncio.timeout(5):
            while len(watched.rooms) > 1:
                await asyncio.sleep(0.01)
        await push(peer, analysis, frames[half:])
        await counts(peer, 2)
        assert [each for each in await coach.settle() if each["type"] == "form.rep"] == []
    await house.people.contexts.session_tally.flush()
    assert (await house.people.contexts.session_tally.done(session))[ada.id]["squat"].reps == 1


async def test_a_trainer_on_another_worker_sees_it_too(
    house: House, people: People, settings: Settings
) -> None:
    """Over Redis, as heart rate does."""
    trainer, ada = await people.trainer(), await people.athlete()
    session = await people.session(trainer, [ada])
    async with (
        open_house(settings) as elsewhere,
        connect(house.url, ada.token) as peer,
        connect(elsewhere.url, trainer.token) as coach,
    ):
        analysis = await opened(peer, session=session)
        await coach.call("room.join", room=f"session:{session}")
        await push(peer, analysis, squats(2, squat(110, trunk=62)))
        assert await counts(coach, 2) == [1, 2]
        assert [each["data"]["code"] for each in coach.backlog if each["type"] == "form.fault"] == [
            "back_lean",
            "back_lean",
        ]


async def test_who_was_let_out_while_redis_was_away_is_shown_no_more(house: House, people: People) -> None:
    """The message was lost; after a break all who are shown are looked at again, also who is in no room."""
    trainer, ada = await people.trainer(), await people.athlete()
    session = await people.session(trainer, [ada])
    async with connect(house.url, ada.token) as peer:
        await opened(peer, session=session)
        (watched,) = house.connection(ada.id).analyses
        await house.realtime.orders.look_at_everything()
        assert watched.rooms == [f"user:{ada.id}", f"session:{session}"]
        sessions = people.contexts.database.coaching_sessions
        await sessions.update_one({"_id": session}, {"$pull": {"athletes": ada.id, "entered": ada.id}})
        await house.realtime.orders.look_at_everything()
        assert watched.rooms == [f"user:{ada.id}"]
        assert watched.session is None


# -- a connection and its analyses ---------------------------------------------------------------------------


async def test_an_analysis_ends_with_its_connection_and_counting_can_go_on(
    house: House, people: People
) -> None:
    """The next connection opens a new one, and says how many there were."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        lost = await opened(peer)
        await push(peer, lost, squats(2))
        await counts(peer, 2)
    async with connect(house.url, ada.token) as peer:
        error = await peer.refused("form.push", analysis=lost, frames=STILL)
        assert error["code"] == "not_found"
        again = await opened(peer, count_from=2)
        await push(peer, again, squats(1))
        assert await counts(peer, 3) == [3]
        assert (await peer.call("form.close", analysis=again))["reps"] == 3


async def test_somebody_elses_analysis_is_none(house: House, people: People) -> None:
    """It cannot be pushed into, nor closed, and looks as if it were not there."""
    ada, eve = await people.crowd(2)
    async with connect(house.url, ada.token) as peer, connect(house.url, eve.token) as other:
        analysis = await opened(peer)
        assert (await other.refused("form.push", analysis=analysis, frames=STILL))["code"] == "not_found"
        assert (await other.refused("form.close", analysis=analysis))["code"] == "not_found"
        assert (await peer.call("form.close", analysis=analysis))["frames"] == 0
        assert (await peer.refused("form.close", analysis=analysis))["code"] == "not_found"


async def test_a_session_of_others_is_none_and_leaves_nothing_open(house: House, people: People) -> None:
    """Refused, and the place is free again."""
    trainer, (ada, eve) = await people.trainer(), await people.crowd(2)
    session = await people.session(trainer, [ada])
    async with connect(house.url, eve.token) as peer:
        for _ in range(MOST_ANALYSES + 1):
            error = await peer.refused("form.open", exercise="squat", model="coco17", session=session)
            assert error["code"] == "not_found"
        assert list(house.connection(eve.id).analyses) == []


async def test_a_connection_has_four_at_most(house: House, people: People) -> None:
    """One more is refused until one is closed."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        first, *_ = [await opened(peer) for _ in range(MOST_ANALYSES)]
        assert (await peer.refused("form.open", exercise="curl", model="coco17"))["code"] == "too_large"
        await peer.call("form.close", analysis=first)
        await opened(peer)


# -- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"points": [[1, 2]] * 16}, "frames.0.points"),
        ({"points": [[1, 2]] * 18}, "points"),
        ({"points": [[1]] * 17}, "frames.0.points.0"),
        ({"points": [[1, 2, 3, 0.5, 6]] * 17}, "data"),  # where it is is not said by what decodes
        ({"points": [[1, 2]] * 16 + [[1e7, 0]]}, "points.16"),
        ({"points": [[1, 2]] * 16 + [[1, 2, None, 3]]}, "points.16"),
        ({"points": [["1", 2]] * 17}, "frames.0.points.0.0"),
        ({"t": -1}, "frames.0.t"),
        ({"more": 1}, "frames.0.more"),
    ],
)
async def test_a_frame_that_no_camera_saw_is_refused(
    house: House, people: People, change: dict[str, Any], field: str
) -> None:
    """And the good ones of the same push are not taken either."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        analysis = await opened(peer)
        frames = (
            [STILL[0] | change, *STILL] if not field.startswith("points") else [*STILL, STILL[0] | change]
        )
        error = await peer.refused("form.push", analysis=analysis, frames=frames)
        assert error["code"] == "invalid"
        assert list(error["fields"]) == [field]
        assert (await peer.call("form.close", analysis=analysis))["frames"] == 0


async def test_numbers_that_are_none_are_refused_in_messagepack(house: House, people: People) -> None:
    """JSON cannot say them."""
    ada = await people.athlete()
    async with connect(house.url, ada.token, protocols=(MSGPACK,)) as peer:
        analysis = await opened(peer)
        for value in (float("nan"), float("inf")):
            bad = STILL[0] | {"points": [[value, 2.0], *STILL[0]["points"][1:]]}
            error = await peer.refused("form.push", analysis=analysis, frames=[bad])
            assert (error["code"], list(error["fields"])) == ("invalid", ["points.0"])
            bad = STILL[0] | {"t": value}
            assert (await peer.refused("form.push", analysis=analysis, frames=[bad]))["code"] == "invalid"


async def test_frames_are_limited_not_pushes(house: House, people: People) -> None:
    """A hundred pushes of one frame pass, where sixty other commands would be the limit; a flood does not."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        analysis = await opened(peer)
        assert (await peer.refused("form.push", analysis=analysis, frames=STILL * 61))["code"] == "invalid"
        for frame in squats(2)[:100]:
            await peer.send("form.push", {"analysis": analysis, "frames": [frame]})
        assert [each for each in await peer.settle() if each["type"] == "error"] == []
        most = house.connection(ada.id)._limits.ws_samples // COST
        for _ in range(most // MOST_FRAMES + 1):
            await push(peer, analysis, STILL * MOST_FRAMES, MOST_FRAMES)
        error = await peer.error()
        assert error["code"] == "rate_limited"
        assert error["retry_after_ms"] > 0


# -- slow readers, and cost ----------------------------------------------------------------------------------


def test_a_slow_reader_gets_the_newest_count_and_every_fault() -> None:
    """Repetitions 1 to 9 while it did not read: it gets the ninth, which says how many there were."""
    reader = End("trainer", ws_outbox_soft_bytes=10, ws_outbox_hard_bytes=10_000)
    room = Room("session:x")
    room.members[reader.connection] = None
    reader.line.reads, reader.line.unread = False, 100
    for number in range(1, 10):
        event = Outgoing(msgspec.json.encode({"type": "form.rep", "count": number}))
        room._pending = [("a rep", event)]
        room.flush()
    room._pending = [("a back_lean", Outgoing(b'{"type":"form.fault"}'))]
    room.flush()
    assert reader.line.written == []
    reader.line.unread = 0
    assert reader.connection.release()
    (written,) = reader.line.written
    assert Encoding.JSON.frame(b'{"type":"form.rep","count":9}') in written
    assert Encoding.JSON.frame(b'{"type":"form.fault"}') in written
    assert written.count(b"form.rep") == 1


async def test_nobody_is_called_stale_because_they_rest(house: House, people: People) -> None:
    """Form events are no heart rate: silence after them means nothing."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        analysis = await opened(peer)
        await push(peer, analysis, squats(1))
        await counts(peer, 1)
        house.realtime.hub.tell_stale(house.realtime.loop.time() + 60, 5)
        assert [each for each in await peer.settle() if each["type"] == "hr.stale"] == []


def test_a_frame_costs_less_than_150_microseconds() -> None:
    """Decoding included; measured some 20 on the machine of docs/form.md. A guard against growing tenfold."""
    frames = squats(5)
    wire = [msgspec.json.encode({"analysis": "a" * 24, "frames": [each]}) for each in frames]
    decode = msgspec.json.Decoder(FormPush).decode
    best = float("inf")
    for _ in range(3):
        analysis = Analysis("squat", "coco17")
        begun = time.process_time()
        for payload in wire:
            for frame in decode(payload).frames:
                analysis.push(frame.t, frame.points)
        best = min(best, time.process_time() - begun)
        assert analysis.reps == 5
    assert best / len(wire) < 150e-6


async def test_a_long_push_lets_others_have_their_turn(house: House, people: People) -> None:
    """Sixty frames are taken in pieces."""
    ada = await people.athlete()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with connect(house.url, ada.token) as peer:
        analysis = await opened(peer)
        connection = house.connection(ada.id)
        frames = msgspec.convert(squats(2)[:MOST_FRAMES], list[FormFrame])
        counting = asyncio.create_task(count())
        await asyncio.sleep(0)
        before = turns
        await form_push(house.realtime, connection, FormPush(analysis, frames))
        assert turns - before >= MOST_FRAMES // AT_ONCE - 1
        counting.cancel()
