"""Who may do what in a kind of room: the table that decides, apart from the rooms that there are."""

from __future__ import annotations

import pytest

from fittracker.chat.forum import Forum, Forums
from fittracker.chat.mentions import MOST, Mentions
from fittracker.contexts import Contexts
from fittracker.errors import Forbidden, Invalid, NotFound
from fittracker.ids import new_id

ANNA, BERT, EVE = new_id(), new_id(), new_id()


async def everybody(_subject: str, _user: str) -> bool:
    """A room that all may look into."""
    return True


async def two(_subject: str, user: str) -> bool:
    """Anna speaks; Bert belongs there but must be silent."""
    if user == BERT:
        raise Forbidden("Not now.")
    return user == ANNA


FORUMS = Forums({"open": Forum(everybody, two)})


async def test_reading_speaking_and_looking_after_are_three_things() -> None:
    """Where nothing is said of who looks after a room, nobody does."""
    await FORUMS.check_reads(EVE, "open:1")
    await FORUMS.check_speaks(ANNA, "open:1")
    with pytest.raises(NotFound):
        await FORUMS.check_speaks(EVE, "open:1")
    with pytest.raises(Forbidden):
        await FORUMS.check_speaks(BERT, "open:1")
    assert [await FORUMS.heard(each, "open:1") for each in (ANNA, BERT)] == [True, False]
    assert not await FORUMS.moderates(ANNA, "open:1")
    for room in ("closed:1", "open:", "open", ":1", ""):
        with pytest.raises(Invalid):
            await FORUMS.check_reads(ANNA, room)


async def test_only_who_takes_part_is_mentioned(contexts: Contexts) -> None:
    """In a room that everybody may look into, nobody is called who has nothing to do with it."""
    mentions = Mentions(FORUMS, contexts.notifications)
    text = f"<@{EVE}> <@{BERT}> <@{ANNA}> <@{BERT}>"
    assert await mentions.among("open:1", text) == [BERT, ANNA]
    assert await mentions.among("open:1", "Nobody, <@me> @Anna") == []
    with pytest.raises(Invalid):
        await mentions.among("open:1", " ".join(f"<@{new_id()}>" for _ in range(MOST + 1)))
