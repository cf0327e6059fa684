"""Imports: a person hands in an export of some account, and what is not there yet is taken in."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Final

from pymongo.errors import DuplicateKeyError

from fittracker.audit import Audit
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.errors import Conflict, Invalid, TooLarge
from fittracker.ids import new_id
from fittracker.job_files import CHUNK_BYTES, JobFiles
from fittracker.jobs import Jobs, Lease, LeaseLost
from fittracker.limits import Bucket, Limits
from fittracker.measurements import Measurements
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.portability.import_run import ImportRun
from fittracker.portability.opening import NotOurs, Opened
from fittracker.users import Users
from fittracker.workouts import Workouts

log = logger(__name__)

A_DAY: Final = 20
"""So many imports a person may begin a day."""
MAGIC: Final = b"PK\x03\x04"


class Imports:
    """The imports of all people."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        files: JobFiles,
        limits: Limits,
        audit: Audit,
        users: Users,
        workouts: Workouts,
        measurements: Measurements,
        clock: Clock,
        *,
        most_bytes: int,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._files = files
        self._limits = limits
        self._audit = audit
        self._users = users
        self._workouts = workouts
        self._measurements = measurements
        self._clock = clock
        self.most_bytes = most_bytes

    # -- asking --------------------------------------------------------------------------------------

    async def ask(self, user: str, body: AsyncIterator[bytes], caller: Caller) -> Document:
        """Store a zip as it comes in, and begin to take it in.

        Conflict while another import is on its way, TooLarge above the limit, Invalid for what is no zip.
        """
        if await self._jobs.open_one("import", user) is not None:
            raise Conflict("Another import is on its way; wait until it is done.")
        await self._limits.spend(Bucket("import", user, A_DAY, 86_400.0))
        job_id = new_id()
        try:
            size = await self._receive(job_id, user, body)
            return await self._create(job_id, user, size, caller)
        except BaseException:
            # Also where the sender hangs up. What cannot be deleted now expires.
            await self._files.drop(job_id)
            raise

    async def _receive(self, job_id: str, user: str, body: AsyncIterator[bytes]) -> int:
        waiting, size, number = bytearray(), 0, 0
        async for piece in body:
            size += len(piece)
            if size > self.most_bytes:
                raise TooLarge(f"An import may have {self.most_bytes} bytes.")
            waiting += piece
            if len(waiting) >= CHUNK_BYTES:
                await self._store(job_id, user, number, waiting)
                waiting, number = bytearray(), number + 1
        if number == 0 and not waiting.startswith(MAGIC):
            raise Invalid("The body is no zip.")
        await self._store(job_id, user, number, waiting)
        return size

    async def _store(self, job_id: str, user: str, number: int, data: bytearray) -> None:
        if number == 0 and not data.startswith(MAGIC):
            raise Invalid("The body is no zip.")
        await self._files.put(job_id, user, number, bytes(data))

    async def _create(self, job_id: str, user: str, size: int, caller: Caller) -> Document:
        async def work(session: Session) -> Document:
            job = await self._jobs.create(
                "import", user, job_id=job_id, detail={"size": size}, session=session
            )
            await self._audit.record("data.imported", caller, target=user, session=session, job=job_id)
            return job

        try:
            return await transact(self._database, work)
        except DuplicateKeyError as error:
            raise Conflict("Another import is on its way; wait until it is done.") from error

    async def get(self, user: str, job_id: str) -> Document:
        """How far it has come, and what came of it; NotFound for others' and for what has expired."""
        return await self._jobs.get("import", user, job_id)

    # -- working -------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Do what waits, one import after the other."""
        while (lease := await self._jobs.claim("import")) is not None:
            try:
                await self._take(lease)
            except LeaseLost:
                log.info("import_left", job=lease.id)

    async def _take(self, lease: Lease) -> None:
        with tempfile.TemporaryFile() as file:
            await self._fetch(lease.id, file)
            try:
                opened = await asyncio.to_thread(Opened, file)
            except NotOurs as refusal:
                await lease.fail(str(refusal))
            else:
                run = ImportRun(
                    self._database,
                    self._users,
                    self._workouts,
                    self._measurements,
                    self._clock,
                    lease,
                    opened,
                )
                await lease.finish(**await run.take_all())
        await self._files.drop(lease.id)

    async def _fetch(self, job_id: str, file: IO[bytes]) -> None:
        """To a file without a name, for a zip is read from its end."""
        async for chunk in self._files.read(job_id):
            await asyncio.to_thread(file.write, chunk)
