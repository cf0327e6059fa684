"""Folding: facts become entries of an inbox, in one transaction with everything that follows from them.

The transactions of one inbox follow each other, because each begins by counting its revision up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from prometheus_client import Counter
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from fittracker.blocks import Blocks
from fittracker.clock import Clock
from fittracker.inbox import entries
from fittracker.inbox.deliveries import Deliveries
from fittracker.inbox.facts import Facts, Folded
from fittracker.inbox.news import NOTIFICATION, READ, WITHDRAWN, News
from fittracker.mongo import Database, Document, Session, transact
from fittracker.preferences import CHANNELS, wants

T = TypeVar("T")

BATCH: Final = 100
AT_ONCE: Final = 10
"""So many inboxes a worker changes at the same time; more would only wait for each other in the database."""
TRIES: Final = 3
TRIM_EVERY: Final = 20
"""So many revisions after the last time an inbox is cut to its size; it may be larger by so much."""
_PERSON: Final = {"preferences": 1}

folded = Counter("fittracker_notifications", "Notifications put into inboxes", ["kind"])


@dataclass(frozen=True, slots=True)
class Keeping:
    """How much of an inbox is kept: so many entries, for so long."""

    most: int
    time: timedelta


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose inbox it is, of whom they want to hear nothing, and whether a browser of theirs is pushed to."""

    user: str
    person: Document | None
    unwanted: set[str]
    pushed: bool

    def over(self, kind: str, channel: str) -> bool:
        """Whether they want this kind over this channel; somebody who is gone wants nothing."""
        return self.person is not None and wants(self.person, kind, channel)

    def wants(self, fact: Mapping[str, Any]) -> bool:
        """Whether they are to hear of it at all."""
        heard = any(self.over(fact["kind"], channel) for channel in CHANNELS)
        return heard and fact["by"] not in self.unwanted


class Folding:
    """Changes the inboxes of all people."""

    def __init__(
        self,
        database: Database,
        blocks: Blocks,
        facts: Facts,
        news: News,
        deliveries: Deliveries,
        clock: Clock,
        keeping: Keeping,
    ) -> None:
        self._database = database
        self._entries = database.notifications
        self._inboxes = database.inboxes
        self._users = database.users
        self._blocks = blocks
        self._facts = facts
        self._news = news
        self._deliveries = deliveries
        self._clock = clock
        self._keeping = keeping
        self._at_once = asyncio.Semaphore(AT_ONCE)

    # -- what happened --------------------------------------------------------------------------------

    async def fold(self, user: str) -> int:
        """Put a person's new facts into their inbox; how many were looked at, `BATCH` at most."""
        async with self._at_once:
            some = await self._facts.waiting(user, BATCH)
            if not some:
                return 0
            reader = await self._reader(user, some)

            async def work(session: Session) -> None:
                await self._fold(reader, some, session)

            try:
                await self._change(work)
            except Folded:
                return BATCH  # by another worker, at the same moment: there may be others
        for each in some:
            folded.labels(each["kind"]).inc()
        return len(some)

    async def _reader(self, user: str, facts: Sequence[Document]) -> Reader:
        """Whose they are, asked beside the transaction: a block that is made now takes them out again."""
        others = {each["by"] for each in facts if each["by"] is not None}
        person, unwanted, pushed = await asyncio.gather(
            self._users.find_one({"_id": user}, _PERSON),
            self._blocks.among(user, others),
            self._deliveries.reaches(user),
        )
        return Reader(user, person, unwanted, pushed)

    async def _change(self, work: Callable[[Session], Awaitable[T]]) -> T:
        for _ in range(TRIES - 1):
            try:
                return await transact(self._database, work)
            except DuplicateKeyError:
                continue  # two workers made a person's inbox at once
        return await transact(self._database, work)

    async def _fold(self, reader: Reader, facts: Sequence[Document], session: Session) -> None:
        revision = await self._revise(reader.user, session)
        groups: dict[tuple[str, str], list[Document]] = {}
        unwanted = []
        for each in facts:
            if reader.wants(each):
                groups.setdefault(entries.group_of(each), []).append(each)
            else:
                unwanted.append(each["_id"])
        for group in groups.values():
            await self._grow(reader, group, revision, session)
        if unwanted:
            await self._facts.drop(unwanted, session)
        if revision % TRIM_EVERY == 0:
            await self._trim(reader.user, session)

    async def _revise(self, user: str, session: Session) -> int:
        found: Document = await self._inboxes.find_one_and_update(  # type: ignore[assignment]
            {"_id": user},
            {"$inc": {"revision": 1}, "$setOnInsert": {"schema_version": 1}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        revision: int = found["revision"]
        return revision

    async def _grow(self, reader: Reader, facts: Sequence[Document], revision: int, session: Session) -> None:
        """Put facts of one group into their entry, and see to it that it is told, mailed and pushed."""
        seen, mail, push = (reader.over(facts[0]["kind"], channel) for channel in CHANNELS)
        mail = mail and self._deliveries.mails(facts[0]["kind"])
        entry = await self._open(facts[0], shown=seen, session=session)
        people = [each["by"] for each in facts if each["by"] is not None]
        known = await self._facts.known(entry["_id"], people, session) if entry["count"] else set()
        entry = entries.grown(entry, facts, known, revision=revision, kept=self._keeping.time)
        # What was taken back and done again wakes nobody.
        fresh = not all(each["again"] for each in facts)
        entry["to_mail"] = entry["to_mail"] or (mail and fresh)
        await self._entries.replace_one({"_id": entry["_id"]}, entry, upsert=True, session=session)
        await self._facts.settle([each["_id"] for each in facts], entry["_id"], session)
        if seen:
            await self._news.add(entry["user"], NOTIFICATION, revision, session, id=entry["_id"])
        if mail and fresh:
            await self._deliveries.mail(entry, session)
        if push and reader.pushed and fresh:
            await self._deliveries.push(entry, session)

    async def _open(self, fact: Mapping[str, Any], *, shown: bool, session: Session) -> Document:
        """The unread entry that a fact belongs to, or a new one."""
        if fact["subject"] is not None:
            query = {"user": fact["user"], "open": True, "shown": shown}
            of = {"event": fact["event"], "subject": fact["subject"]}
            found = await self._entries.find_one({**query, **of}, session=session)
            if found is not None:
                return found
        return entries.begun(fact, shown=shown, kept=self._keeping.time)

    async def _trim(self, user: str, session: Session) -> None:
        """The oldest go where there are too many, read or not."""
        for shown in (True, False):
            query = {"user": user, "shown": shown}
            newest = [("changed_at", -1), ("_id", -1)]
            old = self._entries.find(query, {"_id": 1}, sort=newest, skip=self._keeping.most, session=session)
            ids = [each["_id"] async for each in old]
            if ids:
                await self._entries.delete_many({"_id": {"$in": ids}}, session=session)

    # -- what was read, and what did not happen after all -----------------------------------------------

    async def read(self, user: str, ids: Sequence[str] | None) -> int:
        """Entries were read, all of them for None; how many of them were unread."""

        async def work(session: Session) -> int:
            query: Document = {"user": user, "open": True, "shown": True}
            if ids is not None:
                query["_id"] = {"$in": list(ids)}
            found = [each["_id"] async for each in self._entries.find(query, {"_id": 1}, session=session)]
            if not found:
                return 0
            revision = await self._revise(user, session)
            closed = {"open": False, "read_at": self._clock.utc(), "to_mail": False}
            await self._entries.update_many({"_id": {"$in": found}}, {"$set": closed}, session=session)
            told = [] if ids is None else found
            await self._news.add(user, READ, revision, session, ids=told, all=ids is None)
            return len(found)

        return await self._change(work)

    async def withdraw(self, user: str, number: str) -> bool:
        """A fact did not happen after all; whether that changed the inbox.

        What the person has read stays as it was.
        """

        async def work(session: Session) -> bool:
            fact = await self._facts.find(number, session)
            if fact is None or fact["user"] != user:
                return False
            if fact["state"] == "new":
                await self._facts.take_back(number, session)
                return False
            entry = await self._entries.find_one({"_id": fact["entry"], "open": True}, session=session)
            if fact["state"] != "in" or entry is None:
                return False
            revision = await self._revise(user, session)
            await self._facts.take_back(number, session)
            await self._shrink(entry, fact["by"], 1, revision, session)
            return True

        return await self._change(work)

    async def withdraw_all(self, user: str, by: str) -> bool:
        """What somebody caused in an inbox is in it no more, read or not; whether that changed it.

        However much it was, a transaction takes a hundred entries: whoever is pestered gets rid of it.
        """
        await self._facts.take_back_waiting(user, by)
        known = {"_id": {"$in": await self._facts.entries_with(user, by)}}
        some = [each["_id"] async for each in self._entries.find(known, {"_id": 1})]
        for first in range(0, len(some), BATCH):
            await self._withdraw_from(user, by, some[first : first + BATCH])
        return bool(some)

    async def _withdraw_from(self, user: str, by: str, some: Sequence[str]) -> None:
        async def work(session: Session) -> None:
            revision = await self._revise(user, session)
            for each in some:
                entry = await self._entries.find_one({"_id": each}, session=session)
                count = await self._facts.take_back_by(each, by, session)
                if entry is not None and count:
                    await self._shrink(entry, by, count, revision, session)

        await self._change(work)

    async def _shrink(
        self, entry: Document, by: str | None, fewer: int, revision: int, session: Session
    ) -> None:
        left = await self._facts.newest(entry["_id"], 50, session)
        if not left:
            await self._entries.delete_one({"_id": entry["_id"]}, session=session)
            if entry["shown"]:
                await self._news.add(entry["user"], WITHDRAWN, revision, session, id=entry["_id"])
            return
        others = by is not None and not await self._facts.known(entry["_id"], [by], session)
        smaller = entries.shrunk(entry, left, fewer=fewer, fewer_people=int(others), revision=revision)
        await self._entries.replace_one({"_id": entry["_id"]}, smaller, session=session)
        if entry["shown"] and entry["open"]:
            await self._news.add(entry["user"], NOTIFICATION, revision, session, id=entry["_id"])
