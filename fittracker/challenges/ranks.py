"""Who moves on a board, told as it changes: a few times a second, whatever the number of those who move."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from redis.exceptions import RedisError

from fittracker.announcer import Announcer
from fittracker.background import Background
from fittracker.challenges.board import Board, pairs
from fittracker.challenges.metrics import shown
from fittracker.clock import Clock
from fittracker.conflated import Conflated
from fittracker.informing import Informing
from fittracker.mongo import DATABASE_ERRORS, Database
from fittracker.observability import logger
from fittracker.present import names
from fittracker.redis import is_away

log = logger(__name__)

RANKED: Final = "challenge.rank"
APART_S: Final = 0.3
"""A challenge is told of by all workers together at most so often."""
MOST_CHANGES: Final = 50
LEADERS: Final = 10


class Place(msgspec.Struct):
    """Where somebody stands; `was`: where they stood when it was last told (null: nowhere, or not known)."""

    rank: int
    user: str
    name: str
    value: float
    was: int | None = None


class Ranked(msgspec.Struct):
    """The board of a challenge has changed.

    In its room: the leaders, and everybody whose own value has changed; where `complete` is false these are
    too many to tell, and the board has to be asked for. To a person who was overtaken: where they stand now,
    and by whom.
    """

    challenge: str
    participants: int
    leaders: list[Place]
    changes: list[Place]
    complete: bool
    overtaken_by: str | None = None


class Ranks:
    """Tells of boards."""

    def __init__(
        self,
        database: Database,
        board: Board,
        announcer: Announcer,
        informing: Informing,
        background: Background,
        clock: Clock,
    ) -> None:
        self._users = database.users
        self._board = board
        self._announcer = announcer
        self._informing = informing
        self._background = background
        self._clock = clock
        self.telling = Conflated("ranks", self._tell_all, apart_s=APART_S)

    async def _tell_all(self, challenges: set[str]) -> None:
        for each in challenges:
            try:
                told = await self._tell(each)
            except (RedisError, *DATABASE_ERRORS) as error:
                if not isinstance(error, DATABASE_ERRORS) and not is_away(error):
                    raise
                log.warning("ranks_not_told", challenge=each, reason=type(error).__name__)
                continue
            if not told:
                self.telling.note(each)  # another worker has just told: what has moved since is still to be

    async def _tell(self, challenge: str) -> bool:
        """False where it is too early."""
        hour = self._clock.now_ms() // 3_600_000
        news = await self._board.news(
            challenge, apart_ms=round(APART_S * 1000), most=MOST_CHANGES, leaders=LEADERS, hour=hour
        )
        if news is None:
            return False
        if not news:
            await self._tell_afresh(challenge)
            return True
        participants, complete, flat, moved, passed = news
        leading = pairs(flat)
        changes = [_row(each) for each in moved if each[2]]
        overtaken = [
            (_row((each[0], b"", *each[2:4])), each[1].decode(), bool(each[4])) for each in passed if each[2]
        ]
        people = [*(user for user, _ in leading), *(each.user for each in changes)]
        known = await names(self._users, [*people, *(row.user for row, _, _ in overtaken)])
        leaders = [Place(rank, user, "", value) for rank, (user, value) in enumerate(leading, 1)]
        for row in (*leaders, *changes, *(row for row, _, _ in overtaken)):
            row.name = known.get(row.user, "")
        if moved or not complete:
            event = Ranked(challenge, participants, leaders, changes, bool(complete))
            self._announcer.tell(f"challenge:{challenge}", RANKED, event)
        for row, by, _ in overtaken:
            told = Ranked(challenge, participants, [], [row], True, by)
            self._announcer.tell(f"user:{row.user}", RANKED, told)
        news = [(row.user, by) for row, by, fresh in overtaken if fresh]
        if news:
            # One piece of work: whoever passes two hundred must not push what others do into the background.
            self._background.spawn(self._inform_all(challenge, news, hour), "overtaken")
        return True

    async def _tell_afresh(self, challenge: str) -> None:
        """The board was missing, and with it what had been told before."""
        await self._board.ensure(challenge)
        stretch = await self._board.read(challenge, 0, LEADERS, "")
        known = await names(self._users, [each.user for each in stretch.rows])
        leaders = [Place(each.rank, each.user, known.get(each.user, ""), each.value) for each in stretch.rows]
        event = Ranked(challenge, stretch.participants, leaders, [], complete=False)
        self._announcer.tell(f"challenge:{challenge}", RANKED, event)

    async def _inform_all(self, challenge: str, news: Sequence[tuple[str, str]], hour: int) -> None:
        await asyncio.gather(*(self._inform(challenge, user, by, hour) for user, by in news))

    async def _inform(self, challenge: str, user: str, by: str, hour: int) -> None:
        """At most once an hour: in a close race two overtake each other all the time."""
        await self._informing.tell(
            user,
            "challenge",
            event="challenge.overtaken",
            key=f"challenge.overtaken {challenge} {hour}",
            by=by,
            subject=f"challenge:{challenge}",
        )


def _row(fields: Sequence[Any]) -> Place:
    user, was, rank, value = fields
    return Place(int(rank), user.decode(), "", shown(int(float(value))), int(was) if was else None)
