"""The feed: one's own posts and those of the people one follows, put together when it is read.

See docs/decisions/feed-on-read.md.
"""

from __future__ import annotations

import asyncio
from typing import Final

from fittracker.follows import Follows
from fittracker.mongo import Database, Document
from fittracker.paging import LARGEST
from fittracker.present import PRESENT
from fittracker.social.posts import NEWEST, Posts

TOGETHER: Final = 150
"""So many people are looked up by one query: MongoDB merges the posts of up to 200 by their index, without
sorting (`internalQueryMaxScansToExplode`)."""
SIDE_BY_SIDE: Final = 4
"""So many of these queries run at once: one reader must not take all connections to the database."""


class Feed:
    """What is new among the people one follows."""

    def __init__(self, database: Database, follows: Follows, posts: Posts) -> None:
        self._posts = database.posts
        self._users = database.users
        self._follows = follows
        self._shown = posts.shown

    async def page(self, user: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """Posts, newest first, as `Posts.shown`, and the next cursor.

        Without those of people who are not there: a page may hold fewer.
        """
        limit = max(1, min(limit, LARGEST))
        followed = await self._follows.all_followed(user)
        queries: list[Document] = [{"user": user, "deleted_at": None}]
        queries += [
            {"user": {"$in": followed[first : first + TOGETHER]}, "shown": True}
            for first in range(0, len(followed), TOGETHER)
        ]
        gate = asyncio.Semaphore(SIDE_BY_SIDE)

        async def ask(query: Document) -> tuple[list[Document], str | None]:
            async with gate:
                return await NEWEST.page(self._posts, query, limit, cursor)

        parts = await asyncio.gather(*map(ask, queries))
        found = [each for some, _ in parts for each in some]
        found.sort(key=lambda each: (each["created_at"], each["_id"]), reverse=True)
        more = len(found) > limit or any(following for _, following in parts)
        following = NEWEST.behind(found[limit - 1]) if more else None
        return await self._shown(user, await self._of_present(found[:limit])), following

    async def _of_present(self, posts: list[Document]) -> list[Document]:
        there = {"_id": {"$in": list({each["user"] for each in posts})}, **PRESENT}
        present = {each["_id"] async for each in self._users.find(there, {"_id": 1})}
        return [each for each in posts if each["user"] in present]
