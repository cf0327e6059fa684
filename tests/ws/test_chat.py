"""Talking in rooms, on sockets: everybody hears everything once, in one order, and reads it again later."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from fittracker.caller import SYSTEM
from tests.house import House
from tests.peer import JSON, MSGPACK, Frame, Peer, connect
from tests.people import People
from tests.ws.talk import a_group, say, texts


async def test_anna_writes_to_bert_and_both_read_it_again(house: House, people: People) -> None:
    """What was said has an id, a number and a moment; the history tells the same."""
    (anna, bert), room = await a_group(people, 2)
    async with (
        connect(house.url, anna.token) as one,
        connect(house.url, bert.token, protocols=(MSGPACK,)) as other,
    ):
        for peer in (one, other):
            assert (await peer.call("room.join", room=room))["seq"] == 0
        sent = await say(one, room, "Shall we run?")
        heard = await other.event("chat.message", room=room)
        assert {name: heard[name] for name in ("id", "seq", "epoch", "at")} == sent
        assert heard["data"] == {"user": anna.id, "name": anna.name, "text": "Shall we run?"}
        reply = await say(other, room, "Yes!", reply_to=sent["id"])
        await one.expect("chat.message", text="Yes!", reply_to=sent["id"])
        for peer in (one, other):
            page = await peer.call("chat.history", room=room)
            assert page == {
                "messages": [
                    {**sent, **heard["data"]},
                    {**reply, "user": bert.id, "name": bert.name, "text": "Yes!", "reply_to": sent["id"]},
                ],
                "more": False,
            }


async def test_all_hear_the_same_order_whoever_speaks_at_once(house: House, people: People) -> None:
    """Three people, thirty messages at the same time: what is heard live is what is read later."""
    crowd, room = await a_group(people)
    async with (
        connect(house.url, crowd[0].token) as a,
        connect(house.url, crowd[1].token) as b,
        connect(house.url, crowd[2].token) as c,
    ):
        peers = (a, b, c)
        for peer in peers:
            await peer.call("room.join", room=room)

        async def chatter(peer: Peer, name: str) -> None:
            for number in range(10):
                await say(peer, room, f"{name}{number}")

        await asyncio.gather(*(chatter(peer, name) for peer, name in zip(peers, "abc", strict=True)))
        heard = [
            [
                (each["seq"], each["data"]["text"])
                for each in [await peer.event("chat.message") for _ in range(30)]
            ]
            for peer in peers
        ]
        assert heard[0] == heard[1] == heard[2]
        assert [seq for seq, _ in heard[0]] == list(range(1, 31))
        assert await texts(a, room) == [text for _, text in heard[0]]
        newest = await b.call("chat.history", room=room, limit=10)
        older = await b.call("chat.history", room=room, limit=20, before=newest["messages"][0]["seq"])
        assert (newest["more"], older["more"]) == (True, False)
        assert [each["seq"] for each in older["messages"] + newest["messages"]] == list(range(1, 31))


def spoken(event: Frame) -> tuple[int, str]:
    """The number and the text of what was said."""
    return event["seq"], event["data"]["text"]


async def test_sent_twice_it_is_said_once(house: House, people: People) -> None:
    """A phone that did not hear the answer sends the same again."""
    (anna, _), room = await a_group(people, 2)
    async with connect(house.url, anna.token) as peer:
        await peer.call("room.join", room=room)
        once = {"room": room, "text": "Once.", "client_id": str(uuid4())}
        first, again = await peer.call("chat.send", **once), await peer.call("chat.send", **once)
        assert first == again
        assert await texts(peer, room) == ["Once."]


async def test_strangers_neither_read_nor_write_nor_listen(house: House, people: People) -> None:
    """For them there is no such room, as for everybody in one that never was."""
    _, room = await a_group(people, 2)
    eve = await people.athlete()
    async with connect(house.url, eve.token) as peer:
        for name in (room, "chat:" + "f" * 24, "chat:x"):
            body = {"text": "Hi.", "client_id": str(uuid4())}
            refusals = [
                await peer.refused("chat.send", room=name, **body),
                await peer.refused("chat.history", room=name),
                await peer.refused("room.join", room=name),
            ]
            assert {each["code"] for each in refusals} == {"not_found"}
        for name in (f"heart:{eve.id}", f"user:{eve.id}", "nowhere:x", "chat:"):
            assert (await peer.refused("chat.history", room=name))["code"] == "invalid"


async def test_blocked_is_not_heard_and_is_not_told_why(house: House, people: People) -> None:
    """Neither the one nor the other; what was said before can still be read."""
    (anna, bert), room = await a_group(people, 2)
    async with connect(house.url, anna.token) as one, connect(house.url, bert.token) as other:
        await say(one, room, "Hello.")
        await people.contexts.blocks.add(anna.id, bert.id, SYSTEM)
        refusals = [await refuse(peer, room) for peer in (one, other)]
        assert refusals[0] == refusals[1]
        assert refusals[0]["code"] == "forbidden"
        assert await texts(other, room) == ["Hello."]
        await people.contexts.blocks.remove(anna.id, bert.id, SYSTEM)
        await say(other, room, "Again?")
        gone = {"$set": {"disabled_at": people.contexts.clock.utc()}}
        await people.contexts.database.users.update_one({"_id": anna.id}, gone)
        assert await refuse(other, room) == refusals[1]


async def refuse(peer: Peer, room: str) -> Frame:
    """The error of saying something."""
    return await peer.refused("chat.send", room=room, text="Hm.", client_id=str(uuid4()))


async def test_a_session_is_talked_in_while_it_lasts_and_read_later(house: House, people: People) -> None:
    """By its trainer and its athletes alone."""
    trainer, ada, eve = await people.trainer(), await people.athlete(), await people.athlete()
    room = f"session:{await people.session(trainer, [ada])}"
    async with (
        connect(house.url, trainer.token) as lead,
        connect(house.url, ada.token) as peer,
        connect(house.url, eve.token) as stranger,
    ):
        await peer.call("room.join", room=room)
        await say(lead, room, "Ready?")
        await peer.expect("chat.message", text="Ready?")
        await say(peer, room, "Ready.")
        assert (await refuse(stranger, room))["code"] == "not_found"
        await lead.call("session.end", session=room.removeprefix("session:"))
        assert (await refuse(peer, room))["code"] == "not_found"
        assert await texts(peer, room) == ["Ready?", "Ready."]
        assert (await stranger.refused("chat.history", room=room))["code"] == "not_found"


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
async def test_any_unicode_comes_as_it_was_written(house: House, people: People, protocol: str) -> None:
    """Families of emoji, scripts from right to left, marks of direction, links, mark-up: text is text."""
    (anna, bert), room = await a_group(people, 2)
    written = [
        "👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
        "مرحبا \u202eabc\u202c שלום",
        "e\u0301 is not é",
        "<script>alert(1)</script> & https://example.org/?q=\"'",
        " two\n\tlines ",
        "\U0010fffd\u200d\ufeffx",
        "x" * 4_000,
        "🏃" * 4_000,
    ]
    async with (
        connect(house.url, anna.token, protocols=(protocol,)) as one,
        connect(house.url, bert.token) as other,
    ):
        await other.call("room.join", room=room)
        for text in written:
            await say(one, room, text)
            assert (await other.expect("chat.message"))["text"] == text
        assert await texts(one, room) == await texts(other, room) == written


async def test_a_page_of_long_messages_is_a_short_one(house: House, people: People) -> None:
    """A hundred of the longest would be so much that the reader would be closed as too slow."""
    (anna, bert), room = await a_group(people, 2)
    send = people.contexts.chat.send
    long = "🏃" * 4_000
    await asyncio.gather(*(send(anna.id, "Anna", room, long, client_id=f"{n}") for n in range(100)))
    async with connect(house.url, bert.token) as peer:
        page = await peer.call("chat.history", room=room, limit=100)
        assert (len(page["messages"]), page["more"]) == (16, True)
        seqs = [each["seq"] for each in page["messages"]]
        older = await peer.call("chat.history", room=room, limit=100, before=seqs[0])
        assert [each["seq"] for each in older["messages"]][-1] == seqs[0] - 1
        since = {"epoch": page["messages"][0]["epoch"], "seq": 0}
        joined = await peer.call("room.join", room=room, since=since)
        assert (joined["recovered"], joined["events"], joined["seq"]) == (False, [], 100)
        since["seq"] = 90
        assert len((await peer.call("room.join", room=room, since=since))["events"]) == 10


async def test_what_is_no_text_is_refused(house: House, people: People) -> None:
    """Empty, blank, too long, with controls; the socket lives on and nothing was said."""
    (anna, _), room = await a_group(people, 2)
    async with connect(house.url, anna.token) as peer:
        wrong = ["", " ", "\n \t", "\u200b\u2060", "a\x00b", "\x1b[31mred", "a\rb", "x" * 4_001, "\x85"]
        for text in [*wrong, None, 5]:
            body = {"room": room, "text": text, "client_id": str(uuid4())}
            refusal = await peer.refused("chat.send", **body)
            assert (refusal["code"], list(refusal["fields"])) == ("invalid", ["text"]), text
        assert await texts(peer, room) == []


async def test_an_answer_is_to_something_that_was_said_there(house: House, people: People) -> None:
    """What was said elsewhere, and what never was, are not there: also where one belongs to both rooms."""
    (anna, bert), room = await a_group(people, 2)
    elsewhere = f"chat:{await people.conversation(anna, bert, await people.athlete())}"
    async with connect(house.url, anna.token) as peer:
        there = await say(peer, elsewhere, "There.")
        for message in (there["id"], "f" * 24):
            body = {"room": room, "text": "Yes.", "client_id": str(uuid4()), "reply_to": message}
            assert (await peer.refused("chat.send", **body))["code"] == "not_found"
