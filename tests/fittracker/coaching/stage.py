"""Sessions of people who are there, for tests of what happens to them."""

from __future__ import annotations

from typing import Any

from fittracker.contexts import Contexts
from fittracker.mongo import Document
from tests.fittracker.auth.conftest import Settle


async def a_session(contexts: Contexts, settle: Settle, count: int = 1, **more: Any) -> Document:
    """A session with so many athletes who have entered, live unless it `starts_at` later."""
    trainer = await settle("Tina", "trainer")
    athletes = [(await settle(f"Anna{number:02}"))["_id"] for number in range(count)]
    wanted: dict[str, Any] = {"title": "Hills", "capacity": max(count, 1), "athletes": athletes, **more}
    made = await contexts.coaching.create(trainer["_id"], **wanted)
    for athlete in athletes:
        await contexts.coaching.enter(made["_id"], athlete)
    return await found(contexts, made["_id"])


async def found(contexts: Contexts, session: str) -> Document:
    """As it is now."""
    document = await contexts.database.coaching_sessions.find_one({"_id": session})
    assert document is not None
    return document
