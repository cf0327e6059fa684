"""Recovery: a new password for who has forgotten the old one, or lost it to somebody else.

Asking tells nothing: the answer comes before anything is looked at. The mailed link proves the address, so
it also brings an account to life that was never verified, with the password of who followed it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from fittracker.audit import Audit
from fittracker.auth.emails import canonical
from fittracker.auth.guard import Guard
from fittracker.auth.letters import Letters
from fittracker.auth.mailed_links import NEW_EMAIL, RESET, VERIFY, MailedLinks, worthless
from fittracker.auth.new_password import NewPassword, choose
from fittracker.auth.passwords import Passwords
from fittracker.auth.sessions import Sessions
from fittracker.background import Background
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.mongo import Database, Document, Session, transact

Listener = Callable[[Document], Awaitable[None]]


class Recovery:
    """Forgotten passwords."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
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
        self._passwords = passwords
        self._sessions = sessions
        self._guard = guard
        self._links = links
        self._letters = letters
        self._audit = audit
        self._background = background
        self._clock = clock
        self._listeners: list[Listener] = []

    def when_forgotten_while_deleting(self, listener: Listener) -> None:
        """Call `listener(person)` when somebody asks for a link whose account waits for its deletion.

        At most five times an hour for an address: it may mail without asking for leave.
        """
        self._listeners.append(listener)

    # -- asking for a link ---------------------------------------------------------------------------

    async def forgot(self, email: str, caller: Caller) -> None:
        """Mail a link to whoever has an account with this address; Invalid only for what is no address.

        Nobody waits for it, so that nobody can tell by the time it takes whether there is one.
        """
        address = canonical(email)
        self._background.spawn(self._send(address, caller), name="password-forgot")

    async def _send(self, address: str, caller: Caller) -> None:
        person = await self._users.find_one({"email": address})
        if person is None:
            return
        if person.get("deletion") is not None:
            if await self._letters.may_write(address, "account_deletion"):
                for listener in self._listeners:
                    await listener(person)
            return
        # Asked for too often: the link that was mailed last stays good, for no newer one would come.
        if person["disabled_at"] is not None or not await self._links.may_mail(RESET, address):
            return
        token, kept = self._links.make(RESET)
        stored = await self._users.update_one(
            {"_id": person["_id"], "email": address}, {"$set": {RESET.field: kept}}
        )
        if stored.matched_count:
            await self._links.mail(RESET, address, token)
            self._audit.note("password.reset_requested", caller, target=person["_id"])

    # -- following it --------------------------------------------------------------------------------

    async def reset(self, token: str, password: str, caller: Caller) -> None:
        """Set a new password by the token of a mailed link, once; every session of the account ends.

        Invalid for a link that is no good, and for a password that is: then the link still works.
        """
        query = {**self._links.query(RESET, token), "disabled_at": None}
        person = await self._users.find_one(query)
        if person is None:
            raise worthless()
        caller = replace(caller, user=person["_id"])
        chosen = await choose(self._passwords, person, password)
        ended = await self._store(query, person, chosen, caller)
        await self._sessions.sweep(person["_id"], ended, "password reset")
        await self._guard.passed(person["email"])

    async def _store(
        self, query: Document, person: Document, chosen: NewPassword, caller: Caller
    ) -> list[str]:
        user, now = person["_id"], self._clock.utc()
        values = {**chosen.fields(now), "verified_at": person["verified_at"] or now}
        # What somebody else may have begun with the old password ends with it.
        gone = dict.fromkeys((RESET.field, NEW_EMAIL.field, VERIFY.field, "unverified_until"), "")

        async def work(session: Session) -> list[str]:
            changed = await self._users.update_one(
                {**query, "_id": user}, {"$set": values, "$unset": gone}, session=session
            )
            if not changed.matched_count:
                raise worthless()  # another one was quicker with the same link
            if person["verified_at"] is None:
                await self._audit.record("account.verified", caller, target=user, session=session)
            await self._audit.record("password.reset", caller, target=user, session=session)
            await self._letters.report(person, "password_changed", caller, session=session)
            return await self._sessions.mark_all(user, "password reset", session)

        return await transact(self._database, work)
