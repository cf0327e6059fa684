"""Posts live: liking, commenting, and who looks at a post."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from fittracker.clock import rfc3339
from fittracker.follows import FOLLOWED, Followed
from fittracker.policy import SIGNED_IN
from fittracker.social.comments import COMMENTED, UNCOMMENTED, Commented, Uncommented
from fittracker.social.likes import LIKED, Liked
from fittracker.social.posts import LONGEST_TEXT, POSTED, Posted
from ws.commands import command
from ws.connection import Connection
from ws.events import EventType
from ws.fields import Id
from ws.realtime import Realtime
from ws.room_kinds import RoomKind
from ws.sender import user_of


class Like(msgspec.Struct, forbid_unknown_fields=True):
    """Which post."""

    post: Id


class Likes(msgspec.Struct):
    """Whether one likes the post now, and how many do."""

    post: str
    liked: bool
    likes: int


class Comment(msgspec.Struct, forbid_unknown_fields=True):
    """What to say about a post. The same `client_id` sent again is the same comment."""

    post: Id
    text: Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)]
    client_id: UUID


class CommentMade(msgspec.Struct):
    """Stored."""

    id: str
    created_at: str


async def _look(realtime: Realtime, user: str, subject: str) -> bool:
    return await realtime.contexts.social.posts.may_see(user, subject)


async def _sift(realtime: Realtime, users: Collection[str], subject: str) -> set[str]:
    return await realtime.contexts.social.posts.seeing(subject, users)


ROOMS: Final = (RoomKind("post", look=_look, meeting=False, listed=False, sift=_sift),)
EVENTS: Final = (
    EventType(POSTED, Posted, rooms=("user",)),
    EventType(LIKED, Liked, rooms=("post", "user")),
    EventType(COMMENTED, Commented, rooms=("post", "user")),
    EventType(UNCOMMENTED, Uncommented, rooms=("post", "user")),
    EventType(FOLLOWED, Followed, rooms=("user",)),
)


@command("social.like", Like, Likes, policy=SIGNED_IN)
async def like(realtime: Realtime, connection: Connection, data: Like) -> Likes:
    """Like a post that one may see; again is the same."""
    likes = await realtime.contexts.social.likes.put(user_of(connection), data.post, on=True)
    return Likes(data.post, True, likes)


@command("social.unlike", Like, Likes, policy=SIGNED_IN)
async def unlike(realtime: Realtime, connection: Connection, data: Like) -> Likes:
    """Take one's like back; again is the same."""
    likes = await realtime.contexts.social.likes.put(user_of(connection), data.post, on=False)
    return Likes(data.post, False, likes)


@command("social.comment", Comment, CommentMade, policy=SIGNED_IN)
async def comment(realtime: Realtime, connection: Connection, data: Comment) -> CommentMade:
    """Comment on a post that one may see; the answer comes when it is stored."""
    made = await realtime.contexts.social.comments.add(
        user_of(connection), data.post, data.text, str(data.client_id)
    )
    return CommentMade(made["_id"], rfc3339(made["created_at"]))
