"""The inbox: what happened to a person while they were or were not looking, the same on all their devices.

What happened is stored as a fact before anything else; from there it goes into the inbox, to the person's
devices, and by push and mail if they are not looking. Each step is found and done by another worker where
one ends in between. See docs/notifications.md.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import msgspec

from fittracker.blocks import Blocks
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.errors import NotFound
from fittracker.ids import is_id
from fittracker.inbox.deliveries import Deliveries
from fittracker.inbox.entries import Notification, named, text_of
from fittracker.inbox.facts import Facts, fact_id
from fittracker.inbox.folding import BATCH, Folding, Keeping
from fittracker.inbox.news import News
from fittracker.inbox.turns import Turns
from fittracker.mongo import DATABASE_ERRORS, Database, Document, Session
from fittracker.observability import logger
from fittracker.paging import Cursor
from fittracker.preferences import NOTIFICATIONS
from fittracker.present import names
from fittracker.roomlog.log import RoomLog

__all__ = ["Notification", "Notifications", "Page"]

log = logger(__name__)

PATIENCE_S: Final = 5.0
"""So long a caller waits for a fact that is stored to be in the inbox; it gets there anyway."""
MOST_DATA: Final = 2_048
MOST_LOOKED_AFTER: Final = 200


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an inbox, newest first: entries with `text`, `actors` by name, and whether they were `read`.

    `unread`: how many are in the whole inbox, counted at or after its `revision`.
    """

    items: list[Document]
    next_cursor: str | None
    unread: int
    revision: int


class Notifications:
    """The inboxes of all people."""

    def __init__(
        self,
        database: Database,
        room_log: RoomLog,
        blocks: Blocks,
        deliveries: Deliveries,
        clock: Clock,
        *,
        most: int,
        days: int,
    ) -> None:
        self._inbox = database.notifications
        self._users = database.users
        self._facts = Facts(database, clock, days=days)
        self._news = News(database, room_log, clock)
        keeping = Keeping(most, timedelta(days=days))
        self._folding = Folding(database, blocks, self._facts, self._news, deliveries, clock, keeping)
        self._folds = Turns(self._fold, "notifications-fold")
        self._tells = Turns(self._news.tell, "notifications-tell")
        self._deliver: asyncio.Event | None = None
        blocks.when_added(self._part)

    # -- in ------------------------------------------------------------------------------------------

    async def notify(
        self,
        user: str,
        kind: str,
        *,
        event: str,
        key: str,
        by: str | None = None,
        subject: str | None = None,
        data: Mapping[str, Any] | None = None,
        session: Session | None = None,
    ) -> None:
        """Put something into a person's inbox, and tell their devices. When this returns it is not forgotten.

        `kind` is one of `fittracker.preferences.NOTIFICATIONS` (KeyError otherwise), `event` a name such as
        `post.liked`, `by` who caused it, `subject` what it is about (`post:<id>`): while unread, the same
        event of the same subject is one entry. The same `key` for the same person is the same thing, however
        often it is sent. `data`, at most 2 KB as JSON, is shown to the person: no texts that others wrote.
        Nobody hears of what they did themselves, or of whom they blocked or were blocked by.

        With `session` it happened only if the transaction holds; it is in the inbox some seconds later.
        """
        if kind not in NOTIFICATIONS:
            raise KeyError(kind)
        if by == user:
            return
        told = dict(data or {})
        if len(msgspec.json.encode(told)) > MOST_DATA:
            raise ValueError(f"the data of {event} is more than {MOST_DATA} bytes")
        fact = {"user": user, "kind": kind, "event": event, "by": by, "subject": subject, "data": told}
        if await self._facts.store(fact, key, session) and session is None:
            await self._wait(self._folds.ask(user))

    async def withdraw(self, user: str, *, key: str) -> None:
        """What was told with this key did not happen after all: a like was taken back.

        While its entry is unread it disappears, or is one of the others less; what was read stays. Told again
        it is in the inbox again, but is neither pushed nor mailed.
        """
        if await self._folding.withdraw(user, fact_id(user, key)):
            self._tells.ask(user)

    async def _wait(self, turn: asyncio.Future[None]) -> None:
        """The fact is stored: whatever happens to the turn, it comes in."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(turn)
        except (TimeoutError, *DATABASE_ERRORS) as error:
            log.warning("notification_comes_later", reason=type(error).__name__)

    async def _fold(self, user: str) -> None:
        while count := await self._folding.fold(user):
            self._tells.ask(user)
            if self._deliver is not None:
                self._deliver.set()
            if count < BATCH:
                break

    async def _part(self, one: str, other: str, _caller: Caller) -> None:
        """One blocked the other: what either caused in the other's inbox goes, read or not."""
        for user, by in ((one, other), (other, one)):
            if await self._folding.withdraw_all(user, by):
                self._tells.ask(user)

    # -- out -----------------------------------------------------------------------------------------

    async def page(self, user: str, limit: int, cursor: str | None) -> Page:
        """A person's inbox, newest first; each entry with its `text` and its `actors` by name."""
        revision = await self._news.revision(user)
        unread = await self._news.unread(user)
        query = {"user": user, "shown": True}
        items, following = await Cursor("changed_at").page(self._inbox, query, limit, cursor)
        known = await names(self._users, {actor for each in items for actor in each["actors"]})
        shown = [
            {**each, "actors": named(each, known), "text": text_of(each, known), "read": not each["open"]}
            for each in items
        ]
        return Page(shown, following, unread, revision)

    async def read(self, user: str, ids: Sequence[str] | None) -> tuple[int, int]:
        """Mark entries as read, all of them for None, and tell the person's other devices.

        How many are unread now, and at which revision. NotFound where none of the ids is in this inbox;
        those that are not, such as entries that have expired, change nothing. Reading again is no error.
        """
        if ids is not None:
            good = [each for each in ids if is_id(each)]
            mine = {"_id": {"$in": good}, "user": user, "shown": True}
            if await self._inbox.find_one(mine, {"_id": 1}) is None:
                raise NotFound("There is no such notification.")
            ids = good
        if await self._folding.read(user, ids):
            self._tells.ask(user)
        revision = await self._news.revision(user)
        return await self._news.unread(user), revision

    # -- what must not be forgotten --------------------------------------------------------------------

    def when_due(self, deliver: asyncio.Event) -> None:
        """Set this event when something may have to be delivered."""
        self._deliver = deliver

    async def look_after(self) -> None:
        """Take up what a worker left behind that ended, or could not do while something was away."""
        for user in await self._facts.overdue(MOST_LOOKED_AFTER):
            self._folds.ask(user)
        for user in await self._news.overdue(MOST_LOOKED_AFTER):
            self._tells.ask(user)

    async def expire(self) -> int:
        """Forget what devices were told a week ago; how many events. Any number of workers may."""
        return await self._news.expire()

    async def settle(self, user: str) -> None:
        """Wait until this person's devices were told all that this worker knows of."""
        await self._folds.ask(user)
        await self._tells.ask(user)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What is under way at the end of the block is brought to its end, if that does not take long."""
        async with self._tells.running(), self._folds.running():
            yield
