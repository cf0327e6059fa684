"""Who is in a group, when its owner changes at the very moment."""

from __future__ import annotations

import pytest

from fittracker.contexts import Contexts
from fittracker.errors import Forbidden
from fittracker.mongo import Document
from tests.fittracker.chat.conftest import Group


async def test_who_hands_a_group_on_at_that_moment_removes_nobody_any_more(
    contexts: Contexts, other: Contexts, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They leave at another worker after this one has looked: who was to go stays, and hears."""
    (anna, bert, cleo), room = await group(3)
    conversation = room.removeprefix("chat:")
    get = contexts.conversations.get

    async def get_late(user: str, name: str) -> Document:
        found = await get(user, name)
        await other.chat.membership.remove(anna, conversation, anna)
        return found

    monkeypatch.setattr(contexts.conversations, "get", get_late)
    told: list[object] = []

    async def tell(message: object) -> None:
        told.append(message)

    monkeypatch.setattr(contexts.control, "tell", tell)
    with pytest.raises(Forbidden):
        await contexts.chat.membership.remove(anna, conversation, cleo)
    found = await contexts.database.conversations.find_one({"_id": conversation})
    assert found is not None
    assert (found["members"], found["owner"], told) == ([bert, cleo], bert, [])
