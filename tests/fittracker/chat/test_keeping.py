"""How long chat is kept: retention, and conversations that everybody has left."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from fittracker.chat.keeping import Keeping
from fittracker.contexts import Contexts
from fittracker.roomlog.window import state_key, window_key
from tests.fittracker.chat.conftest import Group, Say
from tests.moving_clock import MovingClock

DAY = 86_400


def keeping(contexts: Contexts, days: int = 30) -> Keeping:
    """Of one worker."""
    return Keeping(contexts.database, contexts.room_log, contexts.clock, days=days)


async def said(contexts: Contexts, user: str, room: str) -> list[str | None]:
    """What the history says."""
    return [each.text for each in (await contexts.chat.history(user, room)).messages]


async def test_what_is_old_goes_whoever_looks_after_it(
    contexts: Contexts, other: Contexts, group: Group, say: Say, clock: MovingClock, redis_url: str
) -> None:
    """Three workers at once; the window forgets it too, and what is younger stays where it is."""
    (anna, _), room = await group()
    (bert, _), quiet = await group()
    old = [await say(anna, room, f"old {number}") for number in range(5)]
    await contexts.chat.edits.edit(anna, old[0].id, "old, edited")
    await contexts.chat.edits.delete(anna, old[1].id)
    await say(bert, quiet, "old and the last")
    cue = await contexts.room_log.say(room, "session.cue", {"text": "kept"}, by=anna, client_id="cue")
    clock.advance(31 * DAY)
    young = await say(anna, room, "young")
    workers = (keeping(contexts), keeping(other), keeping(contexts))
    await asyncio.gather(*(each.expire() for each in workers))
    assert await said(contexts, anna, room) == ["young"]
    assert await said(contexts, bert, quiet) == []
    left = await contexts.database.room_events.find({"room": room}).to_list()
    assert {each["_id"] for each in left} == {cue.id, young.id}
    async with Redis.from_url(redis_url) as redis:
        assert await redis.xlen(window_key(room)) == 2
        assert await redis.xlen(window_key(quiet)) == 0
    assert await keeping(contexts).expire() == 0


async def test_a_room_counts_on_though_all_of_it_has_expired(
    contexts: Contexts, group: Group, say: Say, clock: MovingClock, redis_url: str
) -> None:
    """Also when Redis has forgotten it: a number that was read is never given again."""
    (anna, bert), room = await group()
    last = [await say(anna, room, text) for text in "abc"][-1].place.seq
    await contexts.chat.marks.read(bert, room, last)
    clock.advance(31 * DAY)
    await keeping(contexts).expire()
    assert await contexts.database.room_events.count_documents({"room": room}) == 1
    async with Redis.from_url(redis_url) as redis:
        await redis.delete(state_key(room), window_key(room))
    again = await say(anna, room, "d")
    assert again.place.seq > last
    (marked,) = await contexts.chat.marks.where(bert, {room: last})
    assert marked.unread == 1
    assert await said(contexts, bert, room) == ["d"]


async def test_a_room_in_which_little_is_said_keeps_one_number(
    contexts: Contexts, group: Group, say: Say, clock: MovingClock
) -> None:
    """Not one for each time that all of it has expired."""
    (anna, _), room = await group()
    for text in "abc":
        last = await say(anna, room, text)
        clock.advance(31 * DAY)
        await keeping(contexts).expire()
    left = await contexts.database.room_events.find({"room": room}).to_list()
    assert [each["seq"] for each in left] == [last.place.seq]


async def test_for_ever_is_the_default(
    contexts: Contexts, group: Group, say: Say, clock: MovingClock
) -> None:
    """Nothing goes unless somebody has said after how many days."""
    assert contexts.settings.chat_days == 0
    (anna, _), room = await group()
    await say(anna, room, "kept")
    clock.advance(4_000 * DAY)
    await contexts.chat.keeping.look_after()
    assert await said(contexts, anna, room) == ["kept"]


async def test_a_group_that_everybody_left_is_gone(contexts: Contexts, group: Group, say: Say) -> None:
    """With all that was said in it; others are as they were."""
    (anna, bert), room = await group()
    (cleo, _), kept = await group()
    await say(anna, room, "Bye.")
    await say(cleo, kept, "Hello.")
    await contexts.chat.marks.read(bert, room, 1)
    conversation = room.removeprefix("chat:")
    await contexts.chat.membership.remove(anna, conversation, anna)
    await contexts.chat.keeping.look_after()
    assert await said(contexts, bert, room) == ["Bye."]
    await contexts.chat.membership.remove(bert, conversation, bert)
    await asyncio.gather(*(contexts.chat.keeping.clear_left() for _ in range(3)))
    database = contexts.database
    assert await database.conversations.find_one({"_id": conversation}) is None
    assert await database.room_events.count_documents({"room": room}) == 0
    assert await database.chat_marks.count_documents({"room": room}) == 0
    assert await said(contexts, cleo, kept) == ["Hello."]
