"""Changing one's password, by who is signed in and knows the present one."""

from __future__ import annotations

from fittracker.audit import Audit
from fittracker.auth.guard import Guard
from fittracker.auth.letters import Letters
from fittracker.auth.mailed_links import NEW_EMAIL, RESET
from fittracker.auth.new_password import NewPassword, choose
from fittracker.auth.passwords import Passwords
from fittracker.auth.sessions import Sessions
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.errors import Conflict
from fittracker.mongo import Database, Document, Session, transact

REASON = "password changed"


class PasswordChange:
    """Changes passwords."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        sessions: Sessions,
        guard: Guard,
        letters: Letters,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._database = database
        self._users = database.users
        self._passwords = passwords
        self._sessions = sessions
        self._guard = guard
        self._letters = letters
        self._audit = audit
        self._clock = clock

    async def change(self, user: str, sid: str, current: str, password: str, caller: Caller) -> None:
        """Replace the password; all sessions but `sid` end, mailed links that were pending die.

        Invalid for a wrong current password (it counts as a try to sign in), a weak one or one of the last
        five; Conflict where it was changed by somebody else meanwhile.
        """
        person = await self._guard.present(user, current, caller)
        chosen = await choose(self._passwords, person, password)
        ended = await self._store(person, sid, chosen, caller)
        await self._sessions.sweep(user, ended, REASON, but=sid)

    async def _store(self, person: Document, sid: str, chosen: NewPassword, caller: Caller) -> list[str]:
        user, now = person["_id"], self._clock.utc()

        async def work(session: Session) -> list[str]:
            changed = await self._users.update_one(
                {"_id": user, "password_changed_at": person.get("password_changed_at")},
                {
                    "$set": chosen.fields(now),
                    "$unset": {RESET.field: "", NEW_EMAIL.field: ""},
                },
                session=session,
            )
            if not changed.matched_count:
                raise Conflict("The password was changed meanwhile.")
            await self._audit.record("password.changed", caller, target=user, session=session)
            await self._letters.report(person, "password_changed", caller, session=session)
            return await self._sessions.mark_all(user, REASON, session, but=sid)

        return await transact(self._database, work)
