"""Blocks: somebody wants nothing to do with somebody else. Whoever made it, it holds in both directions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final

from pymongo.errors import DuplicateKeyError

from fittracker.audit import Audit
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.control import Blocked, Control
from fittracker.errors import Invalid, NotFound, TooLarge
from fittracker.ids import is_id, new_id
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.paging import Cursor
from fittracker.present import is_present, names
from fittracker.redis import OUTAGES

log = logger(__name__)

MOST: Final = 1_000
Listener = Callable[[str, str, Caller], Awaitable[None]]


class Blocks:
    """Who blocked whom. The other one is never told."""

    def __init__(self, database: Database, control: Control, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._blocks = database.blocks
        self._users = database.users
        self._control = control
        self._audit = audit
        self._clock = clock
        self._listeners: list[Listener] = []

    def when_added(self, listener: Listener) -> None:
        """Call `listener(one, other, caller)` after a block, before the other workers hear of it.

        In the order in which they were named; each must bear being called again for the same two.
        """
        self._listeners.append(listener)

    # -- asking --------------------------------------------------------------------------------------

    async def between(self, one: str, other: str, session: Session | None = None) -> bool:
        """Whether one of the two has blocked the other."""
        pairs = [{"user": one, "other": other}, {"user": other, "other": one}]
        return await self._blocks.find_one({"$or": pairs}, {"_id": 1}, session=session) is not None

    async def among(self, user: str, others: Collection[str]) -> set[str]:
        """Those of the others who blocked this person, or whom this person blocked."""
        some = {"$in": list(others)}
        found = self._blocks.find(
            {"$or": [{"user": user, "other": some}, {"other": user, "user": some}]}, {"user": 1, "other": 1}
        )
        return {each["other"] if each["user"] == user else each["user"] async for each in found}

    async def pairs(self, some: Collection[str], others: Collection[str]) -> set[tuple[str, str]]:
        """Pairs of one of some and one of the others, one of whom blocked the other."""
        ones, twos = {"$in": list(some)}, {"$in": list(others)}
        found = self._blocks.find(
            {"$or": [{"user": ones, "other": twos}, {"user": twos, "other": ones}]},
            {"_id": 0, "user": 1, "other": 1},
        )
        pairs: set[tuple[str, str]] = set()
        async for each in found:
            pairs |= {(each["user"], each["other"]), (each["other"], each["user"])}
        return pairs

    async def page(self, user: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """Whom this person blocked, newest first, each with `name` ("" for who is gone); the next cursor."""
        found, following = await Cursor("created_at").page(self._blocks, {"user": user}, limit, cursor)
        return await self._named(found), following

    # -- blocking and unblocking ---------------------------------------------------------------------

    async def add(self, user: str, other: str, caller: Caller) -> Document:
        """Block somebody; again is the same. What the two shared ends: see `when_added`.

        NotFound where there is nobody, Invalid for oneself, TooLarge from 1,000 on.
        """
        if other == user:
            raise Invalid("Nobody can block themselves.", fields={"user": "is yourself"})
        if not await is_present(self._users, other):
            raise NotFound("There is no such person.")

        async def work(session: Session) -> None:
            await self._add(user, other, caller, session)

        try:
            await transact(self._database, work)
        except DuplicateKeyError:
            log.debug("blocked_twice_at_once")  # the other request made it
        for listener in self._listeners:
            await listener(user, other, caller)
        await self._tell(user, other)
        made = await self._blocks.find_one({"user": user, "other": other})
        if made is None:
            raise NotFound("The block was removed meanwhile.")
        return (await self._named([made]))[0]

    async def _add(self, user: str, other: str, caller: Caller, session: Session) -> None:
        """Transactions that write the audit log follow each other, so the count is exact."""
        pair = {"user": user, "other": other}
        if await self._blocks.find_one(pair, {"_id": 1}, session=session) is not None:
            return
        if await self._blocks.count_documents({"user": user}, session=session) >= MOST:
            raise TooLarge(f"Nobody can block more than {MOST:,} people.")
        block = {"_id": new_id(), **pair, "created_at": self._clock.utc(), "schema_version": 1}
        await self._blocks.insert_one(block, session=session)
        await self._audit.record("block.added", caller, target=other, session=session)

    async def remove(self, user: str, other: str, caller: Caller) -> None:
        """Take a block back; NotFound where there is none. What ended with it does not come back."""

        async def work(session: Session) -> bool:
            gone = await self._blocks.delete_one({"user": user, "other": other}, session=session)
            if gone.deleted_count:
                await self._audit.record("block.removed", caller, target=other, session=session)
            return bool(gone.deleted_count)

        if not (is_id(other) and await transact(self._database, work)):
            raise NotFound("You have not blocked this person.")

    async def _named(self, blocks: list[Document]) -> list[Document]:
        known = await names(self._users, [each["other"] for each in blocks])
        for each in blocks:
            each["name"] = known.get(each["other"], "")
        return blocks

    async def _tell(self, one: str, other: str) -> None:
        try:
            await self._control.tell(Blocked(one, other))
        except OUTAGES:
            log.warning("block_not_told", user=one, other=other)
