"""Messages that change: edited, deleted, reacted to. What is gone is really gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from fittracker.caller import SYSTEM
from fittracker.chat.edits import MOST_EDITS
from fittracker.chat.reactions import MOST_A_PERSON, MOST_EMOJI
from fittracker.roomlog.record import Envelope
from fittracker.roomlog.window import window_key
from fittracker.sealing import Seal
from tests.house import House
from tests.peer import Frame, connect
from tests.people import People
from tests.ws.talk import a_group, read, say, texts


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """For looking into windows."""
    async with Redis.from_url(redis_url) as client:
        yield client


async def kept(house: House, redis: Redis, room: str) -> str:
    """All that is stored of a room, in MongoDB and in the window, unsealed."""
    envelope = Envelope(Seal(house.realtime.settings.token_keys, "rooms"))
    found = house.people.contexts.database.room_events.find({"room": room})
    archived = [envelope.kept(each) async for each in found]
    window: Any = await redis.xrange(window_key(room))
    records = [*(each.entry.record for each in archived), *(envelope.open(row[b"r"]) for _, row in window)]
    overlays = [each.overlay for each in archived if each.overlay]
    return "\n".join(each.decode() for each in (*(one.data for one in records), *overlays))


async def missed(peer: Any, room: str, epoch: str, seq: int) -> list[Frame]:
    """What somebody gets who was away since then; nothing is missing."""
    joined = await peer.call("room.join", room=room, since={"epoch": epoch, "seq": seq})
    assert joined["recovered"] is True
    return list(joined["events"])


# -- editing -------------------------------------------------------------------------------------------


async def test_what_was_edited_says_the_new_thing_everywhere(
    house: House, people: People, redis: Redis
) -> None:
    """To who is there, in the history, to who comes back; the old words are nowhere any more."""
    (anna, bert, _), room = await a_group(people)
    async with connect(house.url, anna.token) as one, connect(house.url, bert.token) as other:
        await other.call("room.join", room=room)
        sent = await say(one, room, "Meet at sevn?")
        for number, text in enumerate(("Meet at seven?", "Meet at eight!"), 1):
            done = await one.call("chat.edit", id=sent["id"], text=text)
            assert (done["text"], done["edits"], done["message"]) == (text, number, sent["id"])
            assert await other.expect("chat.edited", seq=sent["seq"]) == done
        (message,) = await read(other, room)
        assert (message["text"], message["edits"]) == ("Meet at eight!", 2)
        assert message["edited_at"] == done["edited_at"]
        async with connect(house.url, bert.token) as back:
            first, second, third = await missed(back, room, sent["epoch"], 0)
        assert [each["seq"] for each in (first, second, third)] == [1, 2, 3]
        assert (first["data"]["text"], first["data"]["edits"]) == ("Meet at eight!", 2)
        assert (second["data"]["text"], third["data"]["text"]) == (None, "Meet at eight!")
        left = await kept(house, redis, room)
        assert "Meet at eight!" in left
        assert "seve" not in left
        assert "sevn" not in left


async def test_the_same_edit_again_is_no_further_one(house: House, people: People) -> None:
    """It is told once, whoever asks how often; ten different ones at once come to one order."""
    (anna, bert), room = await a_group(people, 2)
    async with (
        connect(house.url, anna.token) as one,
        connect(house.url, anna.token) as two,
        connect(house.url, bert.token) as other,
    ):
        await other.call("room.join", room=room)
        sent = await say(one, room, "a")
        first = await one.call("chat.edit", id=sent["id"], text="b")
        assert first == await two.call("chat.edit", id=sent["id"], text="b")
        await other.expect("chat.message")
        assert [each["data"] for each in await other.settle()] == [first]
        edits = (peer.call("chat.edit", id=sent["id"], text=f"{n}") for n, peer in enumerate([one, two]))
        done = await asyncio.gather(*edits)
        assert sorted(each["edits"] for each in done) == [2, 3]
        (message,) = await read(other, room)
        assert message["text"] == max(done, key=lambda each: each["edits"])["text"]


async def test_only_the_author_edits_and_only_what_is_there(house: House, people: People) -> None:
    """Not even the owner of the group; strangers are told that there is no such message."""
    (anna, bert, _), room = await a_group(people)
    eve = await people.athlete()
    async with (
        connect(house.url, anna.token) as owner,
        connect(house.url, bert.token) as peer,
        connect(house.url, eve.token) as stranger,
    ):
        sent = await say(peer, room, "Mine.")
        assert (await owner.refused("chat.edit", id=sent["id"], text="Yours."))["code"] == "forbidden"
        nothing = await stranger.refused("chat.edit", id="f" * 24, text="x")
        assert nothing["code"] == "not_found"
        for name, body in (("edit", {"text": "x"}), ("delete", {}), ("react", {"emoji": "👍", "on": True})):
            assert await stranger.refused(f"chat.{name}", id=sent["id"], **body) == nothing
        assert (await peer.refused("chat.edit", id=sent["id"], text=" "))["code"] == "invalid"
        events = people.contexts.database.room_events
        (edited,) = await events.find({"room": room, "kind": "chat.message"}).to_list()
        await peer.call("chat.edit", id=edited["_id"], text="Still mine.")
        assert await texts(owner, room) == ["Still mine."]


async def test_a_message_is_edited_a_hundred_times_at_most(
    house: House, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them has a place in the log for ever."""
    assert MOST_EDITS == 100
    monkeypatch.setattr("fittracker.chat.edits.MOST_EDITS", 2)
    (anna, _), room = await a_group(people, 2)
    async with connect(house.url, anna.token) as peer:
        sent = await say(peer, room, "0")
        for text in "12":
            await peer.call("chat.edit", id=sent["id"], text=text)
        assert (await peer.refused("chat.edit", id=sent["id"], text="3"))["code"] == "too_large"
        await peer.call("chat.edit", id=sent["id"], text="2")


async def test_whoever_is_blocked_edits_nothing_but_may_delete_it(house: House, people: People) -> None:
    """Editing is speaking; taking one's own words back is not."""
    (anna, bert), room = await a_group(people, 2)
    async with connect(house.url, bert.token) as peer:
        sent = await say(peer, room, "Hello.")
        await people.contexts.blocks.add(anna.id, bert.id, SYSTEM)
        assert (await peer.refused("chat.edit", id=sent["id"], text="Hm."))["code"] == "forbidden"
        assert (await peer.refused("chat.react", id=sent["id"], emoji="👍", on=True))["code"] == "forbidden"
        await peer.call("chat.delete", id=sent["id"])
        assert await texts(peer, room) == [None]


# -- deleting ------------------------------------------------------------------------------------------


async def test_what_was_deleted_is_nowhere_any_more(house: House, people: People, redis: Redis) -> None:
    """Neither in MongoDB nor in the window, edits and reactions included; its number stays."""
    (anna, bert, _), room = await a_group(people)
    async with connect(house.url, anna.token) as one, connect(house.url, bert.token) as other:
        await other.call("room.join", room=room)
        before = await say(one, room, "Before.")
        sent = await say(one, room, "Secret one", reply_to=before["id"])
        await one.call("chat.edit", id=sent["id"], text="Secret two")
        await one.call("chat.edit", id=sent["id"], text="Secret three")
        await other.call("chat.react", id=sent["id"], emoji="👍", on=True)
        assert "👍" in await kept(house, redis, room)
        await say(one, room, "After.")
        done = await one.call("chat.delete", id=sent["id"])
        assert done == {"message": sent["id"], "seq": sent["seq"], "by": anna.id}
        assert await other.expect("chat.deleted") == done
        assert await one.call("chat.delete", id=sent["id"]) == done
        first, tombstone, last = await read(other, room)
        assert (first["text"], last["text"]) == ("Before.", "After.")
        assert (tombstone["text"], tombstone["deleted"], tombstone["user"]) == (None, True, anna.id)
        assert (tombstone["seq"], tombstone["id"]) == (sent["seq"], sent["id"])
        assert "reactions" not in tombstone
        left = await kept(house, redis, room)
        assert "Before." in left
        assert "ecret" not in left
        assert "👍" not in left
        async with connect(house.url, bert.token) as back:
            events = await missed(back, room, sent["epoch"], 0)
        assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
        assert events[1]["data"]["deleted"] is True
        assert [each["type"] for each in events].count("chat.deleted") == 1
        for name, body in (("edit", {"text": "x"}), ("react", {"emoji": "👍", "on": True})):
            assert (await one.refused(f"chat.{name}", id=sent["id"], **body))["code"] == "gone"


async def test_whoever_looks_after_a_room_deletes_what_others_said(house: House, people: People) -> None:
    """The owner of a group and the trainer of a session; other members do not."""
    (anna, bert, cleo), room = await a_group(people)
    trainer, ada = await people.trainer(), await people.athlete()
    session = f"session:{await people.session(trainer, [ada])}"
    async with (
        connect(house.url, anna.token) as owner,
        connect(house.url, bert.token) as author,
        connect(house.url, cleo.token) as other,
        connect(house.url, trainer.token) as lead,
        connect(house.url, ada.token) as athlete,
    ):
        rude = await say(author, room, "Rude.")
        assert (await other.refused("chat.delete", id=rude["id"]))["code"] == "forbidden"
        assert (await owner.call("chat.delete", id=rude["id"]))["by"] == anna.id
        here, there = await say(athlete, session, "Rude."), await say(lead, session, "Faster!")
        assert (await athlete.refused("chat.delete", id=there["id"]))["code"] == "forbidden"
        await lead.call("chat.delete", id=here["id"])
        assert await texts(athlete, session) == [None, "Faster!"]


async def test_an_edit_that_comes_too_late_leaves_no_words_behind(
    house: House, people: People, redis: Redis
) -> None:
    """Twenty times an edit and the deletion at once: whichever is first, afterwards nothing is left."""
    (anna, _), room = await a_group(people, 2)
    async with connect(house.url, anna.token) as one, connect(house.url, anna.token) as two:
        for number in range(20):
            sent = await say(one, room, f"word {number}")
            await asyncio.gather(
                one.call("chat.edit", id=sent["id"], text=f"other word {number}"),
                two.call("chat.delete", id=sent["id"]),
                return_exceptions=True,
            )
        assert await texts(one, room) == [None] * 20
        assert "word" not in await kept(house, redis, room)


# -- reacting ------------------------------------------------------------------------------------------


async def test_reactions_are_counted_once_for_each_person(house: House, people: People) -> None:
    """Given twice is given once, also with the other spelling; taken back it is gone."""
    (anna, bert, _), room = await a_group(people)
    async with connect(house.url, anna.token) as one, connect(house.url, bert.token) as other:
        await one.call("room.join", room=room)
        sent = await say(one, room, "Ten kilometres!")
        for spelled in ("❤️", "❤"):
            assert await other.call("chat.react", id=sent["id"], emoji=spelled, on=True) == {
                "emoji": "❤️",
                "count": 1,
            }
        assert (await one.call("chat.react", id=sent["id"], emoji="❤️", on=True))["count"] == 2
        told = [await one.expect("chat.reaction") for _ in range(2)]
        assert [(each["user"], each["count"]) for each in told] == [(bert.id, 1), (anna.id, 2)]
        (message,) = await read(other, room)
        assert message["reactions"] == [{"emoji": "❤️", "count": 2, "users": [bert.id, anna.id], "mine": True}]
        for _ in range(2):
            assert (await other.call("chat.react", id=sent["id"], emoji="❤️", on=False))["count"] == 1
        await one.call("chat.react", id=sent["id"], emoji="❤️", on=False)
        assert "reactions" not in (await read(one, room))[0]
        ends = [await one.expect("chat.reaction", on=False) for _ in range(2)]
        assert [each["count"] for each in ends] == [1, 0]


async def test_a_crowd_reacts_at_once_and_nobody_is_lost(house: House, people: People) -> None:
    """Sealed as one piece, so each has to see what the other did."""
    crowd, room = await a_group(people, 20)
    chat = people.contexts.chat
    async with connect(house.url, crowd[0].token) as peer:
        sent = await say(peer, room, "Who comes?")
        other = house.realtime.contexts.chat
        assert other is chat
        await asyncio.gather(
            *(chat.reactions.react(each.id, sent["id"], "🙋", on=True) for each in crowd),
            chat.edits.edit(crowd[0].id, sent["id"], "Who comes along?"),
        )
        (message,) = await read(peer, room)
        (reaction,) = message["reactions"]
        assert (reaction["count"], len(reaction["users"])) == (20, 10)
        assert message["text"] == "Who comes along?"


async def test_what_is_not_one_emoji_is_no_reaction(house: House, people: People) -> None:
    """Letters, digits, two of them, half of one, the tone without the hand."""
    (anna, _), room = await a_group(people, 2)
    async with connect(house.url, anna.token) as peer:
        sent = await say(peer, room, "Hello.")
        for wrong in ("", "a", "1", "👍👍", "🇩", "🏽", "\u200d", "👍 ", "<b>", "x" * 41, None):
            refusal = await peer.refused("chat.react", id=sent["id"], emoji=wrong, on=True)
            assert (refusal["code"], list(refusal["fields"])) == ("invalid", ["emoji"]), wrong
        for right in ("👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "1️⃣"):
            assert (await peer.call("chat.react", id=sent["id"], emoji=right, on=True))["emoji"] == right
            await peer.call("chat.react", id=sent["id"], emoji=right, on=False)


async def test_reactions_have_limits(house: House, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five of a person, twenty different ones, so many of all; taking one back makes room."""
    assert (MOST_A_PERSON, MOST_EMOJI) == (5, 20)
    crowd, room = await a_group(people, 5)
    react = people.contexts.chat.reactions.react
    faces = [chr(0x1F600 + number) for number in range(21)]
    async with connect(house.url, crowd[0].token) as peer:
        sent = await say(peer, room, "Hello.")
        for person, start in zip(crowd[1:], range(0, 20, 5), strict=True):
            for face in faces[start : start + 5]:
                await react(person.id, sent["id"], face, on=True)
        body = {"id": sent["id"], "on": True}
        assert (await peer.refused("chat.react", emoji=faces[20], **body))["code"] == "too_large"
        for face in faces[:5]:
            await peer.call("chat.react", emoji=face, **body)
        assert (await peer.refused("chat.react", emoji=faces[5], **body))["code"] == "too_large"
        await peer.call("chat.react", id=sent["id"], emoji=faces[0], on=False)
        monkeypatch.setattr("fittracker.chat.reactions.MOST", 24)
        assert (await peer.refused("chat.react", emoji=faces[5], **body))["code"] == "too_large"


async def test_what_rests_of_changes_is_sealed(house: House, people: People, redis: Redis) -> None:
    """Neither words nor emoji can be read in MongoDB or in Redis."""
    (anna, _), room = await a_group(people, 2)
    async with connect(house.url, anna.token) as peer:
        sent = await say(peer, room, "Plain words")
        await peer.call("chat.edit", id=sent["id"], text="Plainer words")
        await peer.call("chat.react", id=sent["id"], emoji="👍", on=True)
    documents = await people.contexts.database.room_events.find({"room": room}).to_list()
    window: Any = await redis.xrange(window_key(room))
    assert len(documents) == 2
    assert window
    for resting in (repr(documents).encode(), msgspec.msgpack.encode(window)):
        assert b"words" not in resting
        assert "👍".encode() not in resting
        assert b"\\U0001f44d" not in resting
