"""The deletion of an account, as its owner sees it: asked for, and undone within thirty days.

From the moment it is asked for the person is not there any more: signed out everywhere, no grants, in no
session. What they own is untouched until `fittracker.erasure` comes.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from fittracker.administration import Doors
from fittracker.audit import Audit
from fittracker.auth.accounts import Accounts
from fittracker.caller import SYSTEM, Caller
from fittracker.clock import Clock, rfc3339
from fittracker.errors import Conflict, Invalid, TotpRequired
from fittracker.ids import fingerprint, new_secret
from fittracker.jobs import Jobs
from fittracker.mail import Mail
from fittracker.mongo import Database, Document, Session, transact

GRACE: Final = timedelta(days=30)
PREFIX: Final = "ftx_"
REASON: Final = "account deleted"
CLOSING_S: Final = 60
"""Whoever closes the account has so long, before another worker does it again."""
_FORM: Final = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
# Links that were mailed before open nothing any more.
_DEAD_LINKS: Final = dict.fromkeys(("verify", "reset", "email_change", "totp_pending"), "")


class Deletion:
    """Closes accounts, and opens them again."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        accounts: Accounts,
        doors: Doors,
        mail: Mail,
        audit: Audit,
        clock: Clock,
        *,
        origin: str,
    ) -> None:
        self._database = database
        self._users = database.users
        self._jobs = jobs
        self._accounts = accounts
        self._doors = doors
        self._mail = mail
        self._audit = audit
        self._clock = clock
        self._origin = origin

    async def ask(self, user: str, current: str, caller: Caller, code: str | None = None) -> datetime:
        """Close the account, by its owner who knows the password; when it will be gone.

        Invalid for a wrong password or code: it counts as a try to sign in. TotpRequired where the second
        factor is on and there is no code.
        """
        second = await self._accounts.second_factor.is_on(user)
        if second and code is None:
            raise TotpRequired("Send a code of the second factor as well.")
        person = await self._accounts.guard.present(user, current, caller, code=code if second else None)
        now = self._clock.utc()
        ended = await self._store(person, now, caller)
        await self._doors.sessions.sweep(user, ended, REASON)
        await self.close(user, caller)
        await self._jobs.postpone("erasure", user, now + GRACE)
        return now + GRACE

    async def _store(self, person: Document, now: datetime, caller: Caller) -> list[str]:
        """All of it, or none: the account, the job that will erase it, the mail with the way back."""
        user, due, token = person["_id"], now + GRACE, PREFIX + new_secret()
        waiting = {"requested_at": now, "due_at": due, "fingerprint": fingerprint(token)}
        change = {
            "$set": {"disabled_at": now, "deletion": waiting, "updated_at": now},
            "$unset": _DEAD_LINKS,
            "$inc": {"version": 1},
        }
        here = {"_id": user, "disabled_at": None}

        async def work(session: Session) -> list[str]:
            changed = await self._users.update_one(here, change, session=session)
            if not changed.matched_count:
                raise Conflict("The account was closed meanwhile.")
            for kind in ("export", "import"):
                await self._jobs.call_off(kind, user, session)
            begin = now + timedelta(seconds=CLOSING_S)
            await self._jobs.create("erasure", user, not_before=begin, session=session)
            until = rfc3339(due)
            await self._audit.record(
                "account.deletion_requested", caller, target=user, session=session, until=until
            )
            await self._mail.queue(
                person["email"], "account_deletion", session=session, until=until, link=self._link(token)
            )
            return await self._doors.sessions.mark_all(user, REASON, session)

        return await transact(self._database, work)

    async def remind(self, person: Document) -> None:
        """Mail the way back once more, to whoever tries to come in; the link before is worthless then."""
        token = PREFIX + new_secret()

        async def work(session: Session) -> None:
            found = await self._users.find_one_and_update(
                {
                    "_id": person["_id"],
                    "deletion.due_at": {"$gt": self._clock.utc()},
                    "deletion.begun_at": None,
                },
                {"$set": {"deletion.fingerprint": fingerprint(token)}},
                {"email": 1, "deletion": 1},
                session=session,
            )
            if found is not None:
                until = rfc3339(found["deletion"]["due_at"])
                await self._mail.queue(
                    found["email"], "account_deletion", session=session, until=until, link=self._link(token)
                )

        await transact(self._database, work)

    def _link(self, token: str) -> str:
        return f"{self._origin}/undo-deletion?token={token}"

    async def close(self, user: str, caller: Caller = SYSTEM) -> None:
        """Everything of a person ends at once; doing it twice changes nothing."""
        doors = self._doors
        await doors.sessions.end_all(user)
        await doors.device_tokens.end_all(user)
        await doors.liveness.changed(user, banned=False)
        await doors.grants.end_all(user, caller=caller)
        await doors.coaching.life.end_led_by(user)
        await doors.coaching.leave_all(user)

    async def undo(self, token: str, caller: Caller) -> None:
        """Keep the account whose owner was mailed this token, once; Invalid otherwise, and when it is due."""
        if not _FORM.fullmatch(token):
            raise _worthless()

        async def work(session: Session) -> None:
            now = self._clock.utc()
            query = {
                "deletion.fingerprint": fingerprint(token),
                "deletion.due_at": {"$gt": now},
                "deletion.begun_at": None,
            }
            change = {
                "$set": {"disabled_at": None, "updated_at": now},
                "$unset": {"deletion": ""},
                "$inc": {"version": 1},
            }
            found = await self._users.find_one_and_update(query, change, {"_id": 1}, session=session)
            if found is None:
                raise _worthless()
            await self._jobs.call_off("erasure", found["_id"], session)
            await self._audit.record("account.deletion_undone", caller, target=found["_id"], session=session)

        await transact(self._database, work)


def _worthless() -> Invalid:
    return Invalid("The link is not valid, or no longer.", fields={"token": "is not valid"})
