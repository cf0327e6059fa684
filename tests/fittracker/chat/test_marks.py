"""How much is new to somebody, however much they have said themselves."""

from __future__ import annotations

import pytest

from fittracker.contexts import Contexts
from tests.fittracker.chat.conftest import Group, Say


async def test_counting_ends_among_what_was_said_last(
    contexts: Contexts, group: Group, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever talks and never reads must not cost a look at all that they have ever said."""
    (anna, bert), room = await group()
    for user in (bert, anna, anna, bert, anna):
        await say(user, room, "Hello.")

    async def unread() -> int:
        (marked,) = await contexts.chat.marks.where(anna, {room: 0})
        return marked.unread

    assert await unread() == 2
    monkeypatch.setattr("fittracker.roomlog.archive.MOST_COUNTED", 4)
    assert await unread() == 1
    monkeypatch.setattr("fittracker.roomlog.archive.MOST_COUNTED", 1)
    assert await unread() == 0
