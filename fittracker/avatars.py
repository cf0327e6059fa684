"""Avatars: the picture that a person shows of themselves, at most one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
from pymongo.errors import DuplicateKeyError

from fittracker.clock import Clock
from fittracker.errors import Invalid, NotFound, Unavailable
from fittracker.mongo import Database, Document
from fittracker.pictures import Refusal, Squares, work
from fittracker.sandbox import Overdue, Sandbox

MOST_BYTES: Final = 5 * 1024 * 1024
"""The largest file that is looked at."""
MOST_WAITING: Final = 16
"""Each one that waits for the sandbox holds its file in memory."""
TIME_S: Final = 10.0
MEMORY_BYTES: Final = 1 << 30
Size = Literal["large", "small"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A WebP file, and a tag that changes when it does."""

    data: bytes
    tag: str


class Avatars:
    """The avatars of all people. Files are strangers' bytes: a sandbox makes pictures of them."""

    def __init__(self, database: Database, sandbox: Sandbox, clock: Clock) -> None:
        self._avatars = database.avatars
        self._sandbox = sandbox
        self._clock = clock
        self._waiting = 0

    async def put(self, user: str, data: bytes) -> None:
        """Make this file the person's avatar, in the place of the one before.

        Invalid for what is no picture, Unavailable while too many are being looked at.
        """
        made = await self._squares(data)
        avatar = {
            "large": made.large,
            "small": made.small,
            "tag": hashlib.sha256(made.large).hexdigest()[:32],
            "changed_at": self._clock.utc(),
            "schema_version": 1,
        }
        try:
            await self._store(user, avatar)
        except DuplicateKeyError:  # two first ones at once: the other one is there, this one replaces it
            await self._store(user, avatar)

    async def _store(self, user: str, avatar: Document) -> None:
        await self._avatars.update_one({"user": user}, {"$set": avatar}, upsert=True)

    async def _squares(self, data: bytes) -> Squares:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("Too many pictures are being looked at.", retry_after_ms=2_000)
        self._waiting += 1
        try:
            answer = await self._sandbox.run(work, data)
        except Overdue as error:
            raise _refused("It takes too long to read.") from error
        finally:
            self._waiting -= 1
        made = msgspec.msgpack.decode(answer, type=Squares | Refusal)
        if isinstance(made, Refusal):
            raise _refused(made.why)
        return made

    async def get(self, user: str, size: Size) -> Picture:
        """A person's avatar; NotFound where there is none.

        Who may see it is the business of `fittracker.people`.
        """
        found = await self._avatars.find_one({"user": user}, {size: 1, "tag": 1})
        if found is None:
            raise NotFound("There is no such picture.")
        return Picture(found[size], f"{found['tag']}-{size}")

    async def remove(self, user: str) -> None:
        """Show none any more; NotFound where there was none."""
        removed = await self._avatars.delete_one({"user": user})
        if not removed.deleted_count:
            raise NotFound("There is no such picture.")


def open_sandbox() -> Sandbox:
    """The process that looks at pictures; it starts with the first one."""
    return Sandbox(timeout_s=TIME_S, memory_bytes=MEMORY_BYTES)


def _refused(why: str) -> Invalid:
    return Invalid(why, fields={"body": "is no picture that can be shown"})
