"""Folding: facts become entries of an inbox, in one transaction with everything that follows from them.

The transactions of one inbox follow each other, because each begins by counting its revision up.
"""

from __future__ import annotations

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
from fittracker.inbox.facts import Facts
from fittracker.inbox.news import NOTIFICATION, READ, WITHDRAWN, News
from fittracker.mongo import Database, Document, Session, transact
from fittracker.preferences import wants

T = TypeVar("T")

BATCH: Final = 100
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

    # -- what happened --------------------------------------------------------------------------------

    async def fold(self, user: str) -> bool:
        """Put a person's new facts into their inbox; whether there were any."""
        some = await self._facts.waiting(user, BATCH)
        if not some:
            return False
        # Asked beside the transaction: a block takes out what comes in at the same moment, see `part`.
        unwanted = await self._blocks.among(user, {each["by"] for each in some if each["by"] is not None})

        async def work(session: Session) -> Document:
            return await self._fold(user, unwanted, session)

        for kind, count in (await self._change(work)).items():
            folded.labels(kind).inc(count)
        return True

    async def _change(self, work: Callable[[Session], Awaitable[T]]) -> T:
        for _ in range(TRIES - 1):
            try:
                return await transact(self._database, work)
            except DuplicateKeyError:
                continue  # two workers made a person's inbox at once
        return await transact(self._database, work)

    async def _fold(self, user: str, unwanted: set[str], session: Session) -> Document:
        revision = await self._revise(user, session)
        some = await self._facts.waiting(user, BATCH, session)
        person = await self._users.find_one({"_id": user}, _PERSON, session=session)
        counts: Document = {}
        groups: dict[tuple[str, str], list[Document]] = {}
        for each in some:
            groups.setdefault(entries.group_of(each), []).append(each)
        for group in groups.values():
            good = [each for each in group if each["by"] not in unwanted]
            if person is None or not good or not await self._grow(person, good, revision, session):
                await self._facts.drop([each["_id"] for each in group], session)
                continue
            left = [each["_id"] for each in group if each not in good]
            await self._facts.drop(left, session)
            counts[good[0]["kind"]] = counts.get(good[0]["kind"], 0) + len(good)
        if revision % TRIM_EVERY == 0:
            await self._trim(user, session)
        return counts

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

    async def _grow(
        self, person: Document, facts: Sequence[Document], revision: int, session: Session
    ) -> bool:
        """Put facts of one group into their entry; False where the person wants them over no channel."""
        kind = facts[0]["kind"]
        seen, mail, push = (wants(person, kind, channel) for channel in ("socket", "mail", "push"))
        mail = mail and self._deliveries.mails(kind)
        if not (seen or mail or push):
            return False
        entry = await self._open(facts[0], shown=seen, session=session)
        people = [each["by"] for each in facts if each["by"] is not None]
        known = await self._facts.known(entry["_id"], people, session)
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
        if push and fresh:
            await self._deliveries.push(entry, session)
        return True

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

    async def withdraw(self, user: str, number: str, *, also_read: bool = False) -> bool:
        """A fact did not happen after all; whether that changed the inbox.

        What the person has read stays as it was, unless `also_read`.
        """

        async def work(session: Session) -> bool:
            fact = await self._facts.find(number, session)
            if fact is None or fact["user"] != user:
                return False
            if fact["state"] == "new":
                await self._facts.take_back(number, session)
                return False
            query: Document = {"_id": fact["entry"]} if also_read else {"_id": fact["entry"], "open": True}
            entry = await self._entries.find_one(query, session=session)
            if fact["state"] != "in" or entry is None:
                return False
            revision = await self._revise(user, session)
            await self._facts.take_back(number, session)
            await self._shrink(entry, fact, revision, session)
            return True

        return await self._change(work)

    async def _shrink(self, entry: Document, fact: Document, revision: int, session: Session) -> None:
        left = await self._facts.newest(entry["_id"], 50, session)
        if not left:
            await self._entries.delete_one({"_id": entry["_id"]}, session=session)
            if entry["shown"]:
                await self._news.add(entry["user"], WITHDRAWN, revision, session, id=entry["_id"])
            return
        by = fact["by"]
        others = by is not None and not await self._facts.known(entry["_id"], [by], session)
        smaller = entries.shrunk(entry, left, fewer_people=int(others), revision=revision)
        await self._entries.replace_one({"_id": entry["_id"]}, smaller, session=session)
        if entry["shown"] and entry["open"]:
            await self._news.add(entry["user"], NOTIFICATION, revision, session, id=entry["_id"])
