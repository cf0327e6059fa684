"""What waits to be sent, in MongoDB: put in once, taken by one worker at a time, tried again, given up."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from prometheus_client import Counter, Gauge
from pymongo import ReturnDocument

from fittracker.clock import Clock
from fittracker.ids import new_id
from fittracker.letters import Urgency
from fittracker.mongo import Database, Document, Session
from fittracker.observability import logger

log = logger(__name__)

sent = Counter("fittracker_mails_sent", "Mails a mail server took", ["template"])
delayed = Counter("fittracker_mails_delayed", "Attempts that failed and will be repeated")
given_up = Counter("fittracker_mails_given_up", "Mails nobody took", ["template"])
withheld = Counter(
    "fittracker_mails_withheld", "Mails of a kind that the person has turned off", ["template"]
)
waiting = Gauge("fittracker_mails_waiting", "Mails in the outbox of all workers")
oldest = Gauge("fittracker_mails_oldest_seconds", "Age of the oldest mail in the outbox, 0 where none is")

LEASE_S: Final = 60
FIRST_RETRY_S: Final = 5
LONGEST_RETRY_S: Final = 3_600
LONGEST_AWAY_S: Final = 300
"""While there is no server, a mail is tried more often: it is not the mail's fault."""
KEPT: Final = timedelta(days=2)
_SLACK: Final = timedelta(hours=6)
"""After it was to be given up a worker has so long to say so, before MongoDB deletes what is left."""


class Outbox:
    """The mails of all workers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._mails = database.mails
        self._clock = clock

    async def put(
        self, template: str, letter: Document, urgency: Urgency, session: Session | None, **more: str | None
    ) -> None:
        """Keep a sealed letter until somebody has taken it; with `session` only if its transaction holds."""
        now = self._clock.utc()
        document = {
            "_id": new_id(),
            "template": template,
            "letter": letter,
            "urgency": int(urgency),
            "attempts": 0,
            "next_at": now,
            "created_at": now,
            "give_up_at": now + KEPT,
            "expires_at": now + KEPT + _SLACK,
            "schema_version": 2,
            **more,
        }
        await self._mails.insert_one(document, session=session)

    async def take(self) -> Document | None:
        """The most urgent mail that is due, of those the one that is due longest; None where none is.

        Whoever takes it has a minute; if this worker dies meanwhile, another one tries again.
        """
        now = self._clock.utc()
        taken: Document | None = await self._mails.find_one_and_update(
            # Every urgency is named, so that the index is read once for each and never past what is due.
            {"urgency": {"$in": [int(each) for each in Urgency]}, "next_at": {"$lte": now}},
            {"$set": {"next_at": now + timedelta(seconds=LEASE_S)}, "$inc": {"attempts": 1}},
            sort=[("urgency", 1), ("next_at", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return taken

    async def done(self, mail: Document) -> None:
        """A server took it."""
        await self._mails.delete_one({"_id": mail["_id"]})
        sent.labels(mail["template"]).inc()

    async def withhold(self, mail: Document) -> None:
        """The person does not want it any more."""
        await self._mails.delete_one({"_id": mail["_id"]})
        withheld.labels(mail["template"]).inc()

    async def later(self, mail: Document, reason: str, *, longest_s: int = LONGEST_RETRY_S) -> None:
        """Try again after 5, 10, 20 s and so on; give up where the two days would be over by then."""
        pause = min(FIRST_RETRY_S * 2 ** min(mail["attempts"] - 1, 12), longest_s)
        next_at = self._clock.utc() + timedelta(seconds=pause)
        if next_at >= mail["give_up_at"]:
            await self.give_up(mail, reason)
            return
        await self._mails.update_one({"_id": mail["_id"]}, {"$set": {"next_at": next_at}})
        delayed.inc()
        log.warning("mail_delayed", mail=mail["_id"], template=mail["template"], reason=reason)

    async def give_up(self, mail: Document, reason: str) -> None:
        """Forget a mail, and the address with it; the log says why, not to whom."""
        await self._mails.delete_one({"_id": mail["_id"]})
        given_up.labels(mail["template"]).inc()
        log.error("mail_given_up", mail=mail["_id"], template=mail["template"], reason=reason)

    async def measure(self) -> None:
        """Set the gauges."""
        waiting.set(await self._mails.estimated_document_count())
        first = await self._mails.find_one({}, {"created_at": 1}, sort=[("expires_at", 1)])
        age = self._clock.utc() - first["created_at"] if first else timedelta(0)
        oldest.set(max(0.0, age.total_seconds()))
