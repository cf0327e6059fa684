"""Signing in, and going on with a refresh token.

The answer is the same, and takes as long, for nobody, for a wrong password, and for an account that is
locked, disabled or not yet verified.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fittracker.audit import Audit
from fittracker.auth.emails import canonical
from fittracker.auth.guard import Guard, attempts
from fittracker.auth.known_devices import KnownDevices
from fittracker.auth.letters import Letters
from fittracker.auth.lockout import Attempt
from fittracker.auth.passwords import Passwords
from fittracker.auth.second_factor import SecondFactor, wanted
from fittracker.auth.sessions import Pair, RefreshReused, Sessions
from fittracker.background import Background
from fittracker.caller import Caller
from fittracker.clock import rfc3339
from fittracker.errors import Invalid, TotpRequired, Unauthenticated
from fittracker.mongo import Database, Document

_REFUSED: Final = "The e-mail address or the password is wrong."


class SignIn:
    """Lets people in."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        sessions: Sessions,
        guard: Guard,
        second_factor: SecondFactor,
        devices: KnownDevices,
        letters: Letters,
        audit: Audit,
        background: Background,
    ) -> None:
        self._users = database.users
        self._passwords = passwords
        self._sessions = sessions
        self._guard = guard
        self._second_factor = second_factor
        self._devices = devices
        self._letters = letters
        self._audit = audit
        self._background = background

    async def login(
        self, email: str, password: str, caller: Caller, *, code: str | None = None
    ) -> tuple[Pair, Document]:
        """Sign in: the tokens, and who it is. For the refusals see `prove`."""
        person = await self.prove(email, password, caller, code=code)
        caller = replace(caller, user=person["_id"])
        pair = await self._sessions.begin(person, device=caller.device, address=caller.address)
        await self._check_again(person, pair.sid)
        await self._arrived(person, caller, pair.sid)
        return pair, person

    async def prove(self, email: str, password: str, caller: Caller, *, code: str | None = None) -> Document:
        """The person whose address, password and code these are; no session begins.

        Unauthenticated, always the same and always after as long; only who knows the password of an account
        with a second factor is told TotpRequired, for a code that is missing, wrong or used.
        """
        account = _address_or_none(email)
        attempt = await self._guard.attempt(account or email)
        person = await self._users.find_one({"email": account}) if account else None
        verdict = await self._guard.matches(person, password)
        if attempt.locked or not verdict.right or person is None or not _may_come_in(person):
            self._guard.refused(attempt, person, caller, "password")
            raise Unauthenticated(_REFUSED)
        if wanted(person):
            await self._ask_for_code(person, code, attempt, caller)
        await self._guard.passed(person["email"])
        if verdict.outdated:
            await self._rehash(person, password)
        return person

    async def _ask_for_code(
        self, person: Document, code: str | None, attempt: Attempt, caller: Caller
    ) -> None:
        if code is None:
            await self._guard.unfinished(person["email"], attempt)
            raise TotpRequired("Send the code of your app, or a recovery code, as well.")
        if not await self._second_factor.spend(person, code, caller):
            self._guard.refused(attempt, person, caller, "code")
            raise TotpRequired("This code is wrong, or was used already.")

    async def _rehash(self, person: Document, password: str) -> None:
        """The work factor was raised since: keep the password at today's."""
        renewed = await self._passwords.hash(password)
        await self._users.update_one(
            {"_id": person["_id"], "password": person["password"]}, {"$set": {"password": renewed}}
        )

    async def _check_again(self, person: Document, sid: str) -> None:
        """Whoever was being let in while the password or the role was replaced is not: that ends sessions."""
        since = person.get("password_changed_at")
        same = {
            "_id": person["_id"],
            "password_changed_at": since,
            "role": person["role"],
            "disabled_at": None,
        }
        if await self._users.find_one(same, {"_id": 1}) is None:
            await self._sessions.end(person["_id"], sid)
            raise Unauthenticated(_REFUSED)

    async def _arrived(self, person: Document, caller: Caller, sid: str) -> None:
        attempts.labels("succeeded").inc()
        await self._audit.record("login.succeeded", caller, target=person["_id"], session_id=sid)
        await self._devices.seen(person, caller)

    # -- going on ------------------------------------------------------------------------------------

    async def refresh(self, token: str, caller: Caller) -> Pair:
        """A new pair of tokens; a used token ends its session, and the owner is told by mail."""
        try:
            return await self._sessions.refresh(token, caller)
        except RefreshReused as reused:
            self._background.spawn(self._warn(reused), name="token-reused")
            raise

    async def _warn(self, reused: RefreshReused) -> None:
        owner = await self._users.find_one({"_id": reused.user}, {"email": 1})
        if owner is not None:
            await self._letters.write_if_allowed(
                owner["email"], "token_reused", device=reused.device, since=rfc3339(reused.since)
            )


def _may_come_in(person: Document) -> bool:
    return person["disabled_at"] is None and person["verified_at"] is not None


def _address_or_none(email: str) -> str | None:
    try:
        return canonical(email)
    except Invalid:
        return None
