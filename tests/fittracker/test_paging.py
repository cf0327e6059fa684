"""Pages of long lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from fittracker.errors import BadRequest
from fittracker.mongo import Collection, open_database
from fittracker.paging import Cursor

CURSOR = Cursor("at")


@pytest.fixture
async def things(mongo_url: str, fresh_database: str) -> AsyncIterator[Collection]:
    """Ten things, three to a millisecond."""
    async with open_database(mongo_url, fresh_database) as database:
        moments = [datetime(2026, 1, 1, 12, 0, 0, (n // 3) * 1000, tzinfo=UTC) for n in range(10)]
        await database.things.insert_many(
            [{"_id": f"{n:024x}", "at": at, "kind": n % 2} for n, at in enumerate(moments)]
        )
        yield database.things


async def walk(things: Collection, limit: int, query: dict[str, object] | None = None) -> list[int]:
    """Everything, page by page."""
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page, cursor = await CURSOR.page(things, query or {}, limit, cursor)
        assert len(page) <= limit
        seen += [int(each["_id"], 16) for each in page]
        if cursor is None:
            return seen


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10, 100])
async def test_every_thing_is_on_one_page(things: Collection, limit: int) -> None:
    """Newest first, also where several have one time."""
    assert await walk(things, limit) == list(range(9, -1, -1))


async def test_a_page_keeps_to_the_question(things: Collection) -> None:
    """The cursor narrows it, and never replaces it."""
    assert await walk(things, 2, {"$or": [{"kind": 1}]}) == [9, 7, 5, 3, 1]


@pytest.mark.parametrize(
    "forged",
    ["", "x", "1", "-", "1-2", "9" * 30 + "-" + "a" * 24, "-1-" + "a" * 24, "1-" + "g" * 24, "١-" + "a" * 24],
)
async def test_a_forged_cursor_is_refused(things: Collection, forged: str) -> None:
    """Whatever it holds."""
    with pytest.raises(BadRequest):
        await CURSOR.page(things, {}, 5, forged)
