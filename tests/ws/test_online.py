"""Who is online, asked and told: by whom it may be known, and what is told of those who come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from config.settings import Settings
from fittracker.caller import SYSTEM
from tests.house import House, open_house
from tests.peer import MSGPACK, Peer, connect
from tests.people import People, Person
from ws.presence import LARGE, parting
from ws.tidings import GATHER_S


async def online(peer: Peer, *people: Person) -> set[str]:
    """Which of these people are online, as far as that socket is told."""
    answer: dict[str, bool] = (await peer.call("presence.query", users=[each.id for each in people]))[
        "online"
    ]
    assert all(answer.values())
    return set(answer)


async def prefer(people: People, person: Person, word: str) -> None:
    """Somebody chooses who may know whether they are online."""
    await people.contexts.users.change_preferences(person.id, {"privacy": {"presence": word}}, None)


async def block(people: People, one: Person, other: Person) -> None:
    """One wants nothing to do with the other."""
    await people.contexts.blocks.add(one.id, other.id, SYSTEM)


async def unheard(peer: Peer, kind: str) -> list[dict[str, Any]]:
    """Events of that kind that came until what is gathered now must have been told."""
    await asyncio.sleep(2 * GATHER_S)  # nothing says that nothing is told
    return [each["data"] for each in await peer.settle() if each["type"] == kind]


@asynccontextmanager
async def both(house: House, one: Person, other: Person) -> AsyncIterator[tuple[Peer, Peer]]:
    """Two sockets."""
    async with connect(house.url, one.token) as first, connect(house.url, other.token) as second:
        yield first, second


# -- whom one may ask about ----------------------------------------------------------------------------


async def test_it_is_known_to_oneself_and_to_those_with_whom_one_shares_something(
    house: House, people: People
) -> None:
    """A grant in either direction, a session that both are in; to nobody else, unless it is public."""
    trainer, (ada, ben, eve) = await people.trainer(), await people.crowd(3)
    await people.grant(ada, trainer)
    session = await people.session(trainer, [ben])
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(connect(house.url, each.token))
            for each in (trainer, ada, ben, eve)
        ]
        coach, of_ada, of_ben, of_eve = sockets
        everybody = (trainer, ada, ben, eve)
        assert await online(coach, *everybody) == {trainer.id, ada.id, ben.id}
        assert await online(of_ada, *everybody) == {trainer.id, ada.id}
        assert await online(of_eve, *everybody) == {eve.id}
        await prefer(people, ada, "public")
        assert await online(of_eve, *everybody) == {eve.id, ada.id}
        await prefer(people, ada, "private")
        for peer in (of_eve, coach):
            assert ada.id not in await online(peer, *everybody)
        assert await online(of_ada, ada) == {ada.id}
        await of_ben.call("room.join", room=f"session:{session}")


async def test_athletes_of_a_session_know_of_each_other_once_they_have_entered(
    house: House, people: People
) -> None:
    """Being invited shows nothing of anybody."""
    trainer, (ada, ben) = await people.trainer(), await people.crowd(2)
    room = f"session:{await people.session(trainer, [ada, ben])}"
    async with both(house, ada, ben) as (one, other):
        assert await online(one, ben) == await online(other, ada) == set()
        await other.call("room.join", room=room)
        assert await online(one, ben) == {ben.id}
        assert await online(other, ada) == set()


async def test_it_is_known_to_those_one_talks_with_and_to_followers_where_one_says_so(
    house: House, people: People
) -> None:
    """A conversation is enough by default; following alone is not."""
    ada, ben, cai = await people.crowd(3)
    await people.conversation(ada, ben)
    await people.contexts.follows.follow(cai.id, ada.id)
    async with AsyncExitStack() as stack:
        of_ada, of_ben, of_cai = [
            await stack.enter_async_context(connect(house.url, each.token)) for each in (ada, ben, cai)
        ]
        assert await online(of_ben, ada, cai) == {ada.id}
        assert await online(of_ada, ben, cai) == {ben.id}
        assert await online(of_cai, ada, ben) == set()
        await prefer(people, ada, "followers")
        assert await online(of_cai, ada, ben) == {ada.id}
        assert await online(of_ben, ada) == {ada.id}


async def test_whom_one_may_not_know_of_looks_like_nobody(house: House, people: People) -> None:
    """Blocked in either direction, disabled, unknown: the same as offline."""
    (ada, ben, cai, dea) = await people.crowd(4)
    for each in (ada, ben, cai, dea):
        await prefer(people, each, "public")
    await block(people, ada, ben)
    async with AsyncExitStack() as stack:
        for each in (ben, cai, dea):
            await stack.enter_async_context(connect(house.url, each.token))
        one = await stack.enter_async_context(connect(house.url, ada.token))
        assert await online(one, ben, cai) == {cai.id}
        other = await stack.enter_async_context(connect(house.url, ben.token))
        assert await online(other, ada, cai) == {cai.id}
        nobody = await one.call("presence.query", users=["a" * 24, ben.id])
        assert nobody == {"online": {}}
        contexts = people.contexts
        disabled = {"$set": {"disabled_at": contexts.clock.utc()}}
        await contexts.database.users.update_one({"_id": dea.id}, disabled)
        assert await online(one, dea) == set()


@pytest.mark.parametrize("users", [[], ["a" * 24] * 101, ["x"], [{"$ne": 1}], "a" * 24, None])
async def test_a_question_is_about_one_to_a_hundred_people(house: House, people: People, users: Any) -> None:
    """By their ids."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        assert (await peer.refused("presence.query", users=users))["code"] == "invalid"


# -- what is told --------------------------------------------------------------------------------------


async def test_who_asked_is_told_of_changes_and_nobody_else(house: House, people: People) -> None:
    """Each once, however many sockets somebody has; in both encodings."""
    trainer, ada = await people.trainer(), await people.athlete()
    await people.grant(ada, trainer)
    async with (
        connect(house.url, trainer.token, protocols=(MSGPACK,)) as asking,
        connect(house.url, trainer.token) as silent,
    ):
        assert await online(asking, ada) == set()
        for _ in range(2):
            async with connect(house.url, ada.token), connect(house.url, ada.token):
                assert await asking.expect("presence.changed") == {"user": ada.id, "online": True}
            assert await asking.expect("presence.changed") == {"user": ada.id, "online": False}
        assert await unheard(asking, "presence.changed") == []
        assert await unheard(silent, "presence.changed") == []
    await eventually_nobody_asks(house)


async def eventually_nobody_asks(house: House) -> None:
    """The last socket that asked is gone, and with it what was kept for it."""
    async with asyncio.timeout(10):
        while len(house.realtime.regard.acquaintance):
            await asyncio.sleep(0.01)


async def test_who_may_not_know_any_more_is_told_that_they_went_and_then_nothing(
    house: House, people: People
) -> None:
    """A block, a grant that ends, a change of mind: for the other they are offline from then on."""
    trainer, (ada, ben, cai) = await people.trainer(), await people.crowd(3)
    grant = await people.grant(ada, trainer)
    for each in (ben, cai):
        await prefer(people, each, "public")
    async with AsyncExitStack() as stack:
        coach = await stack.enter_async_context(connect(house.url, trainer.token))
        others = [await stack.enter_async_context(connect(house.url, each.token)) for each in (ada, ben, cai)]
        assert await online(coach, ada, ben, cai) == {ada.id, ben.id, cai.id}
        await people.contexts.grants.end(ada.id, grant, caller=SYSTEM)
        assert await coach.expect("presence.changed") == {"user": ada.id, "online": False}
        await block(people, ben, trainer)
        assert await coach.expect("presence.changed") == {"user": ben.id, "online": False}
        await prefer(people, cai, "private")
        assert await coach.expect("presence.changed") == {"user": cai.id, "online": False}
        for peer in others:
            await peer.close()
        assert await unheard(coach, "presence.changed") == []


async def test_in_a_room_people_are_told_of_each_other(house: House, people: People) -> None:
    """Who comes, with name and role, and who goes; not of oneself, nor of a second socket."""
    trainer, ada = await people.trainer(), await people.athlete()
    room = f"session:{await people.session(trainer, [ada])}"
    async with both(house, trainer, ada) as (coach, phone):
        await coach.call("room.join", room=room)
        await phone.call("room.join", room=room)
        async with connect(house.url, ada.token) as tablet:
            await tablet.call("room.join", room=room)
            event = await coach.event("presence.joined")
            assert (event["room"], event["data"]) == (
                room,
                {"user": ada.id, "name": ada.name, "role": "user"},
            )
            await phone.call("room.leave", room=room)
            assert await unheard(coach, "presence.left") == []
            await tablet.call("room.leave", room=room)
            assert await coach.expect("presence.left") == {"user": ada.id}
            assert ada.id not in {each["user"] for each in await unheard(tablet, "presence.joined")}
        assert await unheard(coach, "presence.joined") == []


async def test_in_a_room_nobody_sees_whom_they_blocked(house: House, people: People) -> None:
    """Neither in the list nor in events: in a session they are among those who did not come."""
    trainer, (ada, ben, cai) = await people.trainer(), await people.crowd(3)
    room = f"session:{await people.session(trainer, [ada, ben, cai])}"
    await block(people, ada, ben)
    async with AsyncExitStack() as stack:
        sockets = {}
        for each in (ada, ben, cai):
            sockets[each.id] = peer = await stack.enter_async_context(connect(house.url, each.token))
            joined = await peer.call("room.join", room=room)
        assert {each["user"] for each in joined["members"]} == {ada.id, ben.id, cai.id}
        assert await sockets[ada.id].expect("presence.joined") == {
            "user": cai.id,
            "name": cai.name,
            "role": "user",
        }
        assert await unheard(sockets[ada.id], "presence.joined") == []
        for viewer, other in ((ada, ben), (ben, ada)):
            found = (await sockets[viewer.id].call("room.members", room=room))["members"]
            assert {each["user"]: each["online"] for each in found} == {
                trainer.id: False,
                viewer.id: True,
                other.id: False,
                cai.id: True,
            }
            again = await sockets[viewer.id].call("room.join", room=room)
            assert (len(again["members"]), again["count"]) == (2, 2)
        await block(people, cai, ada)
        assert await sockets[ada.id].expect("presence.left") == {"user": cai.id}
        assert await sockets[cai.id].expect("presence.left") == {"user": ada.id}
        assert await unheard(sockets[ben.id], "presence.left") == []


async def test_who_wants_to_be_seen_by_nobody_is_named_in_no_conversation(
    house: House, people: People
) -> None:
    """Neither in lists nor in events; in a coaching session they are, for going in is agreeing to it."""
    trainer, (ada, ben) = await people.trainer(), await people.crowd(2)
    talk = f"chat:{await people.conversation(ada, ben)}"
    lesson = f"session:{await people.session(trainer, [ada, ben])}"
    await prefer(people, ada, "private")
    async with both(house, ada, ben) as (hidden, other):
        for room, seen in ((talk, {ben.id}), (lesson, {ada.id, ben.id})):
            await other.call("room.join", room=room)
            await hidden.call("room.join", room=room)
            told = await unheard(other, "presence.joined")
            assert {each["user"] for each in told} == seen - {ben.id}
            members = (await other.call("room.members", room=room))["members"]
            assert {each["user"] for each in members if each["online"]} == seen


async def test_two_thousand_who_come_at_once_are_a_number_for_each_other(
    house: House, people: People
) -> None:
    """A hundred names, then a count a second: not two thousand times two thousand events."""
    trainer, ada = await people.trainer(), await people.athlete()
    room = f"session:{await people.session(trainer, [ada])}"
    realtime = house.realtime
    async with connect(house.url, trainer.token) as coach:
        await coach.call("room.join", room=room)
        crowd = [f"{number:024x}" for number in range(2_000)]
        for user in crowd:
            realtime.presence.arrived(room, user, "Ada", "user")
        realtime.regard.tidings.each_second()
        while (await coach.expect("presence.changed"))["count"] < 2_001:
            pass
        came = await coach.settle()
        assert {each["type"] for each in came} == {"presence.joined"}
        assert len(came) == LARGE - 1
        for user in crowd:
            realtime.presence.left(room, user)
        while (await coach.expect("presence.changed"))["count"] > LARGE:
            pass
        assert len([each for each in await coach.settle() if each["type"] == "presence.changed"]) <= 2


async def test_while_nobody_can_say_who_may_know_nothing_is_told_and_then_all_of_it(
    house: House, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MongoDB is away for a moment: better late than to whom it does not concern."""
    trainer, ada = await people.trainer(), await people.athlete()
    room = f"session:{await people.session(trainer, [ada])}"
    discretion = house.realtime.contexts.discretion
    away = asyncio.Event()

    async def nobody_answers(*_: Any, **__: Any) -> set[tuple[str, str]]:
        away.set()
        raise AutoReconnect("away")

    async with both(house, trainer, ada) as (coach, athlete):
        await coach.call("room.join", room=room)
        await athlete.call("ping")
        assert await online(coach, ada) == {ada.id}
        with monkeypatch.context() as outage:
            for question in ("hidden_pairs", "knowing"):
                outage.setattr(discretion, question, nobody_answers)
            house.realtime.presence.arrived(room, "a" * 24, "Bea", "user")
            house.realtime.presence.arrived(room, "b" * 24, "Cai", "user")
            house.realtime.presence.left(room, "b" * 24)
            await asyncio.wait_for(away.wait(), 10)
            away.clear()
            await athlete.close()
            await asyncio.wait_for(away.wait(), 10)
            assert {each["type"] for each in await coach.settle()} <= {"session.joined"}
        assert await coach.expect("presence.joined") == {"user": "a" * 24, "name": "Bea", "role": "user"}
        assert await coach.expect("presence.changed") == {"user": ada.id, "online": False}


# -- a moment of patience ------------------------------------------------------------------------------


async def test_who_comes_back_in_time_was_never_away_and_who_does_not_leaves_later(
    settings: Settings,
) -> None:
    """As with a phone that changes from one network to another; no gauge remembers it afterwards."""
    async with open_house(replace(settings, presence_grace_s=30.0)) as house:
        people, realtime = house.people, house.realtime
        trainer, ada = await people.trainer(), await people.athlete()
        room = f"session:{await people.session(trainer, [ada])}"
        async with connect(house.url, trainer.token) as coach:
            await coach.call("room.join", room=room)
            assert await online(coach, ada) == set()
            for _ in range(2):
                async with connect(house.url, ada.token) as peer:
                    await peer.call("room.join", room=room)
            assert await coach.expect("presence.joined", user=ada.id)
            assert await coach.expect("presence.changed", user=ada.id) == {"user": ada.id, "online": True}
            assert [each for each in await coach.settle() if each["type"].startswith("presence")] == []
            assert await online(coach, ada) == {ada.id}
            now = asyncio.get_running_loop().time()
            realtime.presence.each_second(now + 1)
            assert parting._value.get() == 2
            realtime.presence.each_second(now + 31)
            assert await coach.expect("presence.left") == {"user": ada.id}
            assert await coach.expect("presence.changed") == {"user": ada.id, "online": False}
            assert parting._value.get() == 0
