"""Erasure: thirty days after its owner asked for it, an account is deleted everywhere.

A job does it in small steps, each of which may be done again: when its worker dies, another one goes on. The
person's own document goes last, in one transaction with the job and the entry of the audit log, so nobody is
ever half deleted and forgotten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Final

import msgspec
from redis.asyncio import Redis

from fittracker.audit import Audit
from fittracker.auth.accounts import Accounts
from fittracker.belongings import BELONGINGS, PROFILE, Belonging
from fittracker.caller import SYSTEM
from fittracker.clock import Clock
from fittracker.deletion import Deletion
from fittracker.jobs import Jobs, Lease, LeaseLost
from fittracker.mail import Mail
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.redis import OUTAGES
from fittracker.roomlog.window import room_keys
from fittracker.sealing import Seal, Unsealable
from fittracker.stationery import Letter

log = logger(__name__)

STEP: Final = 1_000
"""So many documents go at a time: one write for millions of batches would outlast every time-out."""

Farewell = Callable[[str, Callable[[], Awaitable[None]]], Awaitable[None]]
"""`farewell(user, step)`: what a context has to put right before a person's documents go, such as counters of
others. It is done in small steps, calls `step` after each, and bears being begun again."""


class Erasure:
    """Deletes those whose time has come."""

    def __init__(
        self,
        database: Database,
        redis: Redis,
        jobs: Jobs,
        deletion: Deletion,
        accounts: Accounts,
        mail: Mail,
        seal: Seal,
        audit: Audit,
        clock: Clock,
        *,
        farewells: tuple[Farewell, ...] = (),
    ) -> None:
        """`seal` is that of the mails that wait in the outbox."""
        self._database = database
        self._users = database.users
        self._redis = redis
        self._jobs = jobs
        self._deletion = deletion
        self._accounts = accounts
        self._mail = mail
        self._seal = seal
        self._audit = audit
        self._clock = clock
        self._farewells = farewells

    async def work(self) -> None:
        """Do what is due, one account after the other."""
        while (lease := await self._jobs.claim("erasure")) is not None:
            try:
                await self._erase(lease)
            except LeaseLost:
                log.info("erasure_left", job=lease.id)

    async def _erase(self, lease: Lease) -> None:
        now = self._clock.utc()
        due = await self._due(lease.user)
        if due is None:
            await lease.drop()  # it was undone at this very moment
            return
        if due > now:
            # Whoever closed the account died over it.
            await self._deletion.close(lease.user)
            await lease.postpone(due)
            return
        begun = await self._users.find_one_and_update(
            {"_id": lease.user, "deletion.due_at": {"$lte": now}},
            {"$set": {"deletion.begun_at": now}},
            {"email": 1},
        )
        if begun is None:
            await lease.drop()
            return
        for farewell in self._farewells:
            await farewell(lease.user, partial(lease.checkpoint, 0.0, {}))
        for row in BELONGINGS:
            if row.end == "deleted" and row is not PROFILE:
                await self._delete(row, lease)
        await self._forget_mails(begun["email"])
        await self._forget_in_redis(lease.user, begun["email"])
        await self._conclude(lease, begun["email"])
        log.info("account_erased", user=lease.user)

    async def _due(self, user: str) -> datetime | None:
        person = await self._users.find_one({"_id": user}, {"deletion.due_at": 1})
        waiting = person.get("deletion") if person else None
        return waiting["due_at"] if waiting else None

    # -- step by step --------------------------------------------------------------------------------

    async def _delete(self, row: Belonging, lease: Lease) -> None:
        collection, user = self._database[row.collection], lease.user
        theirs = [(field, user) for field in row.owners]
        theirs += [(field, f"{word}{user}") for field, word in row.spelled]
        for field, value in theirs:
            query: Document = {field: value}
            if row.collection == "jobs":
                query["_id"] = {"$ne": lease.id}  # our own goes last
            while ids := [each["_id"] async for each in collection.find(query, {"_id": 1}, limit=STEP)]:
                await collection.delete_many({"_id": {"$in": ids}})
                await lease.checkpoint(0.0, {})
        for field in row.named:
            await collection.update_many({field: user}, {"$pull": {field: user}})
        for field in row.blanked:
            await collection.update_many({field: user}, {"$set": {field: None}})
        await lease.checkpoint(0.0, {})

    async def _forget_mails(self, email: str) -> None:
        """Mails to this address that still wait: they are sealed, so each of the outbox is looked into."""
        mails = self._database.mails
        async for mail in mails.find({}, {"letter": 1}):
            try:
                letter = msgspec.json.decode(self._seal.open(mail["letter"]), type=Letter)
            except Unsealable:
                continue  # nobody can read it any more, and nobody will be sent it
            if letter.to == email:
                await mails.delete_one({"_id": mail["_id"]})

    async def _forget_in_redis(self, user: str, email: str) -> None:
        """Counters and what was said to them go now; the rest expires within a day by itself."""
        await self._accounts.guard.passed(email)
        keys = [f"limit:{name}:{user}" for name in ("user", "export", "import", "conversations", "sessions")]
        keys += room_keys(f"user:{user}")
        try:
            for key in keys:
                await self._redis.delete(key)
        except OUTAGES:
            log.warning("erasure_without_redis", user=user)

    async def _conclude(self, lease: Lease, email: str) -> None:
        """The last step, whole or not at all; LeaseLost where another worker has done it."""

        async def work(session: Session) -> None:
            await self._mail.queue(email, "account_deleted", session=session)
            await lease.drop(session)
            await self._users.delete_one({"_id": lease.user}, session=session)
            await self._audit.record("account.deleted", SYSTEM, target=lease.user, session=session)

        await transact(self._database, work)
