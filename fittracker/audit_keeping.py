"""How long the audit log is kept, and how it is checked.

What is older than `days` is removed from the beginning. Where the rest begins is written down beside it, and
is an entry of the log itself (`audit.pruned`), in the transaction that removes. So the rest still verifies,
and what somebody else removed is missed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from fittracker.audit import Audit
from fittracker.audit_chain import GENESIS, Fault, Head, first_fault
from fittracker.caller import SYSTEM
from fittracker.clock import Clock
from fittracker.mongo import Database, Session, transact
from fittracker.observability import logger

log = logger("audit")

BATCH: Final = 1_000
"""So many are removed in one transaction."""


class AuditKeeping:
    """Looks after the audit log; every worker may, they do not get in each other's way."""

    def __init__(self, database: Database, audit: Audit, clock: Clock, *, days: int) -> None:
        self._database = database
        self._entries = database.audit
        self._start = database.audit_start
        self._audit = audit
        self._clock = clock
        self._days = days
        self._told = 0

    # -- retention -----------------------------------------------------------------------------------

    async def prune(self) -> int:
        """Remove what is older than it has to be kept, always leaving the newest entry; how many were."""
        before = self._clock.utc() - timedelta(days=self._days)
        removed = 0
        while count := await transact(self._database, lambda session: self._prune_some(before, session)):
            removed += count
        return removed

    async def _prune_some(self, before: datetime, session: Session) -> int:
        # One more than are removed: something always stays, for the next entry to follow.
        oldest = self._entries.find(
            {}, {"at": 1, "hash": 1}, sort=[("_id", 1)], limit=BATCH + 1, session=session
        )
        # Up to the first that is young enough: the clocks of two workers may differ, the numbers do not.
        old = list(takewhile(lambda each: each["at"] < before, (await oldest.to_list())[:-1]))
        if not old:
            return 0
        last = old[-1]
        await self._entries.delete_many({"_id": {"$lte": last["_id"]}}, session=session)
        beginning = {"seq": last["_id"], "hash": last["hash"]}
        await self._start.replace_one({"_id": "start"}, beginning, upsert=True, session=session)
        await self._audit.record("audit.pruned", SYSTEM, session=session, **beginning)
        return len(old)

    async def look_after(self) -> None:
        """What is due now and then: remove what is old, log the head."""
        await self.prune()
        await self.announce()

    # -- checking ------------------------------------------------------------------------------------

    async def verify(self, known: Head | None = None) -> Fault | Head:
        """Follow the whole log; its head where all is well, else the first entry that is not.

        `known`: a head that was noted earlier, in a place whoever changed the log could not reach.
        """
        start = await self._beginning()
        if isinstance(start, Fault):
            return start
        entries = self._entries.find({}, sort=[("_id", 1)], batch_size=BATCH)
        found = await first_fault(entries, start)
        if isinstance(found, Head) and known is not None and known.seq > start.seq:
            there = await self._entries.find_one({"_id": known.seq}, {"hash": 1})
            if there is None or there["hash"] != known.hash:
                return Fault(known.seq, "is not the one that was noted")
        return found

    async def _beginning(self) -> Head | Fault:
        """What the oldest entry follows. That something was removed must be an entry itself."""
        start = await self._start.find_one({"_id": "start"})
        if start is None:
            return Head(0, GENESIS)
        beginning = {"seq": start["seq"], "hash": start["hash"]}
        pruned = await self._entries.find_one({"event": "audit.pruned", "detail": beginning}, {"_id": 1})
        if pruned is None:
            return Fault(start["seq"], "was removed by nobody")
        return Head(start["seq"], start["hash"])

    async def announce(self) -> None:
        """Log the head, where it has moved since: a copy of the log's seal outside of the database."""
        newest = await self._entries.find_one({}, {"hash": 1}, sort=[("_id", -1)])
        if newest is not None and newest["_id"] != self._told:
            self._told = newest["_id"]
            log.info("audit_head", head=str(Head(newest["_id"], newest["hash"])))
