"""Two workers, people, and talk among them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable

import pytest

from fittracker.contexts import Contexts
from fittracker.roomlog.log import Confirmed
from tests.fittracker.auth.conftest import Settle, clock, contexts, other, settings, settle

__all__ = ["clock", "contexts", "other", "settings", "settle"]

Say = Callable[[str, str, str], Awaitable[Confirmed]]
Group = Callable[..., Awaitable[tuple[list[str], str]]]
_numbers = itertools.count(1)


@pytest.fixture
def group(contexts: Contexts, settle: Settle) -> Group:
    """People by id, and the room of their group; the first one owns it."""

    async def make(count: int = 2) -> tuple[list[str], str]:
        people = [(await settle())["_id"] for _ in range(count)]
        made = await contexts.conversations.begin(people[0], "group", people[1:], "Runners")
        return people, f"chat:{made['_id']}"

    return make


@pytest.fixture
def say(contexts: Contexts) -> Say:
    """Say something new in a room."""

    async def speak(user: str, room: str, text: str) -> Confirmed:
        return await contexts.chat.send(user, "Name", room, text, client_id=f"{next(_numbers)}")

    return speak
