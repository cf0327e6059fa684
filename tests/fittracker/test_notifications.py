"""The inbox: each thing that happened is in it once, and is told to the person's devices."""

from __future__ import annotations

import pytest

from fittracker.contexts import Contexts
from fittracker.ids import new_id


async def test_the_same_key_is_the_same_notification(contexts: Contexts) -> None:
    """However often it is sent."""
    user, by = new_id(), new_id()
    for _ in range(3):
        await contexts.notifications.notify(
            user, "social", event="post.liked", key="like:1", by=by, subject="post:1", data={"count": 1}
        )
    items, _ = await contexts.notifications.page(user, 10, None)
    assert [(each["event"], each["by"], each["subject"]) for each in items] == [("post.liked", by, "post:1")]
    told = await contexts.room_log.archive.before(f"user:{user}", "notification", None, 10)
    assert len(told) == 1


async def test_a_kind_that_nobody_can_choose_is_a_mistake_of_ours(contexts: Contexts) -> None:
    """Each kind has its preferences."""
    with pytest.raises(KeyError):
        await contexts.notifications.notify(new_id(), "gossip", event="x", key="1")
