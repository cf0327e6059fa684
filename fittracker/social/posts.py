"""Posts: a text, a workout of one's own, or both, for everybody, for followers, or for oneself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

import msgspec
from pymongo import ReturnDocument

from fittracker.blocks import Blocks
from fittracker.clock import Clock, rfc3339
from fittracker.control import Control, Message, RoomChanged, ToFollowers
from fittracker.errors import Invalid, NotFound, PreconditionFailed
from fittracker.follows import Follows
from fittracker.ids import is_id, new_id
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.paging import Cursor
from fittracker.people import People
from fittracker.preferences import visibility
from fittracker.present import PRESENT, names
from fittracker.redis import OUTAGES
from fittracker.social.cards import Cards

log = logger(__name__)

LONGEST_TEXT: Final = 4_000
AUDIENCES: Final = ("public", "followers", "private")
NEWEST: Final = Cursor("created_at")
STEP: Final = 1_000
POSTED: Final = "social.posted"
Step = Callable[[], Awaitable[None]]


class Posted(msgspec.Struct):
    """Somebody whom this person follows has posted; said to each follower who is there."""

    post: str
    user: str
    name: str
    text: str
    workout: str | None
    visibility: str
    created_at: str


class Posts:
    """The posts of all people, seen with the eyes of one."""

    def __init__(
        self,
        database: Database,
        people: People,
        follows: Follows,
        blocks: Blocks,
        control: Control,
        clock: Clock,
    ) -> None:
        self._posts = database.posts
        self._likes = database.post_likes
        self._comments = database.post_comments
        self._workouts = database.workouts
        self._users = database.users
        self._people = people
        self._follows = follows
        self._blocks = blocks
        self._control = control
        self._clock = clock
        self._cards = Cards(database, people)

    # -- who may see ---------------------------------------------------------------------------------

    async def get(self, viewer: str, post: str) -> Document:
        """A post that the viewer may see now; NotFound for every other one."""
        found = await self._find(post)
        if found is None or viewer not in await self._seeing(found, {viewer}):
            raise NotFound("There is no such post.")
        return found

    async def may_see(self, viewer: str, post: str) -> bool:
        """Whether the viewer may see this post now."""
        return viewer in await self.seeing(post, {viewer})

    async def seeing(self, post: str, viewers: Collection[str]) -> set[str]:
        """Those of the viewers who may see this post now."""
        found = await self._find(post)
        return await self._seeing(found, viewers) if found is not None else set()

    async def _find(self, post: str) -> Document | None:
        return await self._posts.find_one({"_id": post, "deleted_at": None}) if is_id(post) else None

    async def _seeing(self, post: Document, viewers: Collection[str]) -> set[str]:
        """Those of the viewers who may see a post.

        What somebody who does not show their profile to everybody posts for everybody is for followers.
        """
        owner = post["user"]
        seeing = {each for each in viewers if each == owner}
        others = set(viewers) - seeing
        if not others or post["visibility"] == "private":
            return seeing
        person = await self._users.find_one({"_id": owner, **PRESENT}, {"preferences": 1})
        if person is None:
            return seeing
        others -= await self._blocks.among(owner, others)
        if post["visibility"] == "public" and visibility(person, "profile") == "public":
            return seeing | others
        return seeing | await self._follows.followers_of(owner, others)

    async def of(self, user: str, posts: Collection[str]) -> list[str]:
        """Those of the posts that are this user's."""
        query = {"_id": {"$in": list(posts)}, "user": user}
        return [each["_id"] async for each in self._posts.find(query, {"_id": 1})]

    # -- reading -------------------------------------------------------------------------------------

    async def page(
        self, viewer: str, user: str, limit: int, cursor: str | None
    ) -> tuple[list[Document], str | None]:
        """What the viewer may see of somebody's posts, newest first, as `shown`; the next cursor.

        NotFound where the viewer may not know that there is such a person.
        """
        query: Document = {"user": user, "deleted_at": None}
        if viewer != user:
            query |= {"shown": True, "visibility": {"$in": await self._audiences(viewer, user)}}
        found, following = await NEWEST.page(self._posts, query, limit, cursor)
        return await self.shown(viewer, found), following

    async def _audiences(self, viewer: str, user: str) -> list[str]:
        """Which posts of somebody are for this viewer."""
        there = {"_id": user, **PRESENT}
        person = await self._users.find_one(there, {"preferences": 1}) if is_id(user) else None
        if person is None or await self._blocks.between(viewer, user):
            raise NotFound("There is no such person.")
        if await self._follows.follows(viewer, user):
            return ["public", "followers"]
        if visibility(person, "profile") == "public":
            return ["public"]
        await self._people.profile(viewer, user)  # NotFound, unless there is another reason to be seen
        return []

    async def shown(self, viewer: str, posts: list[Document]) -> list[Document]:
        """Posts as the viewer sees them: with `name`, `liked`, and what of the workout they may see."""
        known = await names(self._users, [each["user"] for each in posts])
        mine = {"user": viewer, "post": {"$in": [each["_id"] for each in posts]}}
        liked = {each["post"] async for each in self._likes.find(mine, {"post": 1})}
        cards = await self._cards.of(viewer, posts)
        return [
            {
                **each,
                "name": known.get(each["user"], ""),
                "liked": each["_id"] in liked,
                "workout": cards.get(each["_id"]),
            }
            for each in posts
        ]

    # -- writing -------------------------------------------------------------------------------------

    async def create(self, user: str, text: str, workout: str | None, audience: str) -> Document:
        """Post something, and tell those followers who are there; as `shown` to its owner.

        Invalid for nothing, and for a workout that is not one's own.
        """
        await self._check(user, text, workout)
        now = self._clock.utc()
        post: Document = {
            "_id": new_id(),
            "user": user,
            "text": text,
            "workout": workout,
            **audience_of(audience),
            "likes": 0,
            "comments": 0,
            "changes": 0,
            "created_at": now,
            "edited_at": None,
            "deleted_at": None,
            "version": 1,
            "schema_version": 1,
        }
        await self._posts.insert_one(post)
        (shown,) = await self.shown(user, [post])
        if post["shown"]:
            await self._tell_followers(shown, workout)
        return shown

    async def _check(self, user: str, text: str, workout: str | None) -> None:
        if not text and workout is None:
            raise Invalid("There is nothing in it.", fields={"text": "is needed where there is no workout"})
        if workout is not None:
            own = await self._workouts.find_one({"_id": workout, "user": user}, {"_id": 1})
            if own is None:
                raise Invalid("There is no such workout.", fields={"workout": "is none of yours"})

    async def _tell_followers(self, post: Document, workout: str | None) -> None:
        """One message to all workers, however many follow: each knows who of them is there."""
        followers, _ = await self._follows.counts(post["user"])
        if not followers:
            return
        data = Posted(
            post["_id"],
            post["user"],
            post["name"],
            post["text"],
            workout,
            post["visibility"],
            rfc3339(post["created_at"]),
        )
        await self._tell(ToFollowers(post["user"], followers, POSTED, msgspec.json.encode(data).decode()))

    async def change(self, user: str, post: str, changes: Mapping[str, Any], version: int | None) -> Document:
        """Change a post of one's own; as `shown`. Whoever may see it no more is out of its room.

        NotFound for every other post, PreconditionFailed where `version` is given and not the present one.
        """
        before = await self._own(user, post)
        after = {**before, **changes}
        await self._check(user, after["text"], changes.get("workout"))
        if not after["text"] and after["workout"] is None:
            raise Invalid("There is nothing in it.", fields={"text": "is needed where there is no workout"})
        values: Document = {**changes, "edited_at": self._clock.utc()}
        if "visibility" in changes:
            values |= audience_of(changes["visibility"])
        changed = await self._posts.find_one_and_update(
            {"_id": post, "user": user, "deleted_at": None, "version": version or before["version"]},
            {"$set": values, "$inc": {"version": 1}},
            return_document=ReturnDocument.AFTER,
        )
        if changed is None:
            raise PreconditionFailed("It has changed since you read it; read it again.")
        if changed["visibility"] != before["visibility"]:
            await self._tell(RoomChanged(f"post:{post}"))
        (shown,) = await self.shown(user, [changed])
        return shown

    async def _own(self, user: str, post: str) -> Document:
        found = await self._find(post)
        if found is None or found["user"] != user:
            raise NotFound("There is no such post.")
        return found

    # -- deleting ------------------------------------------------------------------------------------

    async def delete(self, user: str, post: str) -> None:
        """Delete a post of one's own with all that was said about it; NotFound for every other one."""
        await self._own(user, post)
        await self._delete(post)

    async def _delete(self, post: str) -> None:
        """Nobody sees it from here on; what hangs on it follows, and by `sweep` where this is interrupted."""
        hidden = {**audience_of("private"), "deleted_at": self._clock.utc()}
        await self._posts.update_one({"_id": post, "deleted_at": None}, {"$set": hidden})
        await self._tell(RoomChanged(f"post:{post}"))
        await self._clear(post)

    async def _clear(self, post: str) -> None:
        on_it = {"post": post}
        for collection in (self._likes, self._comments):
            while ids := [each["_id"] async for each in collection.find(on_it, {"_id": 1}, limit=STEP)]:
                await collection.delete_many({"_id": {"$in": ids}})
        await self._posts.delete_one({"_id": post})

    async def sweep(self) -> int:
        """Finish the deletions that were interrupted; how many."""
        count = 0
        async for each in self._posts.find({"deleted_at": {"$type": "date"}}, {"_id": 1}, limit=STEP):
            await self._clear(each["_id"])
            count += 1
        return count

    async def forget(self, user: str, step: Step) -> None:
        """Somebody leaves for good: all their posts go; `step` is called after each few."""
        while some := await self._posts.find({"user": user}, {"_id": 1}, limit=50).to_list():
            for each in some:
                await self._delete(each["_id"])
            await step()

    async def _tell(self, message: Message) -> None:
        try:
            await self._control.tell(message)
        except OUTAGES:
            log.warning("post_not_told", message=type(message).__name__)


def audience_of(audience: str) -> Document:
    """The fields that say whom a post is for; `shown`: whether for anybody but its owner."""
    return {"visibility": audience, "shown": audience != "private"}
