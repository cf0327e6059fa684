"""Likes: a row for each person who likes a post, and a counter that always equals the rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from pymongo import ReturnDocument

from fittracker.announcer import Announcer
from fittracker.clock import Clock
from fittracker.conflated import Conflated
from fittracker.errors import Failure, NotFound
from fittracker.ids import new_id
from fittracker.informing import Informing
from fittracker.mongo import Database, Document, Session, transact
from fittracker.paging import Cursor
from fittracker.social.posts import Posts, Step
from fittracker.social.voices import Voices
from fittracker.together import Together

LIKED: Final = "social.liked"
APART_S: Final = 0.25
"""A post's likes are told by a worker at most so often."""
STEP: Final = 50


class Liked(msgspec.Struct):
    """How many like a post now; of two, the one with the higher `change` is the newer."""

    post: str
    likes: int
    change: int


class Likes:
    """Who likes what."""

    def __init__(
        self,
        database: Database,
        posts: Posts,
        voices: Voices,
        announcer: Announcer,
        informing: Informing,
        clock: Clock,
    ) -> None:
        self._database = database
        self._likes = database.post_likes
        self._counted = database.posts
        self._posts = posts
        self._voices = voices
        self._announcer = announcer
        self._informing = informing
        self._clock = clock
        self._together: Together[str, tuple[str, bool], int] = Together(self._carry_out)
        self.telling = Conflated("likes", self._tell, apart_s=APART_S)

    async def put(self, user: str, post: str, on: bool) -> int:
        """Like a post, or like it no more; again is the same. How many like it after that.

        NotFound for a post that the user may not see.
        """
        found = await self._posts.get(user, post)
        likes = await self._together.ask(post, (user, on))
        key = f"post.liked {post} {user}"
        if not on:
            await self._informing.take_back(found["user"], key)
        elif found["user"] != user:
            await self._informing.tell(
                found["user"],
                "social",
                event="post.liked",
                key=key,
                by=user,
                subject=f"post:{post}",
            )
        return likes

    async def _carry_out(self, post: str, wishes: Sequence[tuple[str, bool]]) -> list[int | Failure]:
        wanted = dict(wishes)  # who wants both, wants the last

        async def work(session: Session) -> tuple[int, bool]:
            query: Document = {"post": post, "user": {"$in": list(wanted)}}
            liking = {each["user"] async for each in self._likes.find(query, {"user": 1}, session=session)}
            new = [user for user, on in wanted.items() if on and user not in liking]
            gone = [user for user, on in wanted.items() if not on and user in liking]
            step = {"likes": len(new) - len(gone), "changes": 1 if new or gone else 0}
            counted = await self._counted.find_one_and_update(
                {"_id": post, "deleted_at": None},
                {"$inc": step},
                {"likes": 1},
                return_document=ReturnDocument.AFTER,
                session=session,
            )
            if counted is None:
                raise NotFound("There is no such post.")
            if new:
                await self._likes.insert_many([self._row(post, user) for user in new], session=session)
            if gone:
                await self._likes.delete_many({"post": post, "user": {"$in": gone}}, session=session)
            return int(counted["likes"]), bool(new or gone)

        likes, changed = await transact(self._database, work)
        if changed:
            self.telling.note(post)
        return [likes] * len(wishes)

    def _row(self, post: str, user: str) -> Document:
        now = self._clock.utc()
        return {"_id": new_id(), "post": post, "user": user, "created_at": now, "schema_version": 1}

    async def _tell(self, posts: set[str]) -> None:
        """The present counters, to whoever looks at these posts, and to their owners."""
        shown = {"user": 1, "likes": 1, "changes": 1}
        query = {"_id": {"$in": list(posts)}, "deleted_at": None}
        async for each in self._counted.find(query, shown):
            event = Liked(each["_id"], each["likes"], each["changes"])
            self._announcer.tell(f"post:{each['_id']}", LIKED, event)
            self._announcer.tell(f"user:{each['user']}", LIKED, event)

    async def page(
        self, viewer: str, post: str, limit: int, cursor: str | None
    ) -> tuple[list[Document], str | None]:
        """Who likes a post, newest first: `user`, `name`, `created_at`; the next cursor.

        Without those with whom the viewer has a block, and who is not there: a page may hold fewer.
        """
        await self._posts.get(viewer, post)
        found, following = await Cursor("created_at").page(self._likes, {"post": post}, limit, cursor)
        return await self._voices.heard(viewer, found), following

    async def forget(self, user: str, step: Step) -> None:
        """Somebody leaves for good: every post that they like has one fewer."""
        while some := await self._likes.find({"user": user}, {"post": 1}, limit=STEP).to_list():
            await asyncio.gather(*(self._forget(each, user) for each in some))
            await step()

    async def _forget(self, row: Document, user: str) -> None:
        try:
            await self._together.ask(row["post"], (user, False))
        except NotFound:
            await self._likes.delete_one({"_id": row["_id"]})  # the post is being deleted itself
