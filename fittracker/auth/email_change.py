"""Changing one's e-mail address: the new one counts once its owner has followed a mailed link.

Whether the new address has an account already is told to nobody but the owner of that account.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pymongo.errors import DuplicateKeyError

from fittracker.audit import Audit
from fittracker.auth.emails import canonical
from fittracker.auth.guard import Guard
from fittracker.auth.letters import Letters
from fittracker.auth.mailed_links import NEW_EMAIL, RESET, MailedLinks, worthless
from fittracker.auth.sessions import Sessions
from fittracker.background import Background
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.errors import Invalid
from fittracker.mongo import Database, Document, Session, transact

REASON = "e-mail address changed"


class EmailChange:
    """Changes addresses."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        guard: Guard,
        links: MailedLinks,
        letters: Letters,
        audit: Audit,
        background: Background,
        clock: Clock,
    ) -> None:
        self._database = database
        self._users = database.users
        self._sessions = sessions
        self._guard = guard
        self._links = links
        self._letters = letters
        self._audit = audit
        self._background = background
        self._clock = clock

    async def start(self, user: str, sid: str, current: str, email: str, caller: Caller) -> None:
        """Ask for another address, by who is signed in with `sid` and knows the password.

        Invalid for a wrong password (it counts as a try to sign in), for what is no address, and for one's
        own; never for an address that is taken.
        """
        address = canonical(email)
        person = await self._guard.present(user, current, caller)
        if address == person["email"]:
            raise Invalid("This is your address already.", fields={"email": "is yours already"})
        # What follows differs with whether the address is taken: nobody waits for it.
        self._background.spawn(self._offer(user, sid, address, caller), name="email-change")

    async def _offer(self, user: str, sid: str, address: str, caller: Caller) -> None:
        if not await self._links.may_mail(NEW_EMAIL, address):
            return
        token, kept = self._links.make(NEW_EMAIL, email=address, sid=sid)

        async def work(session: Session) -> None:
            await self._users.update_one({"_id": user}, {"$set": {NEW_EMAIL.field: kept}}, session=session)
            await self._audit.record("email.change_requested", caller, target=user, session=session)

        await transact(self._database, work)
        if await self._users.find_one({"email": address, "verified_at": {"$ne": None}}, {"_id": 1}):
            await self._letters.write_if_allowed(address, "already_registered")
        else:
            await self._links.mail(NEW_EMAIL, address, token)

    async def confirm(self, token: str, caller: Caller) -> None:
        """The new address counts from here on; the session that asked for it stays, all others end.

        Invalid for a link that is no good, or whose address has become somebody else's.
        """
        query = {**self._links.query(NEW_EMAIL, token), "disabled_at": None}
        person = await self._users.find_one(query)
        if person is None:
            raise worthless()
        wish: dict[str, Any] = person[NEW_EMAIL.field]
        user, sid = person["_id"], wish["sid"]
        caller = replace(caller, user=user)
        try:
            ended = await self._store({**query, "_id": user}, person, caller)
        except DuplicateKeyError as error:
            raise worthless() from error
        await self._sessions.sweep(user, ended, REASON, but=sid)
        await self._guard.passed(wish["email"])

    async def _store(self, query: Document, person: Document, caller: Caller) -> list[str]:
        wish: dict[str, Any] = person[NEW_EMAIL.field]
        user, address, now = person["_id"], wish["email"], self._clock.utc()

        async def work(session: Session) -> list[str]:
            # Somebody may have registered it without ever proving it theirs; now somebody else has.
            await self._users.delete_one({"email": address, "verified_at": None}, session=session)
            changed = await self._users.update_one(
                query,
                {
                    "$set": {"email": address, "updated_at": now},
                    "$unset": {NEW_EMAIL.field: "", RESET.field: ""},
                    "$inc": {"version": 1},
                },
                session=session,
            )
            if not changed.matched_count:
                raise worthless()  # another one was quicker with the same link
            await self._audit.record("email.changed", caller, target=user, session=session)
            await self._letters.report(person, "email_changed", caller, session=session)  # to the old one
            return await self._sessions.mark_all(user, REASON, session, but=wish["sid"])

        return await transact(self._database, work)
