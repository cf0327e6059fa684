"""The audit log: who did what to whom, append-only, each entry chained to the one before.

Nobody changes, inserts or removes an entry without breaking the chain (`fittracker.audit_chain`), which
`fittracker audit verify` sees. Whoever may write to the whole database could make all of it anew: that is why
its head is logged from time to time, to where logs are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Self

from prometheus_client import Counter
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from fittracker.audit_chain import GENESIS, chain
from fittracker.background import beside
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.mongo import Database, Document, Session
from fittracker.observability import logger

log = logger("audit")

recorded = Counter("fittracker_security_events", "Entries of the audit log", ["event"])
unrecorded = Counter("fittracker_audit_dropped", "Entries not written because there were too many at once")

EVENTS: Final = frozenset(
    {
        "account.registered",
        "account.verified",
        "account.disabled",
        "account.enabled",
        "account.deletion_requested",
        "account.deletion_undone",
        "account.deleted",
        "login.succeeded",
        "login.failed",
        "login.locked",
        "session.ended",
        "token.reused",
        "password.changed",
        "password.reset_requested",
        "password.reset",
        "email.change_requested",
        "email.changed",
        "totp.enabled",
        "totp.disabled",
        "recovery_code.used",
        "device_token.created",
        "device_token.revoked",
        "role.changed",
        "grant.given",
        "grant.ended",
        "block.added",
        "block.removed",
        "report.made",
        "report.changed",
        "access.denied",
        "admin.looked",
        "admin.sessions_ended",
        "admin.connection_closed",
        "admin.notice",
        "data.exported",
        "data.imported",
        "audit.pruned",
    }
)
"""Everything that is audited; an event that is not here is a mistake of ours."""
BATCH: Final = 500
MOST_WAITING: Final = 5_000
TRIES: Final = 50
RETRY_S: Final = 0.01
DUPLICATE: Final = 11_000


class Audit:
    """The audit log of all workers. Entries get consecutive numbers, which a unique `_id` keeps apart."""

    def __init__(self, database: Database, clock: Clock) -> None:
        # The newest entry is asked for, majority or not: a number that is taken is refused by its `_id`.
        self._entries = database.audit.with_options(read_concern=ReadConcern("local"))
        self._start = database.audit_start
        self._clock = clock
        self._waiting: list[tuple[Document, asyncio.Future[None]]] = []
        self._more = asyncio.Event()

    # -- writing -------------------------------------------------------------------------------------

    async def record(
        self,
        event: str,
        caller: Caller,
        *,
        target: str | None = None,
        session: Session | None = None,
        **detail: Any,
    ) -> None:
        """Write down that something happened; from here on it is stored.

        `target` is the id of the person or thing it was done to. With `session` the entry is a part of that
        transaction; without, it waits for the others of this moment and is written together with them.
        `detail` holds plain values, and nothing personal or secret: the log outlives the account.
        """
        entry = self._entry(event, caller, target, detail)
        if session is not None:
            last = await self._last(session)
            await self._entries.insert_one(chain(entry, last), session=session)
        else:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((entry, done))
            self._more.set()
            await done
        self._tell(entry)

    def note(self, event: str, caller: Caller, *, target: str | None = None, **detail: Any) -> None:
        """The same without waiting, for what anybody may cause at any rate; a flood is cut short."""
        if len(self._waiting) >= MOST_WAITING:
            unrecorded.inc()
            return
        entry = self._entry(event, caller, target, detail)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_heard)
        self._waiting.append((entry, done))
        self._more.set()
        self._tell(entry)

    def _entry(self, event: str, caller: Caller, target: str | None, detail: dict[str, Any]) -> Document:
        if event not in EVENTS:
            raise ValueError(f"{event} is no event of the audit log")
        now = self._clock.utc()
        return {
            "at": now.replace(microsecond=now.microsecond // 1000 * 1000),  # as MongoDB keeps it
            "event": event,
            "actor": caller.user,
            "target": target,
            "address": caller.address,
            "request": caller.request,
            "detail": detail,
        }

    def _tell(self, entry: Document) -> None:
        recorded.labels(entry["event"]).inc()
        log.info(
            entry["event"],
            actor=entry["actor"],
            target=entry["target"],
            address=entry["address"],
            about=entry["detail"],
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Write in the background; what still waits at the end is written before it ends."""
        try:
            async with beside(self._run(), "audit"):
                yield self
        finally:
            while self._waiting and await self._flush():
                pass

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                await self._flush()

    async def _flush(self) -> bool:
        """Write what waits, in order; False where it could not be, which those who wait are told."""
        some, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        try:
            await self._append([entry for entry, _ in some])
        except asyncio.CancelledError:
            self._waiting = some + self._waiting  # the end of the worker: `running` writes them
            raise
        except Exception as error:  # noqa: BLE001  whoever waits is told, whatever it is
            for _, done in some:
                if not done.done():
                    done.set_exception(error)
            log.warning("audit_not_written", entries=len(some), reason=type(error).__name__)
            return False
        for _, done in some:
            if not done.done():
                done.set_result(None)
        return True

    async def _append(self, entries: list[Document]) -> None:
        """Chain them behind the newest; another worker may be quicker, so a few times."""
        for _ in range(TRIES):
            last = await self._last()
            chained: list[Document] = []
            for entry in entries:
                last = chain(entry, last)
                chained.append(last)
            try:
                await self._entries.insert_many(chained, ordered=True)
            except BulkWriteError as error:
                if not _taken(error):
                    raise
                written = int(error.details["nInserted"])
                entries = entries[written:]
                await asyncio.sleep(RETRY_S)
                continue
            return
        raise TimeoutError("the audit log is written by too many at once")

    async def _last(self, session: Session | None = None) -> Document:
        """The newest entry, or what stands for it where there is none."""
        found = await self._entries.find_one({}, {"_id": 1, "hash": 1}, sort=[("_id", -1)], session=session)
        return found or await self._beginning(session)

    async def _beginning(self, session: Session | None = None) -> Document:
        """What the oldest entry follows: nothing, or the last one that retention has taken away."""
        found = await self._start.find_one({"_id": "start"}, session=session)
        return {"_id": found["seq"], "hash": found["hash"]} if found else {"_id": 0, "hash": GENESIS}


def _taken(error: BulkWriteError) -> bool:
    """Whether it failed because another worker has written an entry with that number."""
    return any(each.get("code") == DUPLICATE for each in error.details.get("writeErrors", ()))


def _heard(done: asyncio.Future[None]) -> None:
    """Nobody waits for a note: its failure was logged where it happened."""
    if not done.cancelled():
        done.exception()
