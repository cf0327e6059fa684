"""The board of a challenge: who stands where, in Redis, made out of MongoDB whenever it is missing.

Each entry carries the number of the change that made it, so entries may come in any order: an older one never
replaces a newer one. That is why a board can be filled while it is changed. See docs/decisions/boards.md.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fittracker.challenges.metrics import shown
from fittracker.herd import Herd
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.redis import is_away
from fittracker.roomlog.scripts import Run, Scripts

log = logger(__name__)

SCRIPTS: Final = ("board_put", "board_read", "board_begin", "board_end", "board_news")
LIFE_S: Final = 7 * 86_400
BELIEVED_S: Final = 600
"""So long a board is believed: whatever went wrong in Redis is mended after that."""
BUILD_MS: Final = 30_000
WAIT_S: Final = 0.05
WAITS: Final = 60
GROUP: Final = 500
MOST_PASSED: Final = 200
LAST_MS: Final = 9_999_999_999_999

built = Counter("fittracker_boards_made", "Boards of challenges that were made out of MongoDB")


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands: their total in thousandths, since when (unix ms), and which change that was."""

    challenge: str
    user: str
    total: int
    reached_ms: int
    changes: int
    present: bool

    @classmethod
    def of(cls, member: Mapping[str, Any]) -> Self:
        """Out of a membership."""
        reached = round(member["reached_at"].timestamp() * 1000)
        present = member["left_at"] is None
        return cls(member["challenge"], member["user"], member["total"], reached, member["changes"], present)

    @property
    def entry(self) -> str:
        """The member of the sorted set: of two with the same total, who reached it first is the greater."""
        return f"{LAST_MS - self.reached_ms:013d}:{self.user}" if self.present else ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the board."""

    rank: int
    user: str
    value: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some lines, where one person stands (None: they do not take part), and how many there are."""

    rows: list[Row]
    mine: Row | None
    participants: int


class Board:
    """The boards of all challenges."""

    def __init__(self, database: Database, redis: Redis) -> None:
        """`redis` speaks bytes."""
        self._members = database.challenge_members
        self._redis = redis
        self._scripts = Scripts(redis, Path(__file__).parent, SCRIPTS)
        self._building: Herd[str, None] = Herd(self._make_all)
        self._doubtful: set[str] = set()

    # -- changing ------------------------------------------------------------------------------------

    async def put(self, *standings: Standing) -> None:
        """These have changed. What cannot be told to Redis now makes the board be made anew later."""
        try:
            for answer in await self._scripts.run([_put(each) for each in standings]):
                _check(answer)
        except RedisError as error:
            if not is_away(error):
                raise
            log.warning("board_not_changed", reason=type(error).__name__)
            self._doubtful |= {each.challenge for each in standings}

    async def mend(self) -> int:
        """Make boards be made anew that missed something while Redis was away; how many there were."""
        count = 0
        for each in tuple(self._doubtful):
            try:
                await self._redis.delete(made_key(each))
            except RedisError as error:
                if not is_away(error):
                    raise
                break
            self._doubtful.discard(each)
            count += 1
        return count

    # -- reading -------------------------------------------------------------------------------------

    async def read(self, challenge: str, first: int, count: int, user: str) -> Stretch:
        """`count` lines from place `first` (0: the leader), and where this user stands.

        Out of MongoDB while Redis is away.
        """
        if challenge not in self._doubtful:
            try:
                found = await self._read(challenge, first, count, user)
                if found is None:
                    await self._building.ask(challenge)
                    found = await self._read(challenge, first, count, user)
                if found is not None:
                    return found
            except RedisError as error:
                if not is_away(error):
                    raise
                log.warning("board_out_of_mongodb", reason=type(error).__name__)
        return await self._truth(challenge, first, count, user)

    async def _read(self, challenge: str, first: int, count: int, user: str) -> Stretch | None:
        keys = (ranks_key(challenge), people_key(challenge), made_key(challenge))
        run = Run("board_read", keys, (first, first + count - 1, user))
        (answer,) = await self._scripts.run([run])
        _check(answer)
        if not answer:
            return None
        participants, flat, mine = answer
        rows = [Row(first + place, *each) for place, each in enumerate(pairs(flat), 1)]
        own = Row(int(mine[0]) + 1, user, shown(int(float(mine[1])))) if mine else None
        return Stretch(rows, own, int(participants))

    async def _truth(self, challenge: str, first: int, count: int, user: str) -> Stretch:
        """The same out of MongoDB: slower, and right without Redis."""
        present: Document = {"challenge": challenge, "left_at": None}
        order = [("total", -1), ("reached_at", 1), ("user", -1)]
        found = await self._members.find(present, sort=order, skip=first, limit=count).to_list()
        rows = [Row(first + place, each["user"], shown(each["total"])) for place, each in enumerate(found, 1)]
        mine = await self._members.find_one({**present, "user": user})
        own = None
        if mine is not None:
            own = Row(1 + await self._members.count_documents(_ahead(mine)), user, shown(mine["total"]))
        return Stretch(rows, own, await self._members.count_documents(present))

    # -- making --------------------------------------------------------------------------------------

    async def _make_all(self, challenges: list[str]) -> Mapping[str, None]:
        for each in challenges:
            await self._make(each)
        return dict.fromkeys(challenges)

    async def ensure(self, challenge: str) -> None:
        """Make it where it is missing."""
        await self._building.ask(challenge)

    async def _make(self, challenge: str) -> None:
        """Make it, or wait for whoever does; after a few seconds without success nobody waits any more."""
        token = secrets.token_hex(8)
        keys = (*board_keys(challenge), builder_key(challenge))
        for _ in range(WAITS):
            (answer,) = await self._scripts.run([Run("board_begin", keys, (token, BUILD_MS))])
            _check(answer)
            if answer == b"made":
                return
            if answer == b"yours" and await self._fill(challenge, token):
                built.inc()
                return
            await asyncio.sleep(WAIT_S)

    async def _fill(self, challenge: str, token: str) -> bool:
        """Whether it is whole: Redis may have forgotten some of it while it was filled."""
        group: list[Standing] = []
        async for member in self._members.find({"challenge": challenge, "left_at": None}):
            group.append(Standing.of(member))
            if len(group) >= GROUP:
                await self._fill_in(group)
                group = []
        await self._fill_in(group)
        keys = (made_key(challenge), builder_key(challenge))
        (answer,) = await self._scripts.run([Run("board_end", keys, (token, BELIEVED_S))])
        _check(answer)
        return bool(answer)

    async def _fill_in(self, group: Sequence[Standing]) -> None:
        for answer in await self._scripts.run([_put(each) for each in group]) if group else ():
            _check(answer)

    async def news(self, challenge: str, *, apart_ms: int, most: int, leaders: int, hour: int) -> Any:
        """What has moved since it was last told by any worker (see board_news.lua); None: it is too early."""
        keys = (*board_keys(challenge), f"board:{{{challenge}}}:told", f"board:{{{challenge}}}:noticed")
        (answer,) = await self._scripts.run(
            [Run("board_news", keys, (apart_ms, most, leaders, hour, LIFE_S))]
        )
        _check(answer)
        return None if answer == b"later" else answer


def _put(standing: Standing) -> Run:
    args = (standing.user, standing.changes, standing.total, standing.entry, LIFE_S, MOST_PASSED)
    return Run("board_put", board_keys(standing.challenge), args)


def _ahead(member: Document) -> Document:
    """Who stands before somebody: with more, or with the same sooner."""
    total, reached = member["total"], member["reached_at"]
    return {
        "challenge": member["challenge"],
        "left_at": None,
        "$or": [
            {"total": {"$gt": total}},
            {"total": total, "reached_at": {"$lt": reached}},
            {"total": total, "reached_at": reached, "user": {"$gt": member["user"]}},
        ],
    }


def pairs(flat: Sequence[bytes]) -> list[tuple[str, float]]:
    """Person and value, out of entries and scores one after the other."""
    entries = zip(flat[::2], flat[1::2], strict=True)
    return [(entry.partition(b":")[2].decode(), shown(int(float(score)))) for entry, score in entries]


def _check(answer: Any) -> None:
    if isinstance(answer, RedisError):
        raise answer


def ranks_key(challenge: str) -> str:
    """A sorted set: entries by total."""
    return f"board:{{{challenge}}}:ranks"


def people_key(challenge: str) -> str:
    """A hash: by person the number of the last change, and the entry."""
    return f"board:{{{challenge}}}:people"


def made_key(challenge: str) -> str:
    """The life of the server in which the board was made whole."""
    return f"board:{{{challenge}}}:made"


def builder_key(challenge: str) -> str:
    """Who makes it at the moment."""
    return f"board:{{{challenge}}}:builder"


def board_keys(challenge: str) -> tuple[str, ...]:
    """All that a board consists of, and what of it is to be told."""
    rest = (f"board:{{{challenge}}}:moved", f"board:{{{challenge}}}:passed")
    return (ranks_key(challenge), people_key(challenge), made_key(challenge), *rest)
