"""What saying something costs: how many times MongoDB is asked, told by its profiler."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from fittracker.mongo import Database
from tests.house import House
from tests.peer import connect
from tests.people import People
from tests.ws.talk import a_group, say

Tally = Counter[tuple[str, str]]
TALK = ("conversations", "room_events", "users", "blocks", "chat_marks")


@pytest.fixture
def database(people: People) -> Database:
    """That of the server."""
    return people.contexts.database


@asynccontextmanager
async def profiled(database: Database) -> AsyncIterator[Callable[[], asyncio.Future[Tally]]]:
    """What MongoDB is asked while the block lasts: operation and collection."""
    await database.command("profile", 2)

    async def asked() -> Tally:
        await database.command("profile", 0)
        found = await database.system.profile.find({}, {"op": 1, "ns": 1}).to_list()
        names = [(each["op"], str(each["ns"]).partition(".")[2]) for each in found]
        # When a conversation was last used is written once a second, whatever is said.
        return Counter(each for each in names if each[1] in TALK and each != ("update", "conversations"))

    try:
        yield lambda: asyncio.ensure_future(asked())
    finally:
        await database.command("profile", 0)
        await database.drop_collection("system.profile")


async def test_a_message_to_a_group_is_one_look_and_one_write(
    house: House, people: People, database: Database
) -> None:
    """And in a conversation of two, a look at the block and at the other one."""
    for count, most in ((3, 2), (2, 4)):
        (anna, *_), room = await a_group(people, count)
        async with connect(house.url, anna.token) as peer:
            await say(peer, room, "The first one finds out where the room is.")
            async with profiled(database) as asked:
                await say(peer, room, "Hello.")
                tally = await asked()
        assert tally["insert", "room_events"] == 1
        assert tally["query", "conversations"] == 1
        assert sum(tally.values()) == most, tally


async def test_many_who_speak_at_once_share_looks_and_writes(
    house: House, people: People, database: Database
) -> None:
    """Fifty messages of ten people cost a few of each."""
    crowd, room = await a_group(people, 10)
    chat = house.realtime.contexts.chat
    await chat.send(crowd[0].id, "Anna", room, "First.", client_id="first")
    async with profiled(database) as asked:
        await asyncio.gather(
            *(
                chat.send(each.id, each.name, room, f"{number}", client_id=f"{number}")
                for each in crowd
                for number in range(5)
            )
        )
        tally = await asked()
    assert tally["query", "conversations"] == 1
    assert tally["insert", "room_events"] <= 10, tally
    assert sum(tally.values()) <= 15, tally


async def test_a_list_of_conversations_costs_five_queries(
    house: House, people: People, database: Database
) -> None:
    """However many there are, with something new in each; none of them looks through a whole room."""
    anna, bert = await people.crowd(2)
    chat = people.contexts.chat
    for number in range(20):
        made = await people.contexts.conversations.begin(anna.id, "group", [bert.id], f"No. {number}")
        for text in "abcde":
            await chat.send(bert.id, "Bert", f"chat:{made['_id']}", text, client_id=text)
    async with profiled(database) as asked:
        found, _ = await chat.overview.page(anna.id, 50, None)
        tally = await asked()
        parts = {"ns": {"$regex": "room_events$"}, "op": "command"}
        looked = [each["docsExamined"] async for each in database.system.profile.find(parts)]
    assert [(each["unread"], each["last"].text) for each in found] == [(5, "e")] * 20
    assert sum(tally.values()) == 5, tally
    assert sorted(looked) == [0, 20]
