"""Comments on posts: once for each `client_id`, and a counter that always equals what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec
from pymongo import ReturnDocument

from fittracker.announcer import Announcer
from fittracker.chat.text import checked
from fittracker.clock import Clock, rfc3339
from fittracker.control import Control, SaidBy
from fittracker.errors import Failure, Gone, NotFound
from fittracker.ids import is_id, new_id
from fittracker.informing import Informing
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.paging import Cursor
from fittracker.present import names
from fittracker.redis import OUTAGES
from fittracker.social.posts import Posts, Step
from fittracker.social.voices import Voices
from fittracker.together import Together

log = logger(__name__)

COMMENTED: Final = "social.commented"
UNCOMMENTED: Final = "social.uncommented"
REMEMBERED: Final = timedelta(days=1)
"""So long a deleted comment is remembered, without its text: sent again, it must not come back."""


class Commented(msgspec.Struct):
    """Somebody has commented on a post that this person looks at or owns; `comments`: how many there are."""

    post: str
    comment: str
    user: str
    name: str
    text: str
    created_at: str
    comments: int


class Uncommented(msgspec.Struct):
    """A comment is gone."""

    post: str
    comment: str
    comments: int


class Comments:
    """What is said about posts."""

    def __init__(
        self,
        database: Database,
        posts: Posts,
        voices: Voices,
        control: Control,
        announcer: Announcer,
        informing: Informing,
        clock: Clock,
    ) -> None:
        self._database = database
        self._comments = database.post_comments
        self._counted = database.posts
        self._users = database.users
        self._posts = posts
        self._voices = voices
        self._control = control
        self._announcer = announcer
        self._informing = informing
        self._clock = clock
        self._together: Together[str, Document, tuple[Document, bool]] = Together(self._carry_out)

    # -- reading -------------------------------------------------------------------------------------

    async def page(
        self, viewer: str, post: str, limit: int, cursor: str | None
    ) -> tuple[list[Document], str | None]:
        """The comments on a post, newest first, each with `name`; the next cursor.

        Without those of people with whom the viewer has a block, or who are not there: a page may hold fewer.
        """
        await self._posts.get(viewer, post)
        query = {"post": post, "deleted_at": None}
        found, following = await Cursor("created_at").page(self._comments, query, limit, cursor)
        return await self._voices.heard(viewer, found), following

    # -- writing -------------------------------------------------------------------------------------

    async def add(self, user: str, post: str, text: str, client_id: str | None) -> Document:
        """Comment on a post; the same `client_id` again is the same comment. With `name`.

        NotFound for a post that the user may not see, Invalid for an empty or a too long text, Gone where
        the comment was deleted since.
        """
        text = checked(text)
        found = await self._posts.get(user, post)
        wish: Document = {
            "_id": new_id() if client_id is None else _name(post, user, client_id),
            "post": post,
            "user": user,
            "text": text,
            "created_at": self._clock.utc(),
            "deleted_at": None,
            "schema_version": 1,
        }
        comment, new = await self._together.ask(post, wish)
        comment["name"] = (await names(self._users, [user])).get(user, "")
        if new:
            await self._tell(found["user"], comment)
        if found["user"] != user:
            # Also where it was there already: whoever wrote it may have died before this.
            await self._informing.tell(
                found["user"],
                "social",
                event="post.commented",
                key=f"post.commented {comment['_id']}",
                by=user,
                subject=f"post:{post}",
                data={"comment": comment["_id"]},
            )
        return comment

    async def _carry_out(
        self, post: str, wishes: Sequence[Document]
    ) -> list[tuple[Document, bool] | Failure]:
        """Store all that are new, in one transaction; each with whether it was."""

        async def work(session: Session) -> list[tuple[Document, bool] | Failure]:
            wanted = {each["_id"]: each for each in reversed(wishes)}
            query = {"_id": {"$in": list(wanted)}}
            there = {each["_id"]: each async for each in self._comments.find(query, session=session)}
            fresh = [each for name, each in wanted.items() if name not in there]
            counted = await self._counted.find_one_and_update(
                {"_id": post, "deleted_at": None},
                {"$inc": {"comments": len(fresh)}},
                {"_id": 1},
                session=session,
            )
            if counted is None:
                raise NotFound("There is no such post.")
            if fresh:
                await self._comments.insert_many(fresh, session=session)
            return _outcomes(wishes, there)

        return await transact(self._database, work)

    async def delete(self, user: str, comment: str) -> None:
        """Delete a comment of one's own, or one on a post of one's own; NotFound for every other one.

        Who may not see the post any more may still take back what they wrote.
        """
        there = {"_id": comment, "deleted_at": None}
        found = await self._comments.find_one(there) if is_id(comment) else None
        if found is not None and found["user"] != user:
            mine = {"_id": found["post"], "user": user}
            found = found if await self._counted.find_one(mine, {"_id": 1}) is not None else None
        if found is None:
            raise NotFound("There is no such comment.")
        await self._delete(found)

    async def _delete(self, comment: Document) -> None:
        now = self._clock.utc()
        gone = {"deleted_at": now, "text": "", "expires_at": now + REMEMBERED}

        async def work(session: Session) -> Document | None:
            there = {"_id": comment["_id"], "deleted_at": None}
            changed = await self._comments.update_one(there, {"$set": gone}, session=session)
            if not changed.modified_count:
                return None  # somebody else did at this moment
            return await self._counted.find_one_and_update(
                {"_id": comment["post"]},
                {"$inc": {"comments": -1}},
                {"user": 1, "comments": 1},
                return_document=ReturnDocument.AFTER,
                session=session,
            )

        post = await transact(self._database, work)
        if post is not None:
            event = Uncommented(post["_id"], comment["_id"], post["comments"])
            self._announcer.tell(f"post:{post['_id']}", UNCOMMENTED, event)
            self._announcer.tell(f"user:{post['user']}", UNCOMMENTED, event)
            await self._informing.take_back(post["user"], f"post.commented {comment['_id']}")

    async def forget(self, user: str, step: Step) -> None:
        """Somebody leaves for good: what they said is gone from every post."""
        theirs = {"user": user, "deleted_at": None}
        while some := await self._comments.find(theirs, limit=50).to_list():
            for each in some:
                await self._delete(each)
            await step()

    # -- telling -------------------------------------------------------------------------------------

    async def _tell(self, owner: str, comment: Document) -> None:
        """To whoever looks at the post and has no block with the author; and to its owner."""
        post = await self._counted.find_one({"_id": comment["post"]}, {"comments": 1})
        event = Commented(
            comment["post"],
            comment["_id"],
            comment["user"],
            comment["name"],
            comment["text"],
            rfc3339(comment["created_at"]),
            post["comments"] if post else 0,
        )
        self._announcer.tell(f"user:{owner}", COMMENTED, event)
        data = msgspec.json.encode(event).decode()
        try:
            await self._control.tell(SaidBy(comment["user"], f"post:{comment['post']}", COMMENTED, data))
        except OUTAGES:
            log.warning("comment_not_told", comment=comment["_id"])


def _name(post: str, user: str, client_id: str) -> str:
    return hashlib.sha256(f"{post} {user} {client_id}".encode()).hexdigest()[:24]


def _outcomes(
    wishes: Sequence[Document], there: Mapping[str, Document]
) -> list[tuple[Document, bool] | Failure]:
    """What became of each wish, and whether it is new; what was sent twice at once is new once."""
    new: set[str] = set()
    outcomes: list[tuple[Document, bool] | Failure] = []
    for wish in wishes:
        name = wish["_id"]
        before = there.get(name)
        if before is None:
            outcomes.append((dict(wish), name not in new))
            new.add(name)
        elif before["deleted_at"] is None:
            outcomes.append((dict(before), False))
        else:
            outcomes.append(Gone("This comment was deleted."))
    return outcomes
