"""Device tokens: long-lived, named, revocable, and good for nothing but their scopes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from fittracker.audit import Audit
from fittracker.auth.liveness import Liveness
from fittracker.caller import SYSTEM, Caller
from fittracker.clock import Clock
from fittracker.errors import Conflict, Invalid, NotFound
from fittracker.ids import fingerprint, is_id, new_id, new_secret
from fittracker.mongo import Database, Document, Session, transact

PREFIX: Final = "ftd_"
SCOPES: Final = frozenset({"telemetry:write"})
MOST: Final = 50
_FORM: Final = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")


def fingerprint_of(token: str) -> str | None:
    """What is stored of a device token; None for what has not even its form."""
    return fingerprint(token) if _FORM.fullmatch(token) else None


class DeviceTokens:
    """The device tokens of all people, one person at a time."""

    def __init__(self, database: Database, liveness: Liveness, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._tokens = database.device_tokens
        self._liveness = liveness
        self._audit = audit
        self._clock = clock

    async def create(
        self, user: str, name: str, scopes: Sequence[str], caller: Caller = SYSTEM
    ) -> tuple[Document, str]:
        """A new token: what is known of it, and the token itself, which nobody can read again.

        Conflict where a person has 50 already.
        """
        if not scopes or not SCOPES.issuperset(scopes):
            raise Invalid("There is no such scope.", fields={"scopes": "must be of " + ", ".join(SCOPES)})
        if await self._tokens.count_documents({"user": user}, limit=MOST) >= MOST:
            raise Conflict(f"There are {MOST} device tokens already; end one of them first.")
        token = PREFIX + new_secret()
        document: Document = {
            "_id": new_id(),
            "user": user,
            "name": name,
            "scopes": sorted(set(scopes)),
            "fingerprint": fingerprint(token),
            "created_at": self._clock.utc(),
            "schema_version": 1,
        }

        async def work(session: Session) -> None:
            await self._tokens.insert_one(document, session=session)
            await self._audit.record(
                "device_token.created", caller, target=user, session=session, token=document["_id"]
            )

        await transact(self._database, work)
        return document, token

    async def of_user(self, user: str) -> list[Document]:
        """A person's tokens, newest first."""
        return await self._tokens.find({"user": user}, sort=[("created_at", -1)], limit=MOST).to_list()

    async def end(self, user: str, token_id: str, caller: Caller = SYSTEM) -> None:
        """Revoke one: it stops working everywhere at once, its sockets close. NotFound for others' tokens."""

        async def work(session: Session) -> Document:
            found = await self._tokens.find_one_and_delete({"_id": token_id, "user": user}, session=session)
            if found is None:
                raise NotFound("There is no such device token.")
            await self._audit.record(
                "device_token.revoked", caller, target=user, session=session, token=token_id
            )
            return found

        if not is_id(token_id):
            raise NotFound("There is no such device token.")
        found = await transact(self._database, work)
        await self._liveness.end([(found["fingerprint"], found["_id"])], "device token revoked")

    async def end_all(self, user: str) -> None:
        """Revoke all of a person's tokens."""
        ended = await self.of_user(user)
        await self._tokens.delete_many({"_id": {"$in": [each["_id"] for each in ended]}})
        await self._liveness.end(
            [(each["fingerprint"], each["_id"]) for each in ended], "device token revoked"
        )
