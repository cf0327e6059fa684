"""The second factor: an app's code beside the password, and recovery codes for when the app is lost.

The app's secret rests sealed; of recovery codes there are only hashes. Each code works once: the last step
that was used is kept and only ever rises, and a recovery code is taken away by using it.
"""

from __future__ import annotations

from typing import Any, Final

from pymongo import ReturnDocument

from fittracker.audit import Audit
from fittracker.auth.letters import Letters
from fittracker.auth.one_time_codes import (
    new_key,
    new_recovery_codes,
    recovery_fingerprint,
    step_of,
    uri,
)
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.errors import Conflict, Invalid, NotFound
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.sealing import Seal, Unsealable

log = logger(__name__)

LONGEST: Final = 64
"""Characters of a code, with whatever its owner puts between them."""


class SecondFactor:
    """The second factor of every person who wants one."""

    def __init__(self, database: Database, seal: Seal, letters: Letters, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._users = database.users
        self._seal = seal
        self._letters = letters
        self._audit = audit
        self._clock = clock

    # -- turning it on and off -----------------------------------------------------------------------

    async def start(self, user: str) -> dict[str, str]:
        """A new secret for an app, and its otpauth URI; it counts once a code of it was confirmed.

        Conflict where the second factor is on already.
        """
        key = new_key()
        found = await self._users.find_one_and_update(
            {"_id": user, "totp": None},
            {"$set": {"totp_pending": {"key": self._seal.close(key.encode()), "at": self._clock.utc()}}},
            projection={"email": 1},
        )
        if found is None:
            raise Conflict("The second factor is on already; turn it off first.")
        return {"secret": key, "uri": uri(key, found["email"])}

    async def confirm(self, user: str, code: str, caller: Caller) -> list[str]:
        """Turn it on, by a code of the app: the recovery codes, which nobody can read again.

        Conflict where nothing was started, Invalid for a wrong code.
        """
        person = await self._users.find_one({"_id": user}, {"email": 1, "totp_pending": 1})
        pending = person.get("totp_pending") if person else None
        if person is None or pending is None:
            raise Conflict("Nothing was started; ask for a secret first.")
        step = self._step(pending["key"], code)
        if step is None:
            raise Invalid("The code is wrong.", fields={"code": "is wrong"})
        codes = new_recovery_codes()
        await self._turn_on(person, step, codes, caller)
        return codes

    async def _turn_on(self, person: Document, step: int, codes: list[str], caller: Caller) -> None:
        user, key, now = person["_id"], person["totp_pending"]["key"], self._clock.utc()
        factor = {
            "key": key,
            "last_step": step,  # the code that confirmed it is used up as well
            "recovery": [recovery_fingerprint(each) for each in codes],
            "since": now,
        }

        async def work(session: Session) -> None:
            changed = await self._users.update_one(
                {"_id": user, "totp": None, "totp_pending.key": key},
                {"$set": {"totp": factor, "updated_at": now}, "$unset": {"totp_pending": ""}},
                session=session,
            )
            if not changed.matched_count:
                raise Conflict("It was turned on, or started anew, at this very moment.")
            await self._audit.record("totp.enabled", caller, target=user, session=session)
            await self._letters.report(person, "totp_changed", caller, session=session, change="on")

        await transact(self._database, work)

    async def turn_off(self, person: Document, caller: Caller) -> None:
        """Turn it off, for somebody who has shown password and code."""
        user = person["_id"]

        async def work(session: Session) -> None:
            changed = await self._users.update_one(
                {"_id": user, "totp": {"$ne": None}},
                {"$set": {"updated_at": self._clock.utc()}, "$unset": {"totp": "", "totp_pending": ""}},
                session=session,
            )
            if not changed.matched_count:
                raise Conflict("The second factor is not on.")
            await self._audit.record("totp.disabled", caller, target=user, session=session)
            await self._letters.report(person, "totp_changed", caller, session=session, change="off")

        await transact(self._database, work)

    # -- asking for it -------------------------------------------------------------------------------

    async def is_on(self, user: str) -> bool:
        """Whether this person has one; NotFound where there is nobody."""
        person = await self._users.find_one({"_id": user}, {"totp.since": 1})
        if person is None:
            raise NotFound("There is no such person.")
        return wanted(person)

    async def spend(self, person: Document, code: str, caller: Caller) -> bool:
        """Use a code of the app or a recovery code up; False for a wrong or a used one.

        Of twenty who show the same one at once, one gets in.
        """
        if not wanted(person):
            return False
        printed = recovery_fingerprint(code)
        if printed is not None:
            return await self._spend_recovery(person, printed, caller)
        key = person["totp"]["key"]
        step = self._step(key, code)
        if step is None:
            return False
        # Sealed anew each time, so that a secret of the server can be retired once people have signed in.
        fresh = self._seal.close(self._seal.open(key))
        changed = await self._users.update_one(
            {"_id": person["_id"], "totp.last_step": {"$lt": step}},
            {"$set": {"totp.last_step": step, "totp.key": fresh}},
        )
        return changed.modified_count == 1

    async def _spend_recovery(self, person: Document, printed: str, caller: Caller) -> bool:
        user = person["_id"]

        async def work(session: Session) -> bool:
            after = await self._users.find_one_and_update(
                {"_id": user, "totp.recovery": printed},
                {"$pull": {"totp.recovery": printed}},
                projection={"totp.recovery": 1},
                return_document=ReturnDocument.AFTER,
                session=session,
            )
            if after is None:
                return False
            left = len(after["totp"]["recovery"])
            await self._audit.record("recovery_code.used", caller, target=user, session=session, left=left)
            await self._letters.report(person, "recovery_code_used", caller, session=session, left=left)
            return True

        return await transact(self._database, work)

    def _step(self, key: dict[str, Any], code: str) -> int | None:
        """Whose step this code is; None also where the secret was sealed with a key that is gone."""
        try:
            opened = self._seal.open(key).decode()
        except Unsealable:
            log.error("totp_key_lost")  # the recovery codes still work
            return None
        return step_of(opened, code, self._clock.now())


def wanted(person: Document) -> bool:
    """Whether this person, as stored, has turned it on."""
    return person.get("totp") is not None
