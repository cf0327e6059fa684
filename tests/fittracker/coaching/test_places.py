"""Places in sessions: fifty who want the last ten, and who goes out again."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.errors import Conflict, Failure, Forbidden, Invalid, NotFound
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.coaching.stage import a_session, found


async def test_of_fifty_who_are_invited_at_once_as_many_as_there_are_places_get_one(
    contexts: Contexts, other: Contexts, settle: Settle
) -> None:
    """On two workers; ten are in, forty are refused, and those ten may enter."""
    session = await a_session(contexts, settle, 0, capacity=10)
    people = [(await settle(f"P{number}"))["_id"] for number in range(50)]
    both = [contexts.lessons.places, other.lessons.places]

    async def invite(number: int) -> str:
        try:
            await both[number % 2].invite(session["trainer"], session["_id"], people[number])
        except Conflict as conflict:
            return conflict.fields["capacity"]
        return "in"

    assert Counter(await asyncio.gather(*map(invite, range(50)))) == {"in": 10, "is 10": 40}
    athletes = (await found(contexts, session["_id"]))["athletes"]
    assert len(athletes) == len(set(athletes)) == 10
    enter = [contexts.coaching.enter(session["_id"], each) for each in people]
    assert [who for who, may in zip(people, await asyncio.gather(*enter), strict=True) if may] == [
        who for who in people if who in athletes
    ]


async def test_inviting_somebody_twice_is_inviting_them_once(contexts: Contexts, settle: Settle) -> None:
    """Also at once, also into the last place."""
    session = await a_session(contexts, settle, 0, capacity=1)
    anna = (await settle())["_id"]
    places = contexts.lessons.places
    answers = await asyncio.gather(
        *(places.invite(session["trainer"], session["_id"], anna) for _ in range(5))
    )
    assert [each["athletes"] for each in answers] == [[anna]] * 5
    await contexts.background.idle()
    inbox = await contexts.notifications.page(anna, 10, None)
    assert [each["event"] for each in inbox.items] == ["session.invited"]


async def test_whose_place_was_taken_back_leaves_it_to_somebody_else(
    contexts: Contexts, settle: Settle
) -> None:
    """They are out of what they had entered; taking out who is out changes nothing."""
    session = await a_session(contexts, settle, 1)
    (anna,), bob = session["athletes"], (await settle("Bob"))["_id"]
    places = contexts.lessons.places
    with pytest.raises(Conflict):
        await places.invite(session["trainer"], session["_id"], bob)
    for _ in range(2):
        await places.remove(session["trainer"], session["_id"], anna)
    assert not await contexts.coaching.enter(session["_id"], anna)
    await places.invite(session["trainer"], session["_id"], bob)
    now = await found(contexts, session["_id"])
    assert (now["athletes"], now["entered"]) == ([bob], [])


async def test_athletes_take_themselves_out_and_nobody_else(contexts: Contexts, settle: Settle) -> None:
    """For people who have nothing to do with the session it does not exist."""
    session = await a_session(contexts, settle, 2)
    anna, bob = session["athletes"]
    places, number, ulla = contexts.lessons.places, session["_id"], (await settle("Ulla"))["_id"]
    with pytest.raises(Forbidden):
        await places.remove(anna, number, bob)
    with pytest.raises(Forbidden):
        await places.invite(anna, number, ulla)
    for attempt in (places.remove(ulla, number, ulla), places.remove(ulla, number, bob)):
        with pytest.raises(NotFound):
            await attempt
    await places.remove(anna, number, anna)
    assert (await found(contexts, number))["athletes"] == [bob]


async def test_who_cannot_be_invited(contexts: Contexts, settle: Settle) -> None:
    """Nobody, oneself, who blocked the trainer, who is disabled; and nobody once it is over."""
    session = await a_session(contexts, settle, 0, capacity=5)
    trainer, number, places = session["trainer"], session["_id"], contexts.lessons.places
    blocker = (await settle("Bert"))["_id"]
    await contexts.blocks.add(blocker, trainer, SYSTEM)
    gone = (await settle("Gus", disabled_at=contexts.clock.utc()))["_id"]
    for who in ("f" * 24, "x", blocker, gone):
        with pytest.raises(NotFound):
            await places.invite(trainer, number, who)
    with pytest.raises(Invalid):
        await places.invite(trainer, number, trainer)
    anna = (await settle())["_id"]
    await places.invite(trainer, number, anna)
    await contexts.coaching.life.step(trainer, number, "end")
    for attempt in (
        places.invite(trainer, number, (await settle("Bob"))["_id"]),
        places.remove(trainer, number, anna),
    ):
        with pytest.raises(Failure) as failure:
            await attempt
        assert failure.value.fields == {"session": "is ended"}
    assert (await found(contexts, number))["athletes"] == [anna]
