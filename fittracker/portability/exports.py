"""Exports: a person asks for what they own, a worker gathers it, and it waits three days to be fetched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from pymongo.errors import DuplicateKeyError

from fittracker.audit import Audit
from fittracker.belongings import PROFILE
from fittracker.caller import Caller
from fittracker.clock import Clock, rfc3339
from fittracker.errors import Conflict
from fittracker.job_files import JobFiles
from fittracker.jobs import KEPT, Jobs, Lease, LeaseLost
from fittracker.limits import Bucket, Limits
from fittracker.mail import Mail
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.portability.assembly import Assembly, State, from_document
from fittracker.portability.sources import EXPORTED, Sources
from fittracker.roomlog.record import Envelope

log = logger(__name__)

A_DAY: Final = 5
"""So many exports a person may begin a day."""


class Exports:
    """The exports of all people."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        files: JobFiles,
        limits: Limits,
        audit: Audit,
        mail: Mail,
        clock: Clock,
        envelope: Envelope,
        *,
        origin: str,
    ) -> None:
        self._database = database
        self._users = database.users
        self._jobs = jobs
        self._files = files
        self._limits = limits
        self._audit = audit
        self._mail = mail
        self._clock = clock
        self._origin = origin
        self._sources = Sources(database, envelope)

    # -- asking --------------------------------------------------------------------------------------

    async def ask(self, user: str, caller: Caller) -> Document:
        """Begin an export; the one that is on its way, where there is one. RateLimited after five a day."""
        running = await self._jobs.open_one("export", user)
        if running is not None:
            return running
        await self._limits.spend(Bucket("export", user, A_DAY, 86_400.0))

        async def work(session: Session) -> Document:
            job = await self._jobs.create("export", user, session=session)
            await self._audit.record("data.exported", caller, target=user, session=session, job=job["_id"])
            return job

        try:
            return await transact(self._database, work)
        except DuplicateKeyError:  # asked for twice at this very moment
            return await self._jobs.open_one("export", user) or await self.ask(user, caller)

    async def get(self, user: str, job_id: str) -> Document:
        """How far it has come; NotFound for others' and for what has expired."""
        return await self._jobs.get("export", user, job_id)

    async def fetch(self, user: str, job_id: str) -> tuple[Document, AsyncIterator[bytes]]:
        """The job and the bytes of its zip; Conflict while it is not ready."""
        job = await self.get(user, job_id)
        if job["status"] != "ready":
            raise Conflict("The export is not ready.")
        return job, self._files.read(job_id)

    # -- working -------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Do what waits, one export after the other."""
        while (lease := await self._jobs.claim("export")) is not None:
            try:
                await self._make(lease)
            except LeaseLost:
                log.info("export_left", job=lease.id)

    async def _make(self, lease: Lease) -> None:
        person = await self._users.find_one({"_id": lease.user, "disabled_at": None}, {"email": 1})
        if person is None:
            await lease.fail("The account is closed.")
            return
        assembly = Assembly(lease, self._files, await self._begin(lease))
        state = assembly.state
        for source in EXPORTED[state.source :]:
            async for key, row in self._sources.rows(source, lease.user, state.after):
                if source is PROFILE:
                    state.after = key
                    await assembly.whole(f"{source.exported}.json", row)
                else:
                    await assembly.add(source.exported, key, row)
            await assembly.turn(source.exported)
        size = await assembly.close()
        until = rfc3339(self._clock.utc() + KEPT)
        # Before the end is written down: a mail that comes twice is better than one that never comes.
        link = f"{self._origin}/export?id={lease.id}"
        await self._mail.queue(person["email"], "export_ready", link=link, until=until)
        await lease.finish(size=size, rows=state.rows)

    async def _begin(self, lease: Lease) -> State:
        if lease.state:
            return from_document(lease.state)
        return State(made_at=self._clock.utc(), total=await self._sources.count(lease.user))
