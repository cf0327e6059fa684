"""All that people show each other, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fittracker.announcer import Announcer
from fittracker.blocks import Blocks
from fittracker.clock import Clock
from fittracker.control import Control
from fittracker.follows import Follows
from fittracker.housekeeping import Duty
from fittracker.informing import Informing
from fittracker.mongo import Database
from fittracker.people import People
from fittracker.social.comments import Comments
from fittracker.social.feed import Feed
from fittracker.social.likes import Likes
from fittracker.social.posts import Posts, Step
from fittracker.social.voices import Voices


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What it stands on."""

    database: Database
    people: People
    follows: Follows
    blocks: Blocks
    control: Control
    announcer: Announcer
    informing: Informing
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Social:
    """Posts and what is said about them."""

    posts: Posts
    likes: Likes
    comments: Comments
    feed: Feed
    follows: Follows

    @property
    def duties(self) -> tuple[Duty, ...]:
        """What has to be done while nobody asks for it."""
        return (Duty("posts", 60.0, self.posts.sweep),)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell of likes until the block ends."""
        async with self.likes.telling.running():
            yield

    async def forget(self, user: str, step: Step) -> None:
        """Somebody leaves for good: what they did goes, and the counters of others with it."""
        await self.posts.forget(user, step)
        await self.likes.forget(user, step)
        await self.comments.forget(user, step)
        await self.follows.forget(user, step)


def open_social(ground: Ground) -> Social:
    """Put it together."""
    database, clock = ground.database, ground.clock
    posts = Posts(database, ground.people, ground.follows, ground.blocks, ground.control, clock)
    voices = Voices(database, ground.blocks)
    return Social(
        posts=posts,
        likes=Likes(database, posts, voices, ground.announcer, ground.informing, clock),
        comments=Comments(database, posts, voices, ground.control, ground.announcer, ground.informing, clock),
        feed=Feed(database, ground.follows, posts),
        follows=ground.follows,
    )
