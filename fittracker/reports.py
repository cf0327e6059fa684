"""Reports: somebody tells whoever runs the place that another person behaves badly, and what became of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pymongo.errors import DuplicateKeyError

from fittracker.audit import Audit
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.errors import Conflict, Invalid, NotFound, RateLimited
from fittracker.ids import is_id, new_id
from fittracker.mongo import Database, Document, Session, transact
from fittracker.paging import Cursor
from fittracker.present import is_present, names

REASONS: Final = ("spam", "harassment", "impersonation", "unsafe_advice", "other")
STATES: Final = ("open", "in_review", "resolved", "dismissed")
UNDECIDED: Final = frozenset({"open", "in_review"})
MOST_A_DAY: Final = 20
A_DAY: Final = timedelta(days=1)
LONGEST_TEXT: Final = 2_000
LONGEST_NOTE: Final = 2_000


class Reports:
    """All reports. While one is undecided (`active`), the same person's same complaint is the same report."""

    def __init__(self, database: Database, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._reports = database.reports
        self._users = database.users
        self._audit = audit
        self._clock = clock

    async def make(self, user: str, reason: str, text: str | None, caller: Caller) -> None:
        """The caller complains about a person.

        NotFound where there is nobody, Invalid about oneself, RateLimited after 20 on a day. The same
        complaint again, while the first is undecided, changes nothing and counts for nothing.
        """
        if user == caller.user:
            raise Invalid("Nobody needs to report themselves.", fields={"id": "is yourself"})
        if not await is_present(self._users, user):
            raise NotFound("There is no such person.")

        async def work(session: Session) -> None:
            await self._make(user, reason, text, caller, session)

        try:
            await transact(self._database, work)
        except DuplicateKeyError:
            return  # the same one was made at this very moment

    async def _make(self, user: str, reason: str, text: str | None, caller: Caller, session: Session) -> None:
        complaint = {"reporter": caller.user, "user": user, "reason": reason}
        same = {**complaint, "active": True}
        if await self._reports.find_one(same, {"_id": 1}, session=session) is not None:
            return
        now = self._clock.utc()
        await self._check_rate(caller, now, session)
        report = {
            "_id": new_id(),
            **same,
            "text": text,
            "state": "open",
            "created_at": now,
            "handled_by": None,
            "note": None,
            "schema_version": 1,
        }
        await self._reports.insert_one(report, session=session)
        about = {"report": report["_id"], "reason": reason}
        await self._audit.record("report.made", caller, target=user, session=session, **about)

    async def _check_rate(self, caller: Caller, now: datetime, session: Session) -> None:
        """Counted from what is stored, so that repeating a complaint costs nothing."""
        lately = {"reporter": caller.user, "created_at": {"$gt": now - A_DAY}}
        found = await self._reports.find(
            lately, {"created_at": 1}, sort=[("created_at", -1)], limit=MOST_A_DAY, session=session
        ).to_list()
        if len(found) == MOST_A_DAY:
            wait = found[-1]["created_at"] + A_DAY - now
            raise RateLimited(
                f"More than {MOST_A_DAY} reports a day are not taken.",
                retry_after_ms=round(wait.total_seconds() * 1000),
            )

    async def page(
        self, state: str | None, cursor: str | None, limit: int
    ) -> tuple[list[Document], str | None]:
        """Reports (in a state, or all), newest first, with `reporter_name` and `user_name`; the next cursor.

        A name is "" where the person was deleted.
        """
        query: Document = {} if state is None else {"state": state}
        found, following = await Cursor("created_at").page(self._reports, query, limit, cursor)
        return await self._named(found), following

    async def change(self, report_id: str, state: str | None, note: str | None, caller: Caller) -> Document:
        """Decide on a report, or take it up again, or note something; the report after it.

        None leaves what is there. NotFound where there is no such report; Conflict where it should become
        undecided again and the same complaint was made anew meanwhile.
        """
        if state is not None and state not in STATES:
            raise Invalid("There is no such state.", fields={"state": "must be " + " or ".join(STATES)})

        async def work(session: Session) -> Document | None:
            changed = await self._change(report_id, state, note, caller, session)
            if changed is not None:
                await self._audit.record(
                    "report.changed",
                    caller,
                    target=changed["user"],
                    session=session,
                    report=report_id,
                    state=changed["state"],
                )
            return changed

        try:
            changed = await transact(self._database, work) if is_id(report_id) else None
        except DuplicateKeyError as error:
            raise Conflict("The same complaint was made again, and that one is open.") from error
        if changed is None:
            raise NotFound("There is no such report.")
        return (await self._named([changed]))[0]

    async def _change(
        self, report_id: str, state: str | None, note: str | None, caller: Caller, session: Session
    ) -> Document | None:
        values: Document = {"handled_by": caller.user, "handled_at": self._clock.utc()}
        update: Document = {"$set": values}
        if note is not None:
            values["note"] = note
        if state is not None:
            values["state"] = state
            if state in UNDECIDED:
                values["active"] = True
            else:
                update["$unset"] = {"active": ""}
        await self._reports.update_one({"_id": report_id}, update, session=session)
        return await self._reports.find_one({"_id": report_id}, session=session)

    async def _named(self, reports: list[Document]) -> list[Document]:
        known = await names(self._users, [each[side] for each in reports for side in ("reporter", "user")])
        for each in reports:
            each["reporter_name"] = known.get(each["reporter"], "")
            each["user_name"] = known.get(each["user"], "")
        return reports
