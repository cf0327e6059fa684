"""Idempotency keys: a request that is sent again gets the answer of the first one, and does nothing.

A key belongs to one person and one route. Whoever inserts it first does the work, under a lease that is
renewed; a worker that dies stops renewing, and a minute later the key may be tried again. An answer is kept
for a day, sealed: it may hold a token.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import msgspec
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from fittracker.background import beside
from fittracker.clock import Clock
from fittracker.errors import Conflict, Invalid
from fittracker.ids import new_id
from fittracker.mongo import DATABASE_ERRORS, Database, Document
from fittracker.observability import logger
from fittracker.sealing import Seal, Unsealable

log = logger(__name__)

KEPT_S: Final = 86_400
LEASE_S: Final = 60.0
RENEW_S: Final = 15.0
WAIT_MS: Final = 1_000
"""When it makes sense to ask again for an answer that is being made."""
TRIES: Final = 5


class Answer(msgspec.Struct, frozen=True):
    """An answer as it is given again."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right, and the duty, to do the work of a key: see `settle` and `release`."""

    key: str
    by: str
    """Which attempt it is: one that was overtaken changes nothing any more."""


class Idempotency:
    """The keys of all people. A key's document is named by a hash of person, route and key."""

    def __init__(self, database: Database, seal: Seal, clock: Clock) -> None:
        # What another worker has just inserted is seen, majority or not: the index on `_id` decides.
        self._keys = database.idempotency_keys.with_options(read_concern=ReadConcern("local"))
        self._seal = seal
        self._clock = clock

    async def claim(self, user: str, route: str, key: str, digest: str) -> Claim | Answer:
        """Begin the work of a key, or the answer that it had before.

        `digest` stands for the whole request. Invalid where the key was used for another one, Conflict with a
        time to come back while the first one is at work.
        """
        name = hashlib.sha256("\0".join((user, route, key)).encode()).hexdigest()
        for _ in range(TRIES):
            claim = Claim(name, new_id())
            try:
                await self._keys.insert_one(self._document(claim, user, digest))
                return claim
            except DuplicateKeyError:
                found = await self._keys.find_one({"_id": name})
            taken = None if found is None else await self._look(found, claim, user, digest)
            if taken is not None:
                return taken
        raise _running()  # so many at once take it over and give it up: one of them is always at work

    async def _look(self, found: Document, claim: Claim, user: str, digest: str) -> Claim | Answer | None:
        """What to do about a key that is there; None for: it has changed meanwhile, look again."""
        now = self._clock.utc()
        if found["expires_at"] > now:
            if found["digest"] != digest:
                raise Invalid(
                    "This Idempotency-Key was used for another request.",
                    fields={"Idempotency-Key": "was used for another request"},
                )
            if found["answer"] is not None:
                return self._opened(found["answer"])
            if found["lease_until"] > now:
                raise _running()
        mine = self._document(claim, user, digest)
        same = {"_id": claim.key, "by": found["by"], "expires_at": found["expires_at"]}
        replaced = await self._keys.replace_one({**same, "lease_until": found["lease_until"]}, mine)
        return claim if replaced.modified_count else None

    def _document(self, claim: Claim, user: str, digest: str) -> Document:
        now = self._clock.utc()
        return {
            "_id": claim.key,
            "user": user,
            "digest": digest,
            "by": claim.by,
            "lease_until": now + timedelta(seconds=LEASE_S),
            "answer": None,
            "expires_at": now + timedelta(seconds=KEPT_S),
            "schema_version": 1,
        }

    def _opened(self, sealed: dict[str, Any]) -> Answer:
        try:
            return msgspec.msgpack.decode(self._seal.open(sealed), type=Answer)
        except Unsealable as error:
            # The secret was rotated away within a day. Doing it again is what must not happen.
            raise Conflict("This was done before; its answer cannot be told any more.") from error

    # -- while the work is done ----------------------------------------------------------------------

    @asynccontextmanager
    async def held(self, claim: Claim) -> AsyncIterator[None]:
        """Keep a claim for as long as the block takes, which may be longer than a lease."""
        async with beside(self._renew(claim), "idempotency-lease"):
            yield

    async def _renew(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            until = self._clock.utc() + timedelta(seconds=LEASE_S)
            try:
                await self._keys.update_one(_of(claim), {"$set": {"lease_until": until}})
            except DATABASE_ERRORS as error:
                log.warning("idempotency_lease_not_renewed", reason=type(error).__name__)

    async def settle(self, claim: Claim, answer: Answer) -> None:
        """Keep the answer for a day.

        Where it cannot be stored, it is given to the caller all the same: the work is done.
        """
        sealed = self._seal.close(msgspec.msgpack.encode(answer))
        until = self._clock.utc() + timedelta(seconds=KEPT_S)
        try:
            await self._keys.update_one(_of(claim), {"$set": {"answer": sealed, "expires_at": until}})
        except DATABASE_ERRORS as error:
            log.warning("idempotency_answer_not_kept", reason=type(error).__name__)

    async def release(self, claim: Claim) -> None:
        """Give a key up, so that it may be tried again; where that fails, its lease ends by itself."""
        try:
            await self._keys.delete_one(_of(claim))
        except DATABASE_ERRORS as error:
            log.warning("idempotency_key_not_released", reason=type(error).__name__)

    async def forget(self, user: str) -> None:
        """Drop the keys and answers of a person who leaves."""
        await self._keys.delete_many({"user": user})


def _of(claim: Claim) -> Document:
    return {"_id": claim.key, "by": claim.by, "answer": None}


def _running() -> Conflict:
    return Conflict("The first request with this Idempotency-Key is at work.", retry_after_ms=WAIT_MS)
