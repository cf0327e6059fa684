"""Jobs: work for a person that takes longer than a request, done by whichever worker claims it first.

A claim is a lease. Whoever works says so at every checkpoint, which prolongs it; when a worker dies, its
lease runs out and another one goes on from the last checkpoint. Whoever lost the lease finds out at the next
checkpoint and stops, so what is done between two of them must bear being done twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, Literal

from prometheus_client import Counter
from pymongo import ReturnDocument

from fittracker.clock import Clock
from fittracker.errors import NotFound
from fittracker.ids import is_id, new_id, new_secret
from fittracker.mongo import Database, Document, Session
from fittracker.observability import logger

log = logger(__name__)

claimed = Counter("fittracker_jobs_claimed", "Jobs a worker took on, or took over", ["kind"])
ended = Counter("fittracker_jobs_ended", "Jobs that came to an end", ["kind", "status"])

Kind = Literal["export", "import", "erasure"]
LEASE_S: Final = 60
KEPT: Final = timedelta(days=3)
MOST_ATTEMPTS: Final = 10
"""A job that kills its worker so often will not succeed; without an end to it, it would kill them all."""


class LeaseLost(Exception):  # noqa: N818  it reads as what it is
    """Another worker has the job now, or it was called off: stop."""


class Lease:
    """A job in hand. Only one worker has it at a time."""

    def __init__(self, jobs: Jobs, document: Document) -> None:
        self._jobs = jobs
        self._token = document["lease"]
        self.id: str = document["_id"]
        self.kind: Kind = document["kind"]
        self.user: str = document["user"]
        self.attempt: int = document["attempts"]
        self.detail: Document = document["detail"]
        self.state: Document = document["state"]
        """What earlier checkpoints have written: where to go on."""

    @property
    def mine(self) -> Document:
        """The query that finds the job while it is in our hands."""
        return {"_id": self.id, "lease": self._token, "open": True}

    async def checkpoint(self, progress: float, state: Document) -> None:
        """Keep the lease, and write down how far it has come (0 to 1); LeaseLost where it is another's."""
        self.state = state
        share = min(max(progress, 0.0), 1.0)
        await self._jobs.change(self.mine, {"progress": share, "state": state, **self._jobs.prolonged()})

    async def finish(self, **result: Any) -> None:
        """It is done; the result stays to be read for three days."""
        await self._end({"status": "ready", "progress": 1.0, "result": result})

    async def fail(self, reason: str) -> None:
        """It cannot be done, for a reason that the person is told."""
        await self._end({"status": "failed", "reason": reason})

    async def postpone(self, until: datetime) -> None:
        """Put it back, to be claimed at that time."""
        await self._jobs.change(self.mine, {"status": "queued", "lease": None, "lease_until": until})

    async def drop(self, session: Session | None = None) -> None:
        """It is done, or there is nothing to do, and nobody will ask."""
        await self._jobs.remove(self.mine, session)

    async def _end(self, values: Document) -> None:
        until = self._jobs.now() + KEPT
        change = {**values, "state": {}, "expires_at": until, "lease_until": None}
        await self._jobs.change(self.mine, change, closing=True)
        ended.labels(self.kind, values["status"]).inc()
        log.info("job_ended", job=self.id, kind=self.kind, status=values["status"])


class Jobs:
    """The jobs of all people; at most one of a kind is open for one person."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._jobs = database.jobs
        self._clock = clock

    def now(self) -> datetime:
        """The clock's time."""
        return self._clock.utc()

    async def create(
        self,
        kind: Kind,
        user: str,
        *,
        job_id: str | None = None,
        detail: Document | None = None,
        not_before: datetime | None = None,
        session: Session | None = None,
    ) -> Document:
        """A new job; pymongo's DuplicateKeyError where this person has an open one of the kind."""
        now = self.now()
        job: Document = {
            "_id": job_id or new_id(),
            "kind": kind,
            "user": user,
            "status": "queued",
            "progress": 0.0,
            "open": True,
            "detail": detail or {},
            "state": {},
            "attempts": 0,
            "lease": None,
            "lease_until": not_before or now,
            "created_at": now,
            "schema_version": 1,
        }
        await self._jobs.insert_one(job, session=session)
        return job

    async def get(self, kind: Kind, user: str, job_id: str) -> Document:
        """A job of this person; NotFound for everybody else's, and for what has expired."""
        found = None
        if is_id(job_id):
            query = {"_id": job_id, "user": user, "kind": kind, "expires_at": {"$not": {"$lte": self.now()}}}
            found = await self._jobs.find_one(query)
        if found is None:
            raise NotFound("There is no such job.")
        return found

    async def open_one(self, kind: Kind, user: str) -> Document | None:
        """The job of this kind that is not done yet."""
        return await self._jobs.find_one({"user": user, "kind": kind, "open": True})

    async def call_off(self, kind: Kind, user: str, session: Session | None = None) -> None:
        """Forget the open job of this kind; whoever works on it stops at the next checkpoint."""
        await self._jobs.delete_one({"user": user, "kind": kind, "open": True}, session=session)

    async def postpone(self, kind: Kind, user: str, until: datetime) -> None:
        """Let nobody claim the open job of this kind before that time."""
        await self._jobs.update_one(
            {"user": user, "kind": kind, "open": True, "lease": None}, {"$set": {"lease_until": until}}
        )

    async def claim(self, kind: Kind) -> Lease | None:
        """Take on the job that has been due longest; None where none is."""
        now = self.now()
        found = await self._jobs.find_one_and_update(
            {"kind": kind, "open": True, "lease_until": {"$lte": now}},
            {
                "$set": {"status": "running", "lease": new_secret(), **self.prolonged()},
                "$inc": {"attempts": 1},
            },
            sort=[("lease_until", 1)],
            return_document=ReturnDocument.AFTER,
        )
        if found is None:
            return None
        claimed.labels(kind).inc()
        lease = Lease(self, found)
        if kind != "erasure" and found["attempts"] > MOST_ATTEMPTS:
            log.error("job_given_up", job=lease.id, kind=kind, attempts=found["attempts"])
            await lease.fail("It was tried too often.")
            return await self.claim(kind)
        return lease

    def prolonged(self) -> Document:
        """The fields of a lease that begins anew."""
        return {"lease_until": self.now() + timedelta(seconds=LEASE_S)}

    async def change(self, query: Document, values: Document, *, closing: bool = False) -> None:
        """Set these values where the query still finds the job, else LeaseLost."""
        change: Document = {"$set": values}
        if closing:
            change["$unset"] = {"open": ""}
        done = await self._jobs.update_one(query, change)
        if done.matched_count == 0:
            raise LeaseLost

    async def remove(self, query: Document, session: Session | None = None) -> None:
        """Delete what the query still finds, else LeaseLost."""
        done = await self._jobs.delete_one(query, session=session)
        if done.deleted_count == 0:
            raise LeaseLost
