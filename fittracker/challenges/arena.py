"""All of the challenges, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from fittracker.announcer import Announcer
from fittracker.background import Background
from fittracker.blocks import Blocks
from fittracker.challenges.board import Board, Row, Stretch
from fittracker.challenges.challenges import Challenges
from fittracker.challenges.finishing import Finishing
from fittracker.challenges.membership import Membership
from fittracker.challenges.metrics import shown
from fittracker.challenges.progress import Progress
from fittracker.challenges.ranks import Ranks
from fittracker.clock import Clock
from fittracker.control import Control
from fittracker.follows import Follows
from fittracker.housekeeping import Duty
from fittracker.informing import Informing
from fittracker.mongo import Database, Document
from fittracker.people import People
from fittracker.present import names
from fittracker.roomlog.log import RoomLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What it stands on. `redis` speaks bytes."""

    database: Database
    redis: Redis
    people: People
    follows: Follows
    blocks: Blocks
    control: Control
    announcer: Announcer
    informing: Informing
    room_log: RoomLog
    background: Background
    clock: Clock


class Arena:
    """Challenges, who takes part, what they do, and how they stand."""

    def __init__(self, ground: Ground) -> None:
        database, clock, informing = ground.database, ground.clock, ground.informing
        self._users = database.users
        self._members = database.challenge_members
        self.challenges = Challenges(
            database, ground.people, ground.follows, ground.blocks, ground.control, informing, clock
        )
        self.board = Board(database, ground.redis)
        self.membership = Membership(
            database, self.challenges, self.board, ground.blocks, ground.control, informing, clock
        )
        self.ranks = Ranks(database, self.board, ground.announcer, informing, ground.background, clock)
        self.progress = Progress(
            database, self.challenges, self.board, self.ranks, ground.announcer, informing, clock
        )
        self.finishing = Finishing(database, self.progress, ground.room_log, informing, clock)

    @property
    def duties(self) -> tuple[Duty, ...]:
        """What has to be done while nobody asks for it."""
        return (
            Duty("challenges-finish", 2.0, self.finishing.finish_due),
            Duty("challenges-count", 60.0, self.progress.look_back),
            Duty("boards", 1.0, self.board.mend),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell of boards until the block ends."""
        async with self.ranks.telling.running():
            yield

    async def looks(self, challenge: str, user: str) -> bool:
        """Whether this person may look at a challenge, and so read what was said there."""
        return await self.challenges.may_look(user, challenge)

    async def join(self, user: str, challenge: str) -> Document:
        """Take part (see `Membership.join`); what one has done in its time already counts at once."""
        joined = await self.membership.join(user, challenge)
        await self.progress.recount(joined, user)
        self.ranks.telling.note(challenge)
        return await self.challenges.get(user, challenge)

    async def leave(self, user: str, challenge: str) -> None:
        """Take part no more (see `Membership.leave`)."""
        await self.membership.leave(user, challenge)
        self.ranks.telling.note(challenge)

    async def standings(
        self, viewer: str, challenge: str, first: int, count: int
    ) -> tuple[Stretch, dict[str, str]]:
        """`count` lines of a board from place `first` on (0: the leader), where the viewer stands, and names.

        Final places once it is over. NotFound for a challenge that the viewer may not look at.
        """
        found = await self.challenges.get(viewer, challenge)
        if found["state"] == "finished":
            stretch = await self._final(found, viewer, first, count)
        else:
            stretch = await self.board.read(challenge, first, count, viewer)
        people = {each.user for each in (*stretch.rows, *([stretch.mine] if stretch.mine else ()))}
        return stretch, await names(self._users, people)

    async def _final(self, challenge: Document, viewer: str, first: int, count: int) -> Stretch:
        span = {"$gt": first, "$lte": first + count}
        query = {"challenge": challenge["_id"], "place": span}
        found = self._members.find(query, sort=[("place", 1)])
        rows = [Row(each["place"], each["user"], shown(each["total"])) async for each in found]
        mine = challenge["mine"]
        placed = mine is not None and mine["place"] is not None
        own = Row(mine["place"], viewer, shown(mine["total"])) if placed else None
        return Stretch(rows, own, challenge["participants"])
