"""Challenges live, over two workers: the board moves, who is overtaken hears it, the end is said for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.settings import Settings
from fittracker.caller import SYSTEM
from fittracker.challenges import ranks
from fittracker.challenges.ranks import APART_S
from tests.house import House, open_house
from tests.moving_clock import MovingClock
from tests.peer import MSGPACK, Peer, connect
from tests.people import Person


@pytest.fixture(scope="module")
def clock() -> MovingClock:
    """The clock of both workers."""
    return MovingClock()


@pytest.fixture(scope="module")
async def house(settings: Settings, clock: MovingClock) -> AsyncIterator[House]:
    """A worker."""
    async with open_house(settings, clock) as house:
        yield house


@pytest.fixture(scope="module")
async def other_house(settings: Settings, clock: MovingClock) -> AsyncIterator[House]:
    """Another worker beside the first."""
    async with open_house(settings, clock) as house:
        yield house


class Track:
    """A challenge, and sockets of people at both workers."""

    def __init__(self, houses: tuple[House, House], stack: AsyncExitStack) -> None:
        self.houses = houses
        self.people = houses[0].people
        self.arena = self.people.contexts.arena
        self._stack = stack
        self.id = ""

    @property
    def room(self) -> str:
        """Its room."""
        return f"challenge:{self.id}"

    async def begin(self, count: int, **more: Any) -> list[Person]:
        """So many people begin a challenge that runs."""
        people = await self.people.crowd(count)
        self.id = await self.people.challenge(*people, **more)
        return people

    async def socket(self, person: Person, house: int = 0, *, inside: bool = True, **more: Any) -> Peer:
        """A socket at one of the workers, in the room of the challenge."""
        peer = await self._stack.enter_async_context(connect(self.houses[house].url, person.token, **more))
        if inside:
            await peer.call("room.join", room=self.room)
        return peer

    async def report(self, peer: Peer, value: float) -> Any:
        """Somebody reports so much."""
        return await peer.call("challenge.progress", challenge=self.id, value=value, client_id=str(uuid4()))


@pytest.fixture
async def track(house: House, other_house: House) -> AsyncIterator[Track]:
    """An empty one."""
    async with AsyncExitStack() as stack:
        yield Track((house, other_house), stack)


async def settled(peer: Peer, expected: list[tuple[str, float]], track: Track) -> None:
    """Until the board stands like this."""
    async with asyncio.timeout(10):
        while True:
            shown = await peer.call("challenge.board", challenge=track.id, limit=50)
            if [(each["user"], each["value"]) for each in shown["items"]] == expected:
                return
            await asyncio.sleep(0.02)


async def led_with(peer: Peer, track: Track, value: float) -> dict[str, Any]:
    """The first event in the room whose leader has so much."""
    while True:
        event = await peer.event("challenge.rank", room=track.room)
        if event["data"]["leaders"][0]["value"] == value:
            return dict(event["data"])


async def test_what_one_does_moves_the_board_for_everybody_who_looks(track: Track) -> None:
    """On both workers, in either encoding; oneself hears of it on all devices."""
    anna, bert = await track.begin(2, goal=5_000)
    reporting, device = await track.socket(anna, 0), await track.socket(anna, 1, inside=False)
    looking = await track.socket(bert, 1, protocols=(MSGPACK,))
    assert await track.report(reporting, 2.5) == {"challenge": track.id, "total": 2.5}
    progressed = {"challenge": track.id, "total": 2.5, "goal": 5.0, "reached": False}
    assert await device.expect("challenge.progress") == progressed
    heard = await led_with(looking, track, 2.5)
    assert heard["participants"] == 2
    first = heard["leaders"][0]
    assert (first["rank"], first["user"], first["name"]) == (1, anna.id, anna.name)
    await track.report(reporting, 2.5)
    assert (await device.expect("challenge.progress"))["reached"] is True
    (change,) = (await led_with(looking, track, 5.0))["changes"]
    assert (change["user"], change["rank"], change["was"], change["value"]) == (anna.id, 1, 1, 5.0)
    await reporting.expect("notification", event="challenge.reached")
    shown = await looking.call("challenge.board", challenge=track.id, limit=1)
    assert [each["user"] for each in shown["items"]] == [anna.id]
    assert shown["mine"] == {"rank": 2, "user": bert.id, "name": bert.name, "value": 0.0}


async def test_who_leaves_is_gone_from_the_board_for_everybody_who_looks(track: Track) -> None:
    """The leaders are told again, though nobody's value has changed."""
    anna, bert = await track.begin(2)
    looking, leaving = await track.socket(bert, 1), await track.socket(anna, 0)
    await track.report(leaving, 3)
    await led_with(looking, track, 3.0)
    await track.arena.leave(anna.id, track.id)
    left = await led_with(looking, track, 0.0)
    assert ([each["user"] for each in left["leaders"]], left["participants"]) == ([bert.id], 1)


async def test_who_is_overtaken_is_told_by_whom_and_once_an_hour_in_the_inbox(track: Track) -> None:
    """Two who overtake each other all the time fill no inbox."""
    anna, bert = await track.begin(2)
    ahead, behind = await track.socket(anna, 0), await track.socket(bert, 1)
    await track.report(ahead, 5)
    await settled(behind, [(anna.id, 5.0), (bert.id, 0.0)], track)
    own = f"user:{anna.id}"
    for turn in range(2):
        await track.report(behind, 6)
        event = await ahead.event("challenge.rank", room=own)
        assert event["data"]["overtaken_by"] == bert.id
        (row,) = event["data"]["changes"]
        assert (row["user"], row["rank"]) == (anna.id, 2)
        if turn == 0:
            assert (await ahead.expect("notification", event="challenge.overtaken"))["by"] == bert.id
        await track.report(ahead, 6)
        theirs = await behind.event("challenge.rank", room=f"user:{bert.id}")
        assert theirs["data"]["overtaken_by"] == anna.id
    facts = track.people.contexts.database.notification_facts
    query = {"user": anna.id, "event": "challenge.overtaken", "subject": track.room}
    assert await facts.count_documents(query) == 1


async def test_however_many_move_the_board_is_told_a_few_times_a_second(
    track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At both workers; the last event shows the board as it is, and never too many changes are in one."""
    monkeypatch.setattr(ranks, "MOST_CHANGES", 10)
    people = await track.begin(15)
    looking = await track.socket(people[0], 1)
    loop = asyncio.get_running_loop()
    began, ranked = loop.time(), []
    workers = [each.realtime.contexts.arena.progress.report for each in track.houses]
    for turn in range(8):
        reports = (
            workers[place % 2](person.id, track.id, place + 1.0 + turn, str(uuid4()))
            for place, person in enumerate(people)
        )
        await asyncio.gather(*reports)
    best = 8.0 * len(people) + 28
    async with asyncio.timeout(10):
        last = await looking.event("challenge.rank", room=track.room)
        while last["data"]["leaders"][0]["value"] != best:
            ranked.append(last)
            last = await looking.event("challenge.rank", room=track.room)
    assert len(ranked) + 1 <= (loop.time() - began) / APART_S + 2
    assert all(len(each["data"]["changes"]) <= 10 for each in (*ranked, last))
    assert not all(each["data"]["complete"] for each in (*ranked, last))
    assert [each["rank"] for each in last["data"]["leaders"]] == list(range(1, 11))


async def test_a_challenge_is_looked_at_by_whom_it_is_open_to(track: Track) -> None:
    """For all others it is not there; who may only look neither reports nor talks."""
    owner, member = await track.begin(2)
    stranger, blocked = await track.people.crowd(2)
    await track.people.contexts.blocks.add(owner.id, blocked.id, SYSTEM)
    inside, outside = await track.socket(member, 1), await track.socket(stranger, 0)
    assert (await outside.call("room.join", room=track.room))["epoch"]
    refusal = await outside.refused("challenge.progress", challenge=track.id, value=1, client_id=str(uuid4()))
    assert refusal["code"] == "forbidden"
    said = {"room": track.room, "text": "Go!", "client_id": str(uuid4())}
    await inside.call("chat.send", **said)
    assert (await outside.expect("chat.message"))["text"] == "Go!"
    assert (await outside.refused("chat.send", **{**said, "client_id": str(uuid4())}))["code"] == "not_found"
    shut = await track.socket(blocked, 0, inside=False)
    for command, data in (
        ("room.join", {"room": track.room}),
        ("challenge.board", {"challenge": track.id}),
        ("challenge.progress", {"challenge": track.id, "value": 1, "client_id": str(uuid4())}),
    ):
        assert (await shut.refused(command, **data))["code"] == "not_found"


async def test_who_may_look_no_more_is_out_at_once(track: Track) -> None:
    """Where it is hidden, where the two block each other, where a member of a hidden one leaves."""
    owner, member, blocking = await track.begin(3)
    (stranger,) = await track.people.crowd(1)
    sockets = {each.id: await track.socket(each, 1) for each in (owner, member, blocking, stranger)}
    hub = track.houses[1].realtime.hub

    async def until_out(person: Person) -> None:
        async with asyncio.timeout(10):
            while any(track.room in each.rooms for each in hub.of_user(person.id)):
                await asyncio.sleep(0.01)

    await track.arena.challenges.change(owner.id, track.id, {"visibility": "private"}, None)
    await until_out(stranger)
    await track.people.contexts.blocks.add(blocking.id, owner.id, SYSTEM)
    await until_out(blocking)
    assert not await track.arena.membership.belongs(track.id, blocking.id)
    await track.arena.leave(member.id, track.id)
    await until_out(member)
    assert (await sockets[member.id].refused("room.join", room=track.room))["code"] == "not_found"
    assert any(track.room in each.rooms for each in hub.of_user(owner.id))
    shown = await sockets[owner.id].call("challenge.board", challenge=track.id)
    assert [each["user"] for each in shown["items"]] == [owner.id]


async def test_the_end_is_said_for_good(track: Track, clock: MovingClock) -> None:
    """Once, with a place in the room's log: who was away gets it when they come back."""
    anna, bert = await track.begin(2)
    here, away = await track.socket(anna, 0), await track.socket(bert, 1)
    joined = await away.call("room.join", room=track.room)
    await track.report(here, 7)
    await away.close()
    clock.advance(timedelta(hours=1).total_seconds())
    finishing = [each.realtime.contexts.arena.finishing for each in track.houses]
    await asyncio.gather(*(each.finish_due() for each in finishing))
    heard = await here.event("challenge.finished", room=track.room)
    assert heard["data"] == {
        "challenge": track.id,
        "participants": 2,
        "places": [
            {"place": 1, "user": anna.id, "value": 7.0},
            {"place": 2, "user": bert.id, "value": 0.0},
        ],
    }
    bert = await track.people.sign_in(bert)  # an hour has passed
    back = await track.socket(bert, 1, inside=False)
    since = {"epoch": joined["epoch"], "seq": joined["seq"]}
    missed = await back.call("room.join", room=track.room, since=since)
    assert missed["recovered"] is True
    assert [each["type"] for each in missed["events"]] == ["challenge.finished"]
    inbox = await track.people.contexts.notifications.page(bert.id, 10, None)
    (entry,) = [each for each in inbox.items if each["event"] == "challenge.finished"]
    assert entry["data"] == {"place": 2}
