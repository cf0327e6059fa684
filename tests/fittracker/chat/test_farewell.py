"""What is left of somebody in chat when their account is deleted."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from fittracker.contexts import Contexts
from fittracker.errors import Forbidden, Gone
from fittracker.jobs import LeaseLost
from fittracker.roomlog.record import Envelope, Place
from fittracker.roomlog.window import window_key
from fittracker.sealing import Seal
from tests.fittracker.auth.conftest import Settle
from tests.fittracker.chat.conftest import Group, Say


async def on() -> None:
    """Nothing comes in between."""


async def test_numbers_stay_and_nothing_else_of_somebody_does(
    contexts: Contexts, group: Group, say: Say, redis_url: str
) -> None:
    """Words, name, reactions, edits: neither in MongoDB nor in the window; what others said is as it was."""
    (anna, bert), room = await group()
    hers = await say(anna, room, "Secret words")
    his = await say(bert, room, "Plain words")
    chat = contexts.chat
    await chat.edits.edit(anna, hers.id, "Secret edit")
    for user in (anna, bert):
        await chat.reactions.react(user, his.id, "👍", on=True)
        await chat.reactions.react(user, hers.id, "👍", on=True)
    await chat.farewell.erase(anna, on)
    first, second = (await chat.history(bert, room)).messages
    assert (first.seq, first.user, first.name, first.text, first.deleted) == (1, None, "", None, True)
    assert first.reactions == []
    assert (second.text, [each.users for each in second.reactions]) == ("Plain words", [[bert]])
    events = await contexts.database.room_events.find({"room": room}).to_list()
    assert [each["seq"] for each in sorted(events, key=lambda each: int(each["seq"]))] == [1, 2, 3]
    assert anna not in str(events)
    envelope = Envelope(Seal(contexts.settings.token_keys, "rooms"))
    async with Redis.from_url(redis_url) as redis:
        window: Any = await redis.xrange(window_key(room))
    records = [envelope.kept(each).entry.record for each in events]
    records += [envelope.open(row[b"r"]) for _, row in window]
    assert len(records) == 4  # of the window only what is his is left
    for record in records:
        assert "ecret" not in str(record)
        assert anna not in str(record)
    conversation = await contexts.database.conversations.find_one({"_id": room.removeprefix("chat:")})
    assert conversation is not None
    assert (conversation["members"], conversation["owner"]) == ([bert], bert)


async def test_an_erasure_that_is_interrupted_goes_on(
    contexts: Contexts, group: Group, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each step another worker may have taken over."""
    monkeypatch.setattr("fittracker.chat.farewell.STEP", 2)
    (anna, bert), room = await group()
    for number in range(5):
        await say(anna, room, f"{number}")
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        if steps in (2, 4):
            raise LeaseLost

    for _ in range(2):
        with pytest.raises(LeaseLost):
            await contexts.chat.farewell.erase(anna, step)
    await contexts.chat.farewell.erase(anna, step)
    assert [each.text for each in (await contexts.chat.history(bert, room)).messages] == [None] * 5


async def test_who_wrote_with_somebody_who_is_gone_stays_alone(
    contexts: Contexts, settle: Settle, say: Say
) -> None:
    """They read what they said themselves, write no more, and the id of the other is nowhere."""
    anna, bert = (await settle())["_id"], (await settle())["_id"]
    made = await contexts.conversations.begin(anna, "direct", [bert], None)
    room = f"chat:{made['_id']}"
    await say(anna, room, "Hello.")
    await say(bert, room, "Hello, too.")
    await contexts.chat.farewell.erase(anna, on)
    kept = await contexts.database.conversations.find_one({"_id": made["_id"]})
    assert kept is not None
    assert kept["members"] == [bert]
    assert anna not in str(kept)
    with pytest.raises(Forbidden):
        await say(bert, room, "Still there?")
    assert [each.text for each in (await contexts.chat.history(bert, room)).messages] == [None, "Hello, too."]


async def test_a_lost_key_costs_words_and_no_room(contexts: Contexts, group: Group, say: Say) -> None:
    """What it sealed looks like deleted; what others sealed is read, and the room goes on."""
    (anna, bert), room = await group()
    lost, kept = [await say(anna, room, text) for text in ("Lost.", "Kept.")]
    events = contexts.database.room_events
    await contexts.chat.edits.edit(anna, lost.id, "Lost, too.")
    await events.update_one({"_id": lost.id}, {"$set": {"sealed.kid": "gone"}})
    first, second = (await contexts.chat.history(bert, room)).messages
    assert (first.text, first.deleted, second.text) == (None, True, "Kept.")
    recovered = await contexts.room_log.recover(room, Place(kept.place.epoch, 0))
    assert recovered.entries is None
    with pytest.raises(Gone):
        await contexts.chat.edits.edit(anna, lost.id, "Found again.")
    await say(bert, room, "And on.")


async def test_what_nobody_can_unseal_does_not_stop_it(contexts: Contexts, group: Group, say: Say) -> None:
    """A key that was lost: the event is emptied all the same."""
    (anna, bert), room = await group()
    lost = await say(anna, room, "Lost.")
    await say(anna, room, "Not lost.")
    await contexts.database.room_events.update_one({"_id": lost.id}, {"$set": {"sealed.kid": "gone"}})
    await contexts.chat.farewell.erase(anna, on)
    assert [each.text for each in (await contexts.chat.history(bert, room)).messages] == [None, None]
