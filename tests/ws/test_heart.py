"""Heart rate on the socket: opening, pushing in every form, acknowledgement, resuming, closing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from fittracker.mongo import Database
from tests.house import House
from tests.peer import JSON, MSGPACK, connect
from tests.people import People
from tests.ws.heart_rate import T0, Sample, Strap, batch, samples, single, strap
from ws.feed import MOST_FEEDS

ENCODINGS = pytest.mark.parametrize("protocol", [JSON, MSGPACK])


@pytest.fixture(scope="module")
def database(people: People) -> Database:
    """What is behind the server."""
    return people.contexts.database


async def stored(database: Database, stream: str) -> list[tuple[int, int, int]]:
    """Number, time and heart rate of every stored sample, in order of storage."""
    found: list[tuple[int, int, int]] = []
    batches = database.heart_batches.find({"_id.s": stream}, sort=[("_id.n", 1)])
    for each in await batches.to_list():
        numbers = each.get("seq") or range(each["_id"]["n"], each["to"] + 1)
        found += zip(numbers, each["t"], each["bpm"], strict=True)
    return found


def rows(*given: list[Sample]) -> list[tuple[int, int, int]]:
    """The same of samples that were pushed."""
    return [(each["seq"], each["t"], each["bpm"]) for some in given for each in some]


# -- opening -----------------------------------------------------------------------------------------


async def test_opening_tells_what_a_device_needs_to_know(house: House, people: People) -> None:
    """A handle for binary frames, how far the stream is stored, zones and limits of the person."""
    ada = await people.athlete(max_hr=190, resting_hr=50)
    async with connect(house.url, ada.token) as peer:
        one = await strap(peer, sport="running", device={"name": "H10", "kind": "chest strap"})
        two = await strap(peer)
        assert (one.handle, two.handle) == (0, 1)
        assert one.acked == 0
        assert len(one.opened["zones"]) == 5
        assert one.opened["zones"][-1][1] == 190
        assert set(one.opened["alerts"]) == {"high", "low", "jump", "irregular", "lost_s"}
    found = await people.contexts.database.heart_streams.find_one({"_id": one.stream})
    assert found is not None
    assert (found["user"], found["sport"], found["device"]["kind"]) == (ada.id, "running", "chest strap")


@pytest.mark.parametrize(
    "wrong",
    [
        {"stream": "not-a-uuid"},
        {"stream": str(uuid4()), "session": "x"},
        {"stream": str(uuid4()), "sport": ""},
        {"stream": str(uuid4()), "device": {"kind": "strap"}},
        {"stream": str(uuid4()), "zones": []},
    ],
)
async def test_an_opening_that_makes_no_sense_is_invalid(
    house: House, people: People, wrong: dict[str, Any]
) -> None:
    """With the field that is wrong."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        error = await peer.refused("hr.open", **wrong)
        assert error["code"] == "invalid"
        assert len(error["fields"]) == 1


async def test_a_socket_has_so_many_streams_and_no_more(house: House, people: People) -> None:
    """Closing one makes room."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        straps = [await strap(peer) for _ in range(MOST_FEEDS)]
        assert (await peer.refused("hr.open", stream=str(uuid4())))["code"] == "too_large"
        await straps[3].close()
        again = await strap(peer)
        assert again.handle not in {each.handle for each in straps if each is not straps[3]}


async def test_a_session_one_does_not_belong_to_opens_nothing(house: House, people: People) -> None:
    """It might as well not exist."""
    ada, bob, trainer = *await people.crowd(2), await people.trainer()
    session = await people.session(trainer, [bob])
    async with connect(house.url, ada.token) as peer:
        for foreign in (session, "a" * 24):
            error = await peer.refused("hr.open", stream=str(uuid4()), session=foreign)
            assert error["code"] == "not_found"


async def test_somebody_elses_stream_cannot_be_opened_pushed_to_or_closed(
    house: House, people: People
) -> None:
    """Knowing its id is no key to it."""
    ada, bob = await people.crowd(2)
    async with connect(house.url, ada.token) as mine, connect(house.url, bob.token) as theirs:
        opened = await strap(mine)
        for command in ("hr.open", "hr.close"):
            assert (await theirs.refused(command, stream=opened.stream))["code"] == "not_found"
        push = {"stream": opened.stream, "samples": samples(1)}
        assert (await theirs.refused("hr.push", **push))["code"] == "not_found"
        await opened.push(*samples(1))
        await opened.ack(1)


# -- pushing -----------------------------------------------------------------------------------------


@ENCODINGS
async def test_what_is_acknowledged_is_stored(
    house: House, people: People, database: Database, protocol: str
) -> None:
    """In both encodings: with beats and contact, a few at a time or three hundred, with or without an id."""
    ada = await people.athlete()
    async with connect(house.url, ada.token, protocols=(protocol,)) as peer:
        opened = await strap(peer)
        first = samples(1, 2, bpm=101, rr=[594.5, 590.0], contact=True)
        many = samples(3, 300, bpm=102)
        await opened.push(*first)
        await opened.ack(2)
        assert await stored(database, opened.stream) == rows(first)
        assert await peer.call("hr.push", stream=opened.stream, samples=many) == {}
        await opened.ack(302)
        assert await stored(database, opened.stream) == rows(first, many)
    document = await database.heart_batches.find_one({"_id.s": opened.stream, "_id.n": 1})
    assert document is not None
    assert (document["rr"], document["contact"]) == ([[594.5, 590.0]] * 2, [True, True])


@ENCODINGS
async def test_binary_frames_are_read_on_every_socket(
    house: House, people: People, database: Database, protocol: str
) -> None:
    """One sample or up to 255, each as a Bluetooth strap says it."""
    ada = await people.athlete()
    async with connect(house.url, ada.token, protocols=(protocol,)) as peer:
        await strap(peer)
        opened = await strap(peer)
        one, many = samples(1, bpm=130, rr=[500.0], contact=True), samples(2, 255, bpm=131)
        await peer.send_binary(single(opened.handle, one[0]))
        await peer.send_binary(batch(opened.handle, many))
        await opened.ack(256)
        assert await stored(database, opened.stream) == rows(one, many)


async def test_a_cut_binary_frame_is_refused_whole(house: House, people: People, database: Database) -> None:
    """Wherever it is cut, and where bytes follow that belong to nothing; the socket goes on."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        opened = await strap(peer)
        given = samples(1, 2, bpm=90, rr=[666.0])  # of several beats the last could be cut unnoticed
        whole = batch(opened.handle, given)
        alone = single(opened.handle, given[0])
        broken = [whole[:length] for length in range(1, len(whole))] + [whole + b"\x00"]
        broken += [alone[:length] for length in range(1, len(alone))] + [alone + b"\x00"]
        broken += [batch(opened.handle, [])]
        for payload in broken:
            connection = house.connection(ada.id)
            connection.window -= 60  # none of them counts together with the others
            await peer.send_binary(payload)
            assert (await peer.error())["code"] == "invalid", payload
        await peer.send_binary(whole)
        await opened.ack(2)
        assert await stored(database, opened.stream) == rows(given)


async def test_a_handle_that_is_not_open_is_not_found(house: House, people: People) -> None:
    """Nor one on a socket that has opened nothing; nobody who has not signed in pushes at all."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        await peer.send_binary(single(0, samples(1)[0]))
        assert (await peer.error())["code"] == "not_found"
        opened = await strap(peer)
        await peer.send_binary(single(opened.handle + 1, samples(1)[0]))
        assert (await peer.error())["code"] == "not_found"
    async with connect(house.url) as peer:
        await peer.send_binary(single(0, samples(1)[0]))
        assert (await peer.error())["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"seq": 0}, "samples.2.seq"),
        ({"seq": "1"}, "samples.2.seq"),
        ({"bpm": -1}, "samples.2.bpm"),
        ({"bpm": 301}, "samples.2.bpm"),
        ({"bpm": 99.5}, "samples.2.bpm"),
        ({"t": 12_345}, "t"),
        ({"t": T0 + 3 * 86_400_000}, "t"),
        ({"t": 2**70}, "t"),
        ({"rr": [0]}, "samples.2.rr.0"),
        ({"rr": [500] * 65}, "samples.2.rr"),
        ({"contact": "yes"}, "samples.2.contact"),
        ({"power": 250}, "samples.2.power"),
    ],
)
async def test_a_push_with_a_fault_changes_nothing(
    house: House, people: People, database: Database, wrong: dict[str, Any], field: str
) -> None:
    """The good samples before the bad one are not taken either: the device sends all of them again."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        opened = await strap(peer)
        good, bad = samples(1, 2), {**samples(3)[0], **wrong}
        error = await peer.refused("hr.push", stream=opened.stream, samples=[*good, bad])
        assert error["code"] == "invalid"
        assert list(error["fields"]) == [field]
        whole = samples(1, 3)
        await opened.push(*whole)
        await opened.ack(3)
        assert await stored(database, opened.stream) == rows(whole)


@pytest.mark.parametrize("count", [0, 301])
async def test_a_push_holds_one_to_three_hundred_samples(house: House, people: People, count: int) -> None:
    """More than that is more pushes."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        opened = await strap(peer)
        error = await peer.refused("hr.push", stream=opened.stream, samples=samples(1, count))
        assert error["code"] == "invalid"


async def test_samples_that_were_sent_before_are_acknowledged_and_not_stored_again(
    house: House, people: People, database: Database
) -> None:
    """The acknowledgement was lost on the way; numbers may be skipped, but never go back."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        opened = await strap(peer)
        given = [*samples(1, 2), *samples(5, 2)]
        await opened.push(*given)
        await opened.ack(6)
        for _ in range(2):
            await opened.push(*given)
            await opened.ack(6)
        await opened.push(*samples(3, 2, bpm=50), *samples(7))
        await opened.ack(7)
        assert await stored(database, opened.stream) == rows(given, samples(7))


async def test_the_id_of_a_stream_may_be_written_as_its_device_writes_it(
    house: House, people: People
) -> None:
    """In capitals, as Apple's devices do; what the server says of it is in small letters."""
    ada = await people.athlete()
    shouted = str(uuid4()).upper()
    async with connect(house.url, ada.token) as peer:
        opened = await strap(peer, stream=shouted)
        assert opened.stream == shouted.lower()
        assert await peer.call("hr.push", stream=shouted, samples=samples(1)) == {}
        await opened.ack(1)
        assert (await peer.call("hr.close", stream=shouted))["summary"]["samples"] == 1


async def test_after_a_refusal_nothing_later_is_taken_before_what_was_refused(
    house: House, people: People, database: Database
) -> None:
    """Else the acknowledgement of the later ones would say that the refused ones are stored as well."""
    ada = await people.athlete()
    limit = house.realtime.settings.ws_samples
    async with connect(house.url, ada.token) as peer:
        opened = await strap(peer)
        await opened.push(*samples(1, 2))
        await opened.ack(2)
        connection = house.connection(ada.id)
        connection.samples = limit
        await opened.push(*samples(3, 2))
        assert (await peer.error())["code"] == "rate_limited"
        connection.samples = 0
        await opened.push(*samples(5, 2))
        error = await peer.error()
        assert (error["code"], error["fields"], error["retry"]) == (
            "unavailable",
            {"seq": "send from 3 on"},
            True,
        )
        await peer.send_binary(single(opened.handle, samples(5)[0]))
        assert (await peer.error())["code"] == "unavailable"
        await opened.push(*samples(3, 2))
        await opened.push(*samples(5, 2))
        await opened.ack(6)
        assert await stored(database, opened.stream) == rows(samples(1, 6))


# -- coming back -------------------------------------------------------------------------------------


async def test_a_device_that_comes_back_goes_on_where_storage_ended(
    house: House, people: People, database: Database
) -> None:
    """It is told so at the opening; what it sends twice is stored once."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        opened = await strap(peer)
        await opened.push(*samples(1, 5))
        await opened.ack(5)
        await opened.push(*samples(6, 5))
    async with connect(house.url, ada.token) as peer:
        again = await strap(peer, stream=opened.stream)
        assert 5 <= again.acked <= 10
        await again.push(*samples(6, 10))
        await again.ack(15)
        assert await stored(database, opened.stream) == rows(samples(1, 15))


async def test_the_newest_connection_takes_a_stream_over(house: House, people: People) -> None:
    """The older one is told, and can push no more."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as old, connect(house.url, ada.token) as new:
        before = await strap(old)
        await before.push(*samples(1))
        await before.ack(1)
        after = await strap(new, stream=before.stream)
        assert after.acked == 1
        assert await old.expect("hr.taken") == {"stream": before.stream}
        await old.send_binary(single(before.handle, samples(2)[0]))
        assert (await old.error())["code"] == "not_found"
        assert (await old.refused("hr.close", stream=before.stream))["code"] == "not_found"
        await after.push(*samples(2))
        await after.ack(2)


async def test_opening_again_on_the_same_socket_takes_it_from_nobody(house: House, people: People) -> None:
    """The handle stays, and so does the stream when the second opening is refused."""
    ada, trainer = await people.athlete(), await people.trainer()
    session = await people.session(trainer, [ada])
    async with connect(house.url, ada.token) as peer:
        opened = await strap(peer)
        again = await strap(peer, stream=opened.stream)
        assert again.handle == opened.handle
        error = await peer.refused("hr.open", stream=opened.stream, session=session)
        assert error["fields"] == {"session": "cannot be changed"}
        await opened.push(*samples(1))
        await opened.ack(1)
        assert not [each for each in await peer.settle() if each["type"] == "hr.taken"]


# -- closing -----------------------------------------------------------------------------------------


async def summary(opened: Strap) -> dict[str, Any]:
    """Close it; what it came to."""
    closed = await opened.close()
    figures: dict[str, Any] = closed["summary"]
    return figures


async def test_a_closed_stream_is_a_workout_with_a_summary(house: House, people: People) -> None:
    """Also of what was not acknowledged yet; closing twice, and from another socket, says the same."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer, connect(house.url, ada.token) as other:
        opened = await strap(peer, sport="running")
        await opened.push(*samples(1, 60, bpm=100), *samples(61, 60, bpm=160))
        closed = await opened.close()
        figures = closed["summary"]
        assert (figures["samples"], figures["avg_bpm"], figures["max_bpm"], figures["min_bpm"]) == (
            *(120, 130.0),
            *(160, 100),
        )
        assert {"duration_s", "zones_s", "trimp", "rmssd_ms", "kcal"} <= set(figures)
        assert await opened.close() == closed
        assert await other.call("hr.close", stream=opened.stream) == closed
        error = await other.refused("hr.open", stream=opened.stream)
        assert (error["code"], error["fields"]) == ("gone", {"workout": closed["workout"]})
        push = {"stream": opened.stream, "samples": samples(200)}
        assert (await peer.refused("hr.push", **push))["code"] == "not_found"


async def test_a_stream_without_a_sample_is_no_workout(house: House, people: People) -> None:
    """A strap that was put on and taken off."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        closed = await (await strap(peer)).close()
        assert (closed["workout"], closed["summary"]["samples"]) == (None, 0)


async def test_a_stream_that_was_never_opened_cannot_be_closed(house: House, people: People) -> None:
    """Nor one that is open on another socket."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer, connect(house.url, ada.token) as other:
        assert (await peer.refused("hr.close", stream=str(uuid4())))["code"] == "not_found"
        opened = await strap(peer)
        assert (await other.refused("hr.close", stream=opened.stream))["code"] == "not_found"
