"""Mails: written from templates, put into an outbox in MongoDB, sent from there until the server takes them.

Whoever causes a mail waits only for the outbox. What waits there is sealed: it may hold a link that opens an
account. A mail that was taken is deleted; one that nobody takes is given up after two days.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any, Final

import aiosmtplib
import msgspec
from prometheus_client import Counter
from pymongo import ReturnDocument

from config.settings import Settings
from fittracker.background import beside
from fittracker.clock import Clock
from fittracker.ids import new_id
from fittracker.mongo import DATABASE_ERRORS, Database, Document
from fittracker.observability import logger
from fittracker.sealing import Seal, Unsealable
from fittracker.stationery import Letter, Stationery

log = logger(__name__)

sent = Counter("fittracker_mails_sent", "Mails a mail server took", ["template"])
delayed = Counter("fittracker_mails_delayed", "Attempts that failed and will be repeated")
given_up = Counter("fittracker_mails_given_up", "Mails nobody took", ["template"])

LOOK_S: Final = 5.0
LEASE_S: Final = 60
PATIENCE_S: Final = 20.0
FIRST_RETRY_S: Final = 5
LONGEST_RETRY_S: Final = 3_600
KEPT: Final = timedelta(days=2)


class Mail:
    """The outbox of all workers; each of them sends what is due."""

    def __init__(self, settings: Settings, database: Database, seal: Seal, clock: Clock) -> None:
        self._settings = settings
        self._mails = database.mails
        self._seal = seal
        self._clock = clock
        self._users = database.users
        self._stationery = Stationery(settings.public_origin)
        self._more = asyncio.Event()

    async def queue(self, to: str, template: str, /, **values: Any) -> None:
        """Write a letter and put it into the outbox; from here on it is not forgotten."""
        person = await self._users.find_one({"email": to}, {"time_zone": 1})
        zone = person["time_zone"] if person else "UTC"
        letter = self._stationery.write(to, template, values, time_zone=zone)
        now = self._clock.utc()
        await self._mails.insert_one(
            {
                "_id": new_id(),
                "template": template,
                "letter": self._seal.close(msgspec.json.encode(letter)),
                "attempts": 0,
                "next_at": now,
                "created_at": now,
                "expires_at": now + KEPT,
                "schema_version": 1,
            }
        )
        self._more.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send in the background; what is not sent at the end another worker sends."""
        async with beside(self._run(), "mail-outbox"):
            yield

    async def _run(self) -> None:
        while True:
            self._more.clear()
            try:
                while await self.send_one():
                    pass
            except DATABASE_ERRORS as error:
                log.warning("outbox_unreadable", reason=type(error).__name__)
            except Exception:
                log.exception("outbox_failed")  # a defect in one mail must not keep all others back
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._more.wait()

    async def send_one(self) -> bool:
        """Try the mail that is due longest; False where none is."""
        now = self._clock.utc()
        # Whoever takes it has a minute; if this worker dies meanwhile, another one tries again.
        mail = await self._mails.find_one_and_update(
            {"next_at": {"$lte": now}},
            {"$set": {"next_at": now + timedelta(seconds=LEASE_S)}, "$inc": {"attempts": 1}},
            sort=[("next_at", 1)],
            return_document=ReturnDocument.AFTER,
        )
        if mail is None:
            return False
        try:
            await self._deliver(mail)
        except (aiosmtplib.SMTPException, OSError, TimeoutError, Unsealable, ValueError) as error:
            await self._later(mail, error)
        else:
            await self._mails.delete_one({"_id": mail["_id"]})
            sent.labels(mail["template"]).inc()
        return True

    async def _deliver(self, mail: Document) -> None:
        letter = msgspec.json.decode(self._seal.open(mail["letter"]), type=Letter)
        settings = self._settings
        await aiosmtplib.send(
            self._message(letter),
            recipients=[letter.to],
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user or None,
            password=settings.smtp_password or None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            timeout=PATIENCE_S,
        )

    def _message(self, letter: Letter) -> EmailMessage:
        """The mail as it travels. A line break in a header is refused by EmailMessage itself."""
        message = EmailMessage()
        message["From"] = self._settings.mail_from
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(self._clock.utc())
        message["Message-ID"] = make_msgid(domain=self._settings.mail_from.rpartition("@")[2].rstrip(">"))
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        return message

    async def _later(self, mail: Document, error: Exception) -> None:
        reason = f"{type(error).__name__} {getattr(error, 'code', '')}".strip()
        pause = min(FIRST_RETRY_S * 2 ** min(mail["attempts"] - 1, 12), LONGEST_RETRY_S)
        next_at = self._clock.utc() + timedelta(seconds=pause)
        if _hopeless(error) or next_at >= mail["expires_at"]:
            await self._mails.delete_one({"_id": mail["_id"]})
            given_up.labels(mail["template"]).inc()
            log.error("mail_given_up", mail=mail["_id"], template=mail["template"], reason=reason)
            return
        await self._mails.update_one({"_id": mail["_id"]}, {"$set": {"next_at": next_at}})
        delayed.inc()
        log.warning("mail_delayed", mail=mail["_id"], template=mail["template"], reason=reason)


def _hopeless(error: Exception) -> bool:
    """Whether trying again cannot help: the server will never take this mail, or nobody can read it."""
    if isinstance(error, Unsealable | ValueError):
        return True
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(each.code >= 500 for each in error.recipients)
    permanent = (aiosmtplib.SMTPDataError, aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPRecipientRefused)
    return isinstance(error, permanent) and error.code >= 500
