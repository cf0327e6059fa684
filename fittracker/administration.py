"""What administrators do to accounts: find them, give them another role, disable and enable them.

A change and its entry in the audit log are one transaction. It also writes to the document of the
administrator who makes it, so that two who take each other's role at one moment are in each other's way: one
of them is no administrator any more when it is tried again. Nobody can change themselves. So whoever made
the last change still is an administrator, and there always is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fittracker.audit import Audit
from fittracker.auth.device_tokens import DeviceTokens
from fittracker.auth.emails import canonical
from fittracker.auth.liveness import Liveness, State
from fittracker.auth.sessions import Sessions
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.coaching.sessions import Coaching
from fittracker.errors import Conflict, Forbidden, Invalid, NotFound
from fittracker.grants import Grants
from fittracker.ids import is_id
from fittracker.mongo import Database, Document, Session, transact
from fittracker.paging import Cursor

ROLES: Final = ("user", "trainer", "admin")
REASONS: Final = ("request", "staff", "abuse", "security", "mistake", "other")
"""Why an account is changed. Words of ours, for the audit log outlives the account."""
_SHOWN: Final = dict.fromkeys(
    ("email", "name", "role", "created_at", "verified_at", "disabled_at", "deletion.due_at"), 1
)
_DATE: Final[Document] = {"$type": "date"}
_HIGHEST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Doors:
    """What stands open because of an account, and is closed with it."""

    sessions: Sessions
    device_tokens: DeviceTokens
    liveness: Liveness
    grants: Grants
    coaching: Coaching


@dataclass(frozen=True, slots=True)
class _Change:
    """What a transaction did: the account before and after, and the sign-ins that it ended."""

    before: Document
    after: Document
    ended: list[str]


class Administration:
    """The accounts of all people, for those who look after them."""

    def __init__(self, database: Database, doors: Doors, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._users = database.users
        self._sessions = database.sessions
        self._doors = doors
        self._audit = audit
        self._clock = clock

    # -- looking -------------------------------------------------------------------------------------

    async def page(
        self, search: Mapping[str, Any], limit: int, cursor: str | None, caller: Caller
    ) -> tuple[list[Document], str | None]:
        """Accounts, newest first, and the cursor of the next page.

        `search`, all of it optional: `query` (an e-mail address, or what a name begins with), `role`,
        `disabled`, `deleting` and `verified` (true or false), `since` and `until` (created in that half-open
        span).
        """
        found, following = await Cursor("created_at").page(
            self._users, _matching(search), limit, cursor, shown=_SHOWN
        )
        used = sorted(name for name, value in search.items() if value is not None)
        whom = found[0]["_id"] if len(found) == 1 else None
        await self._audit.record("admin.looked", caller, target=whom, what="users", filters=used)
        return await self._completed(found), following

    async def get(self, user: str, caller: Caller, what: str = "user") -> Document:
        """One account; NotFound where there is none. `what` is being looked at, for the audit log."""
        found = await self._find(user)
        await self._audit.record("admin.looked", caller, target=user, what=what)
        return (await self._completed([found]))[0]

    async def sessions(self, user: str, caller: Caller) -> list[Document]:
        """Where a person is signed in; NotFound where there is nobody."""
        await self.get(user, caller, "sessions")
        return await self._doors.sessions.of_user(user)

    async def _find(self, user: str) -> Document:
        found = await self._users.find_one({"_id": user}, _SHOWN) if is_id(user) else None
        if found is None:
            raise NotFound("There is no such person.")
        return found

    async def _completed(self, people: list[Document]) -> list[Document]:
        """With `deletion_due_at`, and when each signed in last (`last_sign_in_at`), where that is known."""
        latest = await self._sessions.aggregate(
            [
                {"$match": {"user": {"$in": [each["_id"] for each in people]}}},
                {"$group": {"_id": "$user", "at": {"$max": "$created_at"}}},
            ]
        )
        signed_in = {each["_id"]: each["at"] async for each in latest}
        for each in people:
            each["deletion_due_at"] = (each.pop("deletion", None) or {}).get("due_at")
            each["last_sign_in_at"] = signed_in.get(each["_id"])
        return people

    # -- changing ------------------------------------------------------------------------------------

    async def change(
        self, user: str, role: str | None, disabled: bool | None, reason: str, caller: Caller
    ) -> Document:
        """Give somebody another role, disable or enable them; the account after it. None: as it is.

        NotFound for nobody, Conflict for oneself, for one that waits for its deletion, and for somebody who
        never proved their address; Forbidden where the caller is no administrator any more. It takes effect
        at once and everywhere (see `_enforce`), also when it is asked for again.
        """
        if not is_id(user):
            raise NotFound("There is no such person.")
        if role is None and disabled is None:
            raise Invalid("Say what to change.", fields={"role": "is missing, and so is disabled"})
        if user == caller.user:
            raise Conflict(
                "Nobody changes their own role, or disables themselves; ask another administrator."
            )

        async def work(session: Session) -> _Change:
            await self._touch(caller, session)
            before = await self._changeable(user, disabled, session)
            after = {**before, **self._values(before, role, disabled)}
            await self._store(before, after, reason, caller, session)
            ends = _is_out(after) or before["role"] != after["role"]
            mark = self._doors.sessions.mark_all
            return _Change(before, after, await mark(user, "account changed", session) if ends else [])

        change = await transact(self._database, work)
        await self._enforce(change, caller)
        return (await self._completed([await self._find(user)]))[0]

    async def _touch(self, caller: Caller, session: Session) -> None:
        """Make sure that the caller is an administrator until this is stored."""
        acting = {"_id": caller.user, "role": "admin", "disabled_at": None}
        touched = await self._users.update_one(
            acting, {"$set": {"administered_at": self._clock.utc()}}, session=session
        )
        if touched.matched_count == 0:
            raise Forbidden("Only admin may do that.")

    async def _changeable(self, user: str, disabled: bool | None, session: Session) -> Document:
        """The account as it is, unless it cannot be changed like this."""
        person = await self._users.find_one({"_id": user}, session=session)
        if person is None:
            raise NotFound("There is no such person.")
        if disabled is not None and person.get("deletion") is not None:
            raise Conflict("The account waits for its deletion, which only its owner can undo.")
        if person["verified_at"] is None:
            # Whoever registers the address anew takes the place of this one.
            raise Conflict("Nobody has proved yet that the address is theirs.")
        return person

    def _values(self, before: Document, role: str | None, disabled: bool | None) -> Document:
        """The fields that are to be changed, and only those that do change."""
        values: Document = {}
        if role is not None and role != before["role"]:
            values["role"] = role
        if disabled is not None and disabled is not _is_out(before):
            values["disabled_at"] = self._clock.utc() if disabled else None
        return values

    async def _store(
        self, before: Document, after: Document, reason: str, caller: Caller, session: Session
    ) -> None:
        """Write what differs, and to the audit log."""
        changed = {name: after[name] for name in ("role", "disabled_at") if after[name] != before[name]}
        if not changed:
            return
        user = before["_id"]
        await self._users.update_one(
            {"_id": user},
            {"$set": {**changed, "updated_at": self._clock.utc()}, "$inc": {"version": 1}},
            session=session,
        )
        if "role" in changed:
            roles = {"before": before["role"], "after": after["role"]}
            await self._audit.record(
                "role.changed", caller, target=user, session=session, reason=reason, **roles
            )
        if "disabled_at" in changed:
            event = "account.disabled" if _is_out(after) else "account.enabled"
            await self._audit.record(event, caller, target=user, session=session, reason=reason)

    async def _enforce(self, change: _Change, caller: Caller) -> None:
        """Close what stood open, on every worker.

        Who is disabled loses sessions, device tokens and sockets (4503). Grants and planned sessions stay:
        nobody can use them meanwhile. Who has another role signs in again (4010), device tokens stay. Who is
        no trainer any more loses the grants, and the coaching sessions they lead end.
        """
        user, doors, out = change.after["_id"], self._doors, _is_out(change.after)
        if out or change.before["role"] != change.after["role"]:
            # First: sockets of ended sessions close with 4010, as if one could sign in again.
            await doors.liveness.changed(user, banned=out)
            await doors.sessions.sweep(user, change.ended, "account changed")
        if out:
            await doors.device_tokens.end_all(user)
        else:
            await self._tell_devices(change.after)
        if change.after["role"] != "trainer":
            await doors.coaching.life.end_led_by(user)
            await doors.grants.end_all(user, given=False, caller=caller)

    async def _tell_devices(self, person: Document) -> None:
        """Device tokens live on; what is known of their owner is another role now."""
        user = person["_id"]
        for each in await self._doors.device_tokens.of_user(user):
            state = State(each["_id"], user, person["name"], person["role"], tuple(each["scopes"]))
            await self._doors.liveness.update(each["fingerprint"], state)

    async def end_sessions(self, user: str, caller: Caller) -> None:
        """End all sessions of a person; device tokens stay. NotFound where there is nobody."""
        await self._find(user)

        async def work(session: Session) -> list[str]:
            ended = await self._doors.sessions.mark_all(user, "ended by an administrator", session)
            await self._audit.record(
                "admin.sessions_ended", caller, target=user, session=session, sessions=len(ended)
            )
            return ended

        ended = await transact(self._database, work)
        await self._doors.sessions.sweep(user, ended, "ended by an administrator")

    async def end_session(self, user: str, sid: str, caller: Caller) -> None:
        """End one session of a person; NotFound where they have no such."""
        await self._doors.sessions.end(user, sid, caller)


def _is_out(person: Mapping[str, Any]) -> bool:
    """Whether the account is disabled."""
    return person["disabled_at"] is not None


def _matching(search: Mapping[str, Any]) -> Document:
    """The query: literal values and ranges alone, never a pattern of the caller's."""
    every: list[Document] = []
    if (text := search.get("query")) is not None:
        every.append(_named(text))
    if search.get("role") is not None:
        every.append({"role": search["role"]})
    if (disabled := search.get("disabled")) is not None:
        every.append({"disabled_at": _DATE if disabled else None})
    if (deleting := search.get("deleting")) is not None:
        # Who waits for it is disabled as well: so the index of the disabled ones serves both.
        every.append({"disabled_at": _DATE, "deletion.due_at": _DATE} if deleting else {"deletion": None})
    if (verified := search.get("verified")) is not None:
        every.append({"verified_at": _DATE if verified else None})
    if search.get("since") is not None:
        every.append({"created_at": {"$gte": search["since"]}})
    if search.get("until") is not None:
        every.append({"created_at": {"$lt": search["until"]}})
    return {"$and": every} if every else {}


def _named(text: str) -> Document:
    """By the address, or by how the name begins, in the usual spellings of upper and lower case."""
    if "@" in text:
        try:
            return {"email": canonical(text)}
        except Invalid as error:
            raise Invalid(error.detail, fields={"query": "is no e-mail address"}) from error
    spellings = dict.fromkeys((text, text.lower(), text.upper(), text.title()))
    return {"$or": [{"name": {"$gte": each, "$lt": each + _HIGHEST}} for each in spellings]}
