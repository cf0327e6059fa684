"""The digest: what somebody has not read for a while, in one mail for each kind that they want mailed."""

from __future__ import annotations

from typing import Final

from fittracker.clock import Clock, rfc3339
from fittracker.inbox.deliveries import Deliveries
from fittracker.inbox.entries import text_of
from fittracker.mail import Mail
from fittracker.mongo import Database, Document, Session, transact
from fittracker.present import names

TEMPLATE: Final = "notifications"
LISTED: Final = 10


class Digest:
    """Mails what is unread; each entry once, unless it grew since."""

    def __init__(
        self, database: Database, deliveries: Deliveries, mail: Mail, clock: Clock, *, origin: str
    ) -> None:
        self._database = database
        self._entries = database.notifications
        self._users = database.users
        self._deliveries = deliveries
        self._mail = mail
        self._clock = clock
        self._origin = origin

    async def send(self, delivery: Document, person: Document) -> None:
        """Put a mail into the outbox with all of this kind that is unread and was not mailed; or none."""

        async def work(session: Session) -> None:
            query = {"user": delivery["user"], "open": True, "to_mail": True, "kind": delivery["kind"]}
            found = await self._entries.find(query, sort=[("changed_at", -1)], session=session).to_list()
            if found:
                await self._queue(person, delivery["kind"], found, session)
                ids = {"$in": [each["_id"] for each in found]}
                await self._entries.update_many({"_id": ids}, {"$set": {"to_mail": False}}, session=session)
                # What no inbox shows is over once it was sent.
                await self._entries.update_many(
                    {"_id": ids, "shown": False}, {"$set": {"open": False}}, session=session
                )
            await self._deliveries.done(delivery, session)

        await transact(self._database, work)

    async def _queue(self, person: Document, kind: str, found: list[Document], session: Session) -> None:
        known = await names(self._users, {actor for each in found for actor in each["actors"]})
        lines = [{"text": text_of(each, known), "at": rfc3339(each["changed_at"])} for each in found[:LISTED]]
        await self._mail.queue(
            person["email"],
            TEMPLATE,
            user=person["_id"],
            kind=kind,
            session=session,
            news=lines,
            count=len(found),
            more=max(0, len(found) - LISTED),
            link=f"{self._origin}/",
        )
