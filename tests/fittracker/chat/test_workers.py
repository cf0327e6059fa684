"""Two workers that change the same messages at the same time."""

from __future__ import annotations

import asyncio

from fittracker.contexts import Contexts
from fittracker.errors import Failure
from tests.fittracker.chat.conftest import Group, Say


async def test_reactions_over_two_workers_are_all_there(
    contexts: Contexts, other: Contexts, group: Group, say: Say
) -> None:
    """Given and taken back at once by twelve people over two workers: what is left is what was not taken."""
    people, room = await group(12)
    said = await say(people[0], room, "Who comes?")

    async def give(worker: Contexts, user: str, *, stays: bool) -> None:
        await worker.chat.reactions.react(user, said.id, "🙋", on=True)
        if not stays:
            await worker.chat.reactions.react(user, said.id, "🙋", on=False)

    await asyncio.gather(
        *(give((contexts, other)[n % 2], each, stays=n % 3 > 0) for n, each in enumerate(people))
    )
    (message,) = (await contexts.chat.history(people[0], room)).messages
    (reaction,) = message.reactions
    assert reaction.count == len([n for n in range(12) if n % 3 > 0])


async def test_edits_over_two_workers_come_to_one_order(
    contexts: Contexts, other: Contexts, group: Group, say: Say
) -> None:
    """Each is counted, and the events in the log end with what the message says."""
    (anna, bert), room = await group()
    said = await say(anna, room, "0")
    edits = [(contexts, other)[n % 2].chat.edits.edit(anna, said.id, f"edit {n}") for n in range(10)]
    done = await asyncio.gather(*edits, return_exceptions=True)
    assert [each for each in done if isinstance(each, BaseException) and not isinstance(each, Failure)] == []
    (message,) = (await contexts.chat.history(bert, room)).messages
    told = await contexts.room_log.archive.before(room, "chat.edited", None, 100)
    with_words = [each for each in told if b'"text":null' not in each.record.data]
    assert len(told) == message.edits
    assert len(with_words) == 1
    assert f'"text":"{message.text}"'.encode() in with_words[0].record.data


async def test_members_who_come_and_go_over_two_workers(
    contexts: Contexts, other: Contexts, group: Group
) -> None:
    """Everybody leaves at once: nobody is left, and there was always one owner."""
    people, room = await group(8)
    conversation = room.removeprefix("chat:")
    await asyncio.gather(
        *(
            (contexts, other)[n % 2].chat.membership.remove(each, conversation, each)
            for n, each in enumerate(people[1:])
        )
    )
    left = await contexts.conversations.get(people[0], conversation)
    assert (left["members"], left["owner"]) == ([people[0]], people[0])
    await contexts.chat.membership.remove(people[0], conversation, people[0])
    gone = await contexts.database.conversations.find_one({"_id": conversation})
    assert gone is not None
    assert (gone["members"], gone["owner"]) == ([], None)
