"""Who may see whose heart rate on the socket; losing the permission ends it at once, on every worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from config.settings import Settings
from fittracker.caller import SYSTEM
from tests.house import House, open_house
from tests.peer import Peer, connect
from tests.people import People, Person
from tests.ws.heart_rate import T0, Strap, samples, strap


@pytest.fixture(scope="module")
async def other_house(settings: Settings) -> AsyncIterator[House]:
    """Another worker beside the first."""
    async with open_house(settings) as house:
        yield house


async def until(true: Callable[[], bool]) -> None:
    """What is told by way of Valkey takes some turns of the loop."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


def rooms(house: House, person: Person) -> set[str]:
    """The rooms that this person's sockets at this worker are in."""
    return {name for each in house.realtime.hub.of_user(person.id) for name in each.rooms}


def watches(house: House, watcher: Person, athlete: Person) -> bool:
    """Whether a socket of the watcher's at this worker is in the athlete's room."""
    return f"heart:{athlete.id}" in rooms(house, watcher)


async def set_heart_rate(people: People, person: Person, seen: str) -> None:
    """`public` or `private`, as by PUT /users/me/preferences."""
    await people.contexts.users.change_preferences(person.id, {"privacy": {"heart_rate": seen}}, None)


async def block(people: People, one: Person, other: Person) -> None:
    """As by POST /users/me/blocks."""
    await people.contexts.blocks.add(one.id, other.id, SYSTEM)


class Audience:
    """An athlete who streams at one worker, and people who look at both."""

    def __init__(self, stack: AsyncExitStack, houses: tuple[House, House], athlete: Person) -> None:
        self._stack = stack
        self.houses = houses
        self.athlete = athlete
        self.worn: Strap
        self._sent = 0

    async def peer(self, house: House, person: Person) -> Peer:
        """A socket of somebody's."""
        return await self._stack.enter_async_context(connect(house.url, person.token))

    async def see(self, *peers: Peer) -> None:
        """The athlete's next heartbeat reaches all of these."""
        self._sent += 1
        await self.worn.push(*samples(self._sent))
        for peer in peers:
            await peer.expect("hr.update", user=self.athlete.id, t=T0 + self._sent * 1_000)

    async def see_nothing(self, *peers: Peer, while_seen_by: Peer) -> None:
        """It reaches one, and none of the others."""
        await self.see(while_seen_by)
        for peer in peers:
            assert [each for each in await peer.settle() if each["type"] == "hr.update"] == []


@pytest.fixture
async def audience(house: House, other_house: House, people: People) -> AsyncIterator[Audience]:
    """A new one; the athlete's heart rate is nobody else's business yet."""
    async with AsyncExitStack() as stack:
        made = Audience(stack, (house, other_house), await people.athlete())
        own = await made.peer(house, made.athlete)
        made.worn = await strap(own)
        yield made


async def test_a_public_heart_rate_is_seen_by_whoever_is_signed_in_until_it_is_private_again(
    audience: Audience, people: People
) -> None:
    """On both workers at once; who has a grant, and the athlete, see it on."""
    here, there = audience.houses
    bob, cleo = await people.crowd(2)
    trainer = await people.trainer()
    await people.grant(audience.athlete, trainer)
    near, far = await audience.peer(here, bob), await audience.peer(there, cleo)
    granted, own = await audience.peer(there, trainer), await audience.peer(here, audience.athlete)
    for peer in (near, far):
        assert (await peer.refused("hr.watch", user=audience.athlete.id))["code"] == "not_found"
    await set_heart_rate(people, audience.athlete, "public")
    for peer in (near, far, granted, own):
        await peer.call("hr.watch", user=audience.athlete.id)
    await audience.see(near, far, granted, own)
    await set_heart_rate(people, audience.athlete, "private")
    await until(lambda: not watches(here, bob, audience.athlete))
    await until(lambda: not watches(there, cleo, audience.athlete))
    await audience.see_nothing(near, far, while_seen_by=granted)
    await audience.see(granted, own)
    assert (await far.refused("room.join", room=f"heart:{audience.athlete.id}"))["code"] == "not_found"


@pytest.mark.parametrize("who", ["the athlete", "the watcher"])
async def test_C5_a_block_ends_watches_at_once_on_every_worker(
    audience: Audience, people: People, who: str
) -> None:
    """Whoever of the two made it; nobody else loses anything, and watching again is refused as for nobody."""
    here, there = audience.houses
    bob, cleo = await people.crowd(2)
    await set_heart_rate(people, audience.athlete, "public")
    peers = [await audience.peer(house, bob) for house in (here, there)]
    kept = await audience.peer(there, cleo)
    for peer in (*peers, kept):
        await peer.call("hr.watch", user=audience.athlete.id)
    await audience.see(*peers, kept)
    one, other = (audience.athlete, bob) if who == "the athlete" else (bob, audience.athlete)
    await block(people, one, other)
    for house in (here, there):
        await until(lambda house=house: not watches(house, bob, audience.athlete))  # type: ignore[misc]
    await audience.see_nothing(*peers, while_seen_by=kept)
    nobody = await peers[0].refused("hr.watch", user="f" * 24)
    assert await peers[0].refused("hr.watch", user=audience.athlete.id) == nobody
    assert await peers[1].refused("room.join", room=f"heart:{audience.athlete.id}") == {
        **nobody,
        "detail": "There is no such room.",
    }


async def test_C5_a_block_takes_the_athlete_out_of_the_trainers_session(
    audience: Audience, people: People
) -> None:
    """The trainer sees them neither in its room nor by watching, and they hear nothing of it any more."""
    here, there = audience.houses
    trainer = await people.trainer()
    session = await people.session(trainer, [audience.athlete])
    room = f"session:{session}"
    coach, own = await audience.peer(there, trainer), await audience.peer(here, audience.athlete)
    worn = await strap(own, session=session)
    await own.call("room.join", room=room)
    await own.call("hr.watch", user=audience.athlete.id)
    await coach.call("room.join", room=room)
    await coach.call("hr.watch", user=audience.athlete.id)
    await worn.push(*samples(1))
    for seen in (room, f"heart:{audience.athlete.id}"):
        await coach.event("hr.update", room=seen)
    await block(people, audience.athlete, trainer)
    await until(lambda: not watches(there, trainer, audience.athlete))
    await until(lambda: room not in rooms(here, audience.athlete))
    await worn.push(*samples(2))
    await own.event("hr.update", room=f"heart:{audience.athlete.id}", t=T0 + 2_000)
    assert [each for each in await coach.settle() if each["type"] == "hr.update"] == []
    for peer, command in ((own, {"room": room}), (coach, {"room": f"heart:{audience.athlete.id}"})):
        assert (await peer.refused("room.join", **command))["code"] == "not_found"


async def test_athletes_of_one_session_who_block_each_other_stay_in_it_and_watch_no_more(
    audience: Audience, people: People
) -> None:
    """The session is the trainer's; what one sees there both have agreed to."""
    here, there = audience.houses
    trainer, bob = await people.trainer(), await people.athlete()
    session = await people.session(trainer, [audience.athlete, bob])
    peer, own = await audience.peer(there, bob), await audience.peer(here, audience.athlete)
    for each in (own, peer):
        await each.call("room.join", room=f"session:{session}")
    await peer.call("hr.watch", user=audience.athlete.id)
    await block(people, audience.athlete, bob)
    await until(lambda: not watches(there, bob, audience.athlete))
    assert await people.contexts.coaching.belongs(session, bob.id)
    assert (await peer.refused("hr.watch", user=audience.athlete.id))["code"] == "not_found"


async def test_C6_who_loses_the_permission_while_entering_does_not_get_in(
    audience: Audience, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message came after the check and before the socket was there to be taken out."""
    here, _ = audience.houses
    bob = await people.athlete()
    await set_heart_rate(people, audience.athlete, "public")
    peer = await audience.peer(here, bob)
    watching = here.realtime.contexts.people.watching
    changes = here.realtime.orders.sight_changes

    async def slow(athlete: str, viewers: Any) -> Any:
        allowed = await watching(athlete, viewers)
        monkeypatch.undo()
        await set_heart_rate(people, audience.athlete, "private")
        await until(lambda: here.realtime.orders.sight_changes > changes)
        return allowed

    monkeypatch.setattr(here.realtime.contexts.people, "watching", slow)
    assert (await peer.refused("hr.watch", user=audience.athlete.id))["code"] == "not_found"
    assert not watches(here, bob, audience.athlete)


async def test_who_is_disabled_is_watched_by_nobody(audience: Audience, people: People) -> None:
    """A public heart rate of somebody who is not there is not there."""
    here, _ = audience.houses
    bob = await people.athlete()
    peer = await audience.peer(here, bob)
    await set_heart_rate(people, audience.athlete, "public")
    await people.contexts.database.users.update_one(
        {"_id": audience.athlete.id}, {"$set": {"disabled_at": people.contexts.clock.utc()}}
    )
    assert (await peer.refused("hr.watch", user=audience.athlete.id))["code"] == "not_found"


async def test_what_was_lost_while_valkey_was_away_is_made_up_for(audience: Audience, people: People) -> None:
    """A worker that could not hear looks at every watch again once it can."""
    here, _ = audience.houses
    bob = await people.athlete()
    peer = await audience.peer(here, bob)
    await set_heart_rate(people, audience.athlete, "public")
    await peer.call("hr.watch", user=audience.athlete.id)
    hidden = {"$set": {"preferences.privacy.heart_rate": "private"}}
    await people.contexts.database.users.update_one({"_id": audience.athlete.id}, hidden)
    trainer = await people.trainer()
    session = await people.session(trainer, [bob])
    await peer.call("room.join", room=f"session:{session}")
    left = {"$pull": {"athletes": bob.id, "entered": bob.id}}
    await people.contexts.database.coaching_sessions.update_one({"_id": session}, left)
    here.realtime.reconnected()
    await until(lambda: not watches(here, bob, audience.athlete))
    await until(lambda: f"session:{session}" not in rooms(here, bob))
