"""Who has read what, who is writing, who is mentioned, who is in and who is out: on sockets."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from aiohttp import ClientSession

from config.settings import Settings
from fittracker.caller import SYSTEM
from fittracker.chat.marks import MOST_UNREAD
from tests.house import House, open_house
from tests.peer import MSGPACK, Frame, Peer, connect
from tests.people import People, Person
from tests.ws.talk import a_group, read, say
from ws.typing import EVERY_S, FOR_S, Typing

# -- having read ---------------------------------------------------------------------------------------


async def test_a_mark_goes_forward_only_and_all_devices_hear_of_it(house: House, people: People) -> None:
    """The others in the room too; what was not said yet cannot have been read."""
    (anna, bert), room = await a_group(people, 2)
    async with (
        connect(house.url, anna.token) as one,
        connect(house.url, bert.token) as phone,
        connect(house.url, bert.token) as tablet,
    ):
        await one.call("room.join", room=room)
        sent = [await say(one, room, text) for text in "abc"]
        marked = await phone.call("chat.read", room=room, seq=2)
        assert (marked["seq"], marked["unread"], marked["last"]["id"]) == (2, 1, sent[2]["id"])
        assert await one.expect("chat.read", user=bert.id) == {"room": room, "user": bert.id, "seq": 2}
        assert (await tablet.event("chat.read", user=bert.id))["room"] == f"user:{bert.id}"
        for lower in (1, 2):
            again = await tablet.call("chat.read", room=room, seq=lower)
            assert (again["seq"], again["unread"]) == (2, 1)
        ahead = await phone.call("chat.read", room=room, seq=2**50)
        assert (ahead["seq"], ahead["unread"]) == (3, 0)
        await one.expect("chat.read", seq=3)
        assert [each["type"] for each in await one.settle() if each["type"] == "chat.read"] == []
        await say(one, room, "d")
        assert (await phone.call("chat.read", room=room, seq=1))["unread"] == 1
        await say(phone, room, "e")
        assert (await phone.call("chat.read", room=room, seq=1))["unread"] == 1


async def test_many_devices_read_at_once(house: House, people: People) -> None:
    """The furthest one counts; what is unread is counted up to a hundred."""
    (anna, bert), room = await a_group(people, 2)
    chat = people.contexts.chat
    for start in range(0, MOST_UNREAD + 5, 35):
        sending = (
            chat.send(anna.id, "Anna", room, "x", client_id=f"{start} {number}") for number in range(35)
        )
        await asyncio.gather(*sending)
    assert (await chat.marks.read(bert.id, room, 1))[0].unread == MOST_UNREAD
    found = await asyncio.gather(*(chat.marks.read(bert.id, room, seq) for seq in range(2, 22)))
    assert max(each.seq for each, _ in found) == 21
    assert (await chat.marks.read(bert.id, room, 1))[0].seq == 21


async def test_nobody_reads_where_they_do_not_belong(house: House, people: People) -> None:
    """And whoever is blocked is not told of."""
    (anna, bert), room = await a_group(people, 2)
    eve = await people.athlete()
    async with connect(house.url, anna.token) as one, connect(house.url, bert.token) as other:
        await say(one, room, "Hello.")
        await one.call("room.join", room=room)
        async with connect(house.url, eve.token) as stranger:
            assert (await stranger.refused("chat.read", room=room, seq=1))["code"] == "not_found"
        await people.contexts.blocks.add(anna.id, bert.id, SYSTEM)
        assert (await other.call("chat.read", room=room, seq=1))["unread"] == 0
        await other.call("chat.typing", room=room, on=True)
        await other.call("ping")
        assert [each["type"] for each in await one.settle()] == []


# -- writing -------------------------------------------------------------------------------------------


async def test_a_room_is_told_who_writes_now_and_then(house: House, people: People) -> None:
    """Not at every key; the end only where there was a beginning; nothing of it has a place in the log."""
    (anna, bert), room = await a_group(people, 2)
    async with connect(house.url, anna.token) as one, connect(house.url, bert.token) as other:
        await one.call("room.join", room=room)
        await other.send("chat.typing", {"room": room, "on": False})
        for _ in range(5):
            await other.send("chat.typing", {"room": room, "on": True})
        event = await one.event("chat.typing")
        assert "seq" not in event
        assert event["data"] == {"user": bert.id, "name": bert.name, "on": True, "for_ms": 6_000}
        await other.send("chat.typing", {"room": room, "on": False})
        await one.expect("chat.typing", on=False)
        await say(other, room, "Hello.")
        await one.expect("chat.message")
        assert await one.settle() == []
        assert await other.settle() == []
        async with connect(house.url, (await people.athlete()).token) as stranger:
            await stranger.send("chat.typing", {"room": room, "on": True})
            assert (await stranger.error())["code"] == "not_found"


async def test_a_client_that_tells_every_key_can_still_say_something(house: House, people: People) -> None:
    """Two hundred keys in a moment use up nothing; a flood is refused in the end."""
    (anna, bert), room = await a_group(people, 2)
    async with connect(house.url, anna.token) as one, connect(house.url, bert.token) as other:
        await other.call("room.join", room=room)
        for _ in range(200):
            await one.send("chat.typing", {"room": room, "on": True})
        await say(one, room, "Typed quickly.")
        await other.expect("chat.message", text="Typed quickly.")
        for _ in range(1_000):
            await one.send("chat.typing", {"room": room, "on": True})
        assert (await one.error())["code"] == "rate_limited"


async def test_a_crowd_is_not_told_whichever_worker_it_is_at(
    house: House, people: People, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two listen at another worker than the one who writes and reads, and is in the room nowhere."""
    (anna, bert, cleo), room = await a_group(people)
    async with (
        open_house(settings) as there,
        connect(house.url, anna.token) as one,
        connect(there.url, bert.token) as other,
        connect(there.url, cleo.token) as third,
    ):
        for peer in (other, third):
            await peer.call("room.join", room=room)
        await say(other, room, "Who comes?")
        monkeypatch.setattr("ws.chat.MOST_LISTENERS", 1)
        await one.call("chat.typing", room=room, on=True)
        await one.call("chat.read", room=room, seq=1)
        monkeypatch.setattr("ws.chat.MOST_LISTENERS", 2)
        await one.call("chat.typing", room=room, on=False)
        heard = await third.event("chat.typing")
        assert heard["data"]["on"] is False
        quiet = ("chat.typing", "chat.read")
        assert [each["type"] for each in await third.settle() if each["type"] in quiet] == []


def test_writing_is_told_again_after_a_while_and_forgotten_by_itself() -> None:
    """Every three seconds while it goes on; after six it needs no end."""
    typing = Typing()
    assert typing.admits("r", "a", 0.0, on=True)
    assert not typing.admits("r", "a", EVERY_S - 0.1, on=True)
    assert typing.admits("r", "b", EVERY_S - 0.1, on=True)
    assert typing.admits("s", "a", EVERY_S - 0.1, on=True)
    assert typing.admits("r", "a", EVERY_S, on=True)
    assert typing.admits("r", "a", EVERY_S + 1, on=False)
    assert not typing.admits("r", "a", EVERY_S + 1, on=False)
    assert typing.admits("r", "a", EVERY_S + 1, on=True)
    assert not typing.admits("r", "a", EVERY_S + 1 + FOR_S, on=False)
    assert typing._told == {}


# -- being mentioned -----------------------------------------------------------------------------------


async def told(peer: Peer) -> Frame:
    """The next thing in somebody's inbox."""
    return await peer.expect("notification", event="chat.mentioned")


async def test_who_is_mentioned_is_told_wherever_they_are(house: House, people: People) -> None:
    """Members alone, by their ids; never what was said, and never who has blocked the author."""
    (anna, bert, cleo), room = await a_group(people)
    eve = await people.athlete()
    await people.contexts.blocks.add(cleo.id, anna.id, SYSTEM)
    inbox = people.contexts.database.notifications
    async with connect(house.url, anna.token) as one, connect(house.url, bert.token) as other:
        marks = " ".join(f"<@{each}>" for each in (bert.id, cleo.id, eve.id, anna.id, bert.id, "f" * 24))
        sent = await say(one, room, f"Look, {marks} <@x>!")
        (message,) = await read(one, room)
        assert message["mentions"] == [bert.id, cleo.id, anna.id]
        notice = await told(other)
        assert notice["data"] == {"room": room, "message": sent["id"], "seq": sent["seq"]}
        assert "Look" not in str(notice)
        await one.call("chat.edit", id=sent["id"], text=f"Look, <@{bert.id}>!")
        await other.call("ping")
        theirs = await inbox.find({"user": {"$in": [cleo.id, eve.id, anna.id]}}).to_list()
        assert [each for each in theirs if each["event"] == "chat.mentioned"] == []
        many = " ".join(f"<@{number:024x}>" for number in range(21))
        refusal = await one.refused("chat.send", room=room, text=many, client_id="0" * 32)
        assert (refusal["code"], list(refusal["fields"])) == ("invalid", ["text"])


# -- in and out ----------------------------------------------------------------------------------------


async def test_whoever_is_removed_hears_nothing_more(house: House, people: People) -> None:
    """Their sockets are out of the room at once, and every command is refused; whoever is added is told."""
    (anna, bert, _), room = await a_group(people)
    conversation = room.removeprefix("chat:")
    membership = people.contexts.chat.membership
    dora = await people.athlete()
    async with (
        connect(house.url, anna.token) as owner,
        connect(house.url, bert.token) as out,
        connect(house.url, dora.token) as new,
    ):
        for peer in (owner, out):
            await peer.call("room.join", room=room)
        await membership.remove(anna.id, conversation, bert.id)
        change = {"conversation": conversation, "user": bert.id, "on": False, "by": anna.id}
        assert await owner.expect("chat.members") == change
        assert (await out.event("chat.members"))["data"] == change
        await until(lambda: room not in house.connection(bert.id).rooms)
        await say(owner, room, "Without him.")
        assert [each["type"] for each in await out.settle() if each.get("room") == room] == []
        for name, body in (
            ("chat.send", {"text": "x", "client_id": "0" * 32}),
            ("chat.history", {}),
            ("chat.read", {"seq": 1}),
            ("room.join", {}),
            ("room.members", {}),
        ):
            assert (await out.refused(name, room=room, **body))["code"] == "not_found", name
        await membership.add(anna.id, conversation, dora.id)
        added = await new.event("chat.members", on=True)
        assert (added["room"], added["data"]["by"]) == (f"user:{dora.id}", anna.id)
        await new.call("room.join", room=room)
        assert [each["text"] for each in await read(new, room)] == ["Without him."]


async def test_whoever_is_removed_is_out_on_every_worker(
    house: House, people: People, settings: Settings
) -> None:
    """Their sockets are on one worker, the owner speaks through another."""
    (anna, bert, _), room = await a_group(people)
    async with (
        open_house(settings) as there,
        connect(house.url, anna.token) as owner,
        connect(there.url, bert.token) as out,
    ):
        await out.call("room.join", room=room)
        await say(owner, room, "With him.")
        await out.expect("chat.message", text="With him.")
        await people.contexts.chat.membership.remove(anna.id, room.removeprefix("chat:"), bert.id)
        await until(lambda: room not in there.connection(bert.id).rooms)
        await say(owner, room, "Without him.")
        assert [each["type"] for each in await out.settle() if each["type"] == "chat.message"] == []


async def until(true: Any) -> None:
    """Let the loop work until it is so."""
    async with asyncio.timeout(15):
        while not true():
            await asyncio.sleep(0.01)


# -- the same by REST ----------------------------------------------------------------------------------

WHOLE: Frame = {
    "reply_to": None,
    "mentions": [],
    "edits": 0,
    "edited_at": None,
    "deleted": False,
    "reactions": [],
}
"""What the socket leaves out where it is so."""


async def test_rest_and_the_socket_read_the_same_in_the_same_order(house: House, people: People) -> None:
    """After three people have said, edited, deleted and answered at once, page by page, in both encodings."""
    crowd, room = await a_group(people)
    chat, dice = people.contexts.chat, random.Random(7)

    async def live(person: Person) -> None:
        own: list[str] = []
        for number in range(25):
            answer = dice.choice(own) if own and number % 7 == 0 else None
            sent = await chat.send(
                person.id, person.name, room, f"{number}", client_id=f"{number}", reply_to=answer
            )
            own.append(sent.id)
            if number % 3 == 0:
                await chat.edits.edit(person.id, dice.choice(own), f"edited {number}")
            if number % 5 == 4:
                await chat.edits.delete(person.id, own.pop(0))
            await chat.reactions.react(person.id, sent.id, "👍", on=True)

    await asyncio.gather(*map(live, crowd))
    reader = crowd[1]
    async with (
        connect(house.url, reader.token) as peer,
        connect(house.url, reader.token, protocols=(MSGPACK,)) as other,
        ClientSession(headers={"Authorization": f"Bearer {reader.token}"}) as http,
    ):
        path = f"{house.url}/api/v1/conversations/{room.removeprefix('chat:')}/messages"
        before: dict[str, Any] = {}
        seqs: list[int] = []
        more = True
        while more:
            page = await peer.call("chat.history", room=room, limit=20, **before)
            assert page == await other.call("chat.history", room=room, limit=20, **before)
            async with http.get(path, params={"limit": 20, **before}) as answer:
                by_rest = await answer.json()
            assert by_rest["more"] == page["more"]
            assert by_rest["messages"] == [{**WHOLE, **each} for each in page["messages"]]
            seqs = [each["seq"] for each in page["messages"]] + seqs
            before, more = {"before": seqs[0]}, page["more"]
        assert len(seqs) == 75
        assert seqs == sorted(set(seqs))
