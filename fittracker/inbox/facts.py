"""Facts: what happened to somebody, one document each, whose `_id` follows from the person and the key.

A fact is stored before anything else is done with it. It is `new` until it is in the inbox, `in` from then
on, and `back` when it was taken back before anybody saw it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from fittracker.clock import Clock
from fittracker.mongo import Database, Document, Session

NEW, IN, BACK = "new", "in", "back"
ALONE: Final = timedelta(seconds=5)
"""So long the worker that stored a fact has it to itself; then any other looks after it."""
LEASE: Final = timedelta(seconds=10)


class Folded(Exception):  # noqa: N818  it reads as what happened
    """What was to be put into an inbox is in it already, or was taken back."""


class Facts:
    """The facts of all people."""

    def __init__(self, database: Database, clock: Clock, *, days: int) -> None:
        self._facts = database.notification_facts
        self._clock = clock
        self._kept = timedelta(days=days)

    async def store(self, fact: Mapping[str, Any], key: str, session: Session | None) -> bool:
        """Keep a fact; whether it is to be put into the inbox, which it is not where it is there already.

        With `session` it is there only if the transaction holds, and is put in by whoever looks next.
        """
        now = self._clock.utc()
        number = fact_id(str(fact["user"]), key)
        document: Document = {
            **fact,
            "state": NEW,
            "entry": None,
            "again": False,
            "at": now,
            "next_at": now if session else now + ALONE,
            "expires_at": now + self._kept,
            "schema_version": 1,
        }
        if await self._insert(number, document, session):
            return True
        # Taken back and done again: it is in the inbox again, and nobody is woken for it a second time.
        anew = {**document, "again": True}
        revived = await self._facts.update_one(
            {"_id": number, "state": BACK}, {"$set": anew}, session=session
        )
        if revived.modified_count:
            return True
        waiting = {"_id": number, "state": NEW}
        return await self._facts.find_one(waiting, {"_id": 1}, session=session) is not None

    async def _insert(self, number: str, document: Document, session: Session | None) -> bool:
        """Inserting would end a transaction where the fact is there; an upsert finds it."""
        try:
            made = await self._facts.update_one(
                {"_id": number}, {"$setOnInsert": document}, upsert=True, session=session
            )
        except DuplicateKeyError:
            if session is not None:
                raise  # its transaction is over
            return False  # another request made it at the same moment
        return made.upserted_id is not None

    async def waiting(self, user: str, most: int) -> list[Document]:
        """A person's new facts, oldest first."""
        query = {"user": user, "state": NEW}
        return await self._facts.find(query, sort=[("at", 1)], limit=most).to_list()

    async def overdue(self, most: int) -> list[str]:
        """People with facts that nobody has put into their inbox; for a while they are this worker's."""
        now = self._clock.utc()
        due: Document = {"state": NEW, "next_at": {"$lte": now}}
        found = await self._facts.find(due, {"user": 1}, sort=[("next_at", 1)], limit=most).to_list()
        users = list(dict.fromkeys(each["user"] for each in found))
        if users:
            lease = {"$set": {"next_at": now + LEASE}}
            await self._facts.update_many({**due, "user": {"$in": users}}, lease)
        return users

    async def settle(self, ids: list[str], entry: str, session: Session) -> None:
        """These are in the inbox now, in this entry; Folded where another worker was quicker."""
        change = {"$set": {"state": IN, "entry": entry}}
        settled = await self._facts.update_many({"_id": {"$in": ids}, "state": NEW}, change, session=session)
        if settled.modified_count != len(ids):
            raise Folded

    async def drop(self, ids: list[str], session: Session) -> None:
        """Nobody is to hear of these."""
        await self._facts.delete_many({"_id": {"$in": ids}}, session=session)

    async def known(self, entry: str, people: list[str], session: Session) -> set[str]:
        """Those of the people who have a fact in the entry already."""
        query = {"entry": entry, "state": IN, "by": {"$in": people}}
        return {each["by"] async for each in self._facts.find(query, {"by": 1}, session=session)}

    async def newest(self, entry: str, most: int, session: Session) -> list[Document]:
        """The newest facts of an entry."""
        query = {"entry": entry, "state": IN}
        return await self._facts.find(query, sort=[("at", -1)], limit=most, session=session).to_list()

    async def find(self, number: str, session: Session) -> Document | None:
        """One fact."""
        found: Document | None = await self._facts.find_one({"_id": number}, session=session)
        return found

    async def take_back(self, number: str, session: Session) -> None:
        """It did not happen after all."""
        change = {"$set": {"state": BACK, "entry": None}}
        await self._facts.update_one({"_id": number}, change, session=session)

    async def take_back_waiting(self, user: str, other: str) -> None:
        """What that other one did to this person and is in no inbox yet does not get there."""
        await self._facts.update_many({"user": user, "by": other, "state": NEW}, {"$set": {"state": BACK}})

    async def entries_with(self, user: str, other: str) -> list[str]:
        """The entries of this person in which there is something that the other one did."""
        return await self._facts.distinct("entry", {"user": user, "by": other, "state": IN})

    async def take_back_by(self, entry: str, other: str, session: Session) -> int:
        """Nothing of what that one did is in the entry any more; how many facts there were."""
        query = {"entry": entry, "state": IN, "by": other}
        taken = await self._facts.update_many(
            query, {"$set": {"state": BACK, "entry": None}}, session=session
        )
        return taken.modified_count


def fact_id(user: str, key: str) -> str:
    """The same for the same person and key: 24 hexadecimal digits."""
    return hashlib.sha256(f"{user} {key}".encode()).hexdigest()[:24]


def newest_first(facts: list[Document]) -> list[Document]:
    """Facts by when they happened, the newest first."""
    return sorted(facts, key=_at, reverse=True)


def _at(fact: Document) -> datetime:
    at: datetime = fact["at"]
    return at
