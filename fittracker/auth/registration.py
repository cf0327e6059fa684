"""Registering: how an account is made and proven to be somebody's.

What an outsider may not learn is whether an address has an account: the answer is the same, and takes as
long, whether it has one or not. Its owner learns everything, by mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from fittracker.audit import Audit
from fittracker.auth.emails import canonical
from fittracker.auth.letters import Letters
from fittracker.auth.mailed_links import VERIFY, MailedLinks, worthless
from fittracker.auth.passwords import Passwords
from fittracker.background import Background
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.errors import Invalid, Unavailable
from fittracker.ids import new_id
from fittracker.mongo import Database, Document, Session, transact
from fittracker.profile import check_profile, new_person

ROLES: Final = ("user", "trainer")
"""What people may make themselves; admins are made on the command line."""
UNVERIFIED: Final = timedelta(days=7)
TRIES: Final = 5


class Registration:
    """Makes accounts and brings them to life."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        links: MailedLinks,
        letters: Letters,
        audit: Audit,
        background: Background,
        clock: Clock,
    ) -> None:
        self._database = database
        self._users = database.users
        self._passwords = passwords
        self._links = links
        self._letters = letters
        self._audit = audit
        self._background = background
        self._clock = clock

    async def register(
        self, email: str, password: str, name: str, role: str, profile: Mapping[str, Any], caller: Caller
    ) -> None:
        """Make an account that a mailed link brings to life, or tell the owner of the one there is.

        Invalid for a weak password or an impossible profile; never for an address that is taken.
        """
        address = canonical(email)
        if role not in ROLES:
            raise Invalid("There is no such role.", fields={"role": "must be " + " or ".join(ROLES)})
        now = self._clock.utc()
        check_profile(profile, now.date())
        await self._passwords.check_strength(password, [email, address, name])
        token, kept = self._links.make(VERIFY)
        person = {
            **new_person(new_id(), address, name, role, now, profile),
            "password": await self._passwords.hash(password),
            VERIFY.field: kept,
            "unverified_until": now + UNVERIFIED,
        }
        stored = await self._store(address, person, caller)
        if stored["verified_at"] is not None:
            await self._letters.write_if_allowed(address, "already_registered")
        elif await self._links.may_mail(VERIFY, address):
            await self._links.mail(VERIFY, address, token)

    async def _store(self, address: str, person: Document, caller: Caller) -> Document:
        """Insert the person, or put them in the place of one who never proved the address theirs.

        The last registration counts: else somebody could register another's address in advance, with a
        password of their own, and wait for the owner to verify it.
        """
        kept = {"$mergeObjects": ["$$ROOT", {"asked_at": person["created_at"]}]}
        # A literal: what people write may begin with a dollar sign.
        fresh = {"$mergeObjects": [{"$literal": person}, {"_id": {"$ifNull": ["$_id", person["_id"]]}}]}
        either = [{"$replaceWith": {"$cond": [{"$gt": ["$verified_at", None]}, kept, fresh]}}]

        async def work(session: Session) -> Document | None:
            stored = await self._users.find_one_and_update(
                {"email": address},
                either,
                upsert=True,
                projection={"verified_at": 1},
                return_document=ReturnDocument.AFTER,
                session=session,
            )
            if stored is not None and stored["verified_at"] is None:
                await self._audit.record(
                    "account.registered", caller, target=stored["_id"], session=session, role=person["role"]
                )
            return stored

        for _ in range(TRIES):
            try:
                stored = await transact(self._database, work)
            except DuplicateKeyError:
                continue  # somebody registered the same address at this very moment: now it is there
            if stored is not None:
                return stored
        raise Unavailable("Please try again.", retry_after_ms=1_000)

    async def verify(self, token: str, caller: Caller) -> None:
        """Bring the account to life whose address the token was mailed to, once. Invalid otherwise."""
        query, now = self._links.query(VERIFY, token), self._clock.utc()

        async def work(session: Session) -> None:
            found = await self._users.find_one_and_update(
                query,
                {
                    "$set": {"verified_at": now, "updated_at": now},
                    "$unset": {VERIFY.field: "", "unverified_until": ""},
                    "$inc": {"version": 1},
                },
                projection={"_id": 1},
                session=session,
            )
            if found is None:
                raise worthless()
            await self._audit.record("account.verified", caller, target=found["_id"], session=session)

        await transact(self._database, work)

    async def resend(self, email: str) -> None:
        """Send a new link, which makes the old one worthless, if there is somebody to send it to.

        Nobody waits for it, so that nobody can tell by the time it takes.
        """
        address = canonical(email)
        self._background.spawn(self._renew(address), name="verify-resend")

    async def _renew(self, address: str) -> None:
        if not await self._links.may_mail(VERIFY, address):
            return
        token, kept = self._links.make(VERIFY)
        found = await self._users.find_one_and_update(
            {"email": address, "verified_at": None}, {"$set": {VERIFY.field: kept}}, projection={"_id": 1}
        )
        if found is not None:
            await self._links.mail(VERIFY, address, token)
