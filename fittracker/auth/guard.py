"""The guard at everything that a password or a code opens: each try is counted, each failure written down.

Signing in and changing what signing in needs go past the same guard, so that whoever holds a stolen session
cannot guess at the password beside the lockout.
"""

from __future__ import annotations

from prometheus_client import Counter

from fittracker.audit import Audit
from fittracker.auth.letters import UNKNOWN, Letters
from fittracker.auth.lockout import Attempt, Lockout
from fittracker.auth.passwords import Passwords, Verdict
from fittracker.auth.second_factor import SecondFactor
from fittracker.background import Background
from fittracker.caller import Caller
from fittracker.clock import Clock, rfc3339
from fittracker.errors import Invalid, NotFound
from fittracker.mongo import Database, Document

attempts = Counter("fittracker_logins", "Attempts to sign in, by outcome", ["outcome"])


class Guard:
    """Checks what people show."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        lockout: Lockout,
        second_factor: SecondFactor,
        letters: Letters,
        audit: Audit,
        background: Background,
        clock: Clock,
    ) -> None:
        self._users = database.users
        self._passwords = passwords
        self._lockout = lockout
        self._second_factor = second_factor
        self._letters = letters
        self._audit = audit
        self._background = background
        self._clock = clock

    async def attempt(self, email: str) -> Attempt:
        """Count a try on the account with this address, before anything is looked at."""
        return await self._lockout.attempt(email)

    async def matches(self, person: Document | None, password: str) -> Verdict:
        """Whether this is the person's password; for nobody it is wrong after exactly as long."""
        return await self._passwords.matches(password, person["password"] if person else None)

    async def passed(self, email: str) -> None:
        """The owner was there: the tries are forgotten."""
        await self._lockout.succeeded(email)

    async def unfinished(self, email: str, attempt: Attempt) -> None:
        """The password was right, the second factor is still to come: this was no failure."""
        attempts.labels("second_factor_asked").inc()
        await self._lockout.give_back(email, attempt)

    def refused(self, attempt: Attempt, person: Document | None, caller: Caller, what: str) -> None:
        """Write down a failure; the one that locks the account is told to its owner."""
        outcome = "locked" if attempt.locked else "refused"
        attempts.labels(outcome).inc()
        target = person["_id"] if person else None
        self._audit.note("login.failed", caller, target=target, outcome=outcome, what=what)
        if attempt.locks:
            self._audit.note("login.locked", caller, target=target)
            if person is not None:
                self._background.spawn(self._tell(person["email"], caller), name="account-locked")

    async def _tell(self, email: str, caller: Caller) -> None:
        at = rfc3339(self._clock.utc())
        await self._letters.write_if_allowed(
            email, "account_locked", at=at, address=caller.address or UNKNOWN
        )

    async def present(
        self, user: str, password: str, caller: Caller, *, code: str | None = None, field: str = "current"
    ) -> Document:
        """Somebody who is signed in shows the password once more; the person, as stored.

        With `code` that of the second factor as well. Invalid, naming `field` (or `code`), for a wrong one
        and for every one while the account is locked: each counts as a try to sign in.
        """
        person = await self._users.find_one({"_id": user})
        if person is None:
            raise NotFound("There is no such person.")
        attempt = await self.attempt(person["email"])
        verdict = await self.matches(person, password)
        if attempt.locked or not verdict.right:
            self.refused(attempt, person, caller, "current password")
            raise Invalid("The current password is wrong.", fields={field: "is wrong"})
        if code is not None and not await self._second_factor.spend(person, code, caller):
            self.refused(attempt, person, caller, "code")
            raise Invalid("The code is wrong.", fields={"code": "is wrong"})
        await self.passed(person["email"])
        return person
