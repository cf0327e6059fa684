"""The door of a coaching session, asked by one and by many, on a real MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import MongoClient

from fittracker.coaching.entrance import Entrance
from fittracker.ids import new_id
from fittracker.mongo import Database, open_database
from tests.conftest import DATABASE


class Studio:
    """A session with a trainer and three athletes, and its door."""

    def __init__(self, database: Database) -> None:
        self.sessions = database.coaching_sessions
        self.entrance = Entrance(self.sessions)
        self.trainer = new_id()
        self.athletes = [new_id() for _ in range(3)]

    async def session(self, state: str = "live", **more: Any) -> str:
        """Store one; its id."""
        document = {"_id": new_id(), "trainer": self.trainer, "athletes": self.athletes, "state": state}
        await self.sessions.insert_one({**document, "entered": [], **more})
        return str(document["_id"])

    async def entered(self, session: str) -> set[str]:
        """Who has gone in."""
        found = await self.sessions.find_one({"_id": session})
        assert found is not None
        assert len(found["entered"]) == len(set(found["entered"]))
        return set(found["entered"])


@pytest.fixture
async def studio(mongo: MongoClient[dict[str, Any]], mongo_url: str) -> AsyncIterator[Studio]:
    """A fresh one on the module's database."""
    async with open_database(mongo_url, DATABASE) as database:
        yield Studio(database)


async def test_the_trainer_and_the_athletes_belong_and_nobody_else(studio: Studio) -> None:
    """All asked at once, so that one look answers for all of them."""
    session = await studio.session()
    people = [studio.trainer, *studio.athletes, new_id()]
    asked = [studio.entrance.belongs(session, person) for person in people]
    assert await asyncio.gather(*asked) == [True, True, True, True, False]
    assert await studio.entered(session) == set()


async def test_sessions_that_are_asked_about_together_are_told_apart(studio: Studio) -> None:
    """Who belongs to one gets into no other."""
    mine, theirs = await studio.session(), await studio.session(athletes=[new_id()])
    over = await studio.session("ended")
    anna = studio.athletes[0]
    asked = [studio.entrance.enter(each, anna) for each in (mine, theirs, over, new_id(), "session")]
    assert await asyncio.gather(*asked) == [True, False, False, False, False]
    assert await studio.entered(mine) == {anna}
    assert await studio.entered(theirs) == await studio.entered(over) == set()


async def test_athletes_who_go_in_are_noted_once_and_the_trainer_is_not(studio: Studio) -> None:
    """Going in twice, or with others, changes nothing for those who are in."""
    session = await studio.session()
    everybody = [studio.trainer, *studio.athletes]
    await studio.entrance.enter(session, studio.athletes[1])
    for _ in range(2):
        assert all(await asyncio.gather(*(studio.entrance.enter(session, each) for each in everybody)))
    assert await studio.entered(session) == set(studio.athletes)


async def test_a_session_from_before_anybody_was_noted_is_entered_like_any_other(studio: Studio) -> None:
    """Older documents lack the field."""
    session = await studio.session()
    await studio.sessions.update_one({"_id": session}, {"$unset": {"entered": ""}})
    assert await studio.entrance.enter(session, studio.athletes[0])
    assert await studio.entered(session) == {studio.athletes[0]}


async def test_whoever_was_taken_out_meanwhile_is_not_noted(studio: Studio) -> None:
    """Between the look and the note the trainer may have lost the grant."""
    session = await studio.session()
    anna, ben, _ = studio.athletes
    await studio.sessions.update_one({"_id": session}, {"$pull": {"athletes": anna}})
    await studio.entrance._note(session, {anna, ben})
    assert await studio.entered(session) == {ben}
    assert not await studio.entrance.belongs(session, anna)
