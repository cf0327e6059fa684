"""Mails: written from templates, put into an outbox, sent from there until the server takes them.

Whoever causes a mail waits only for the outbox. What waits there is sealed: it may hold a link that opens an
account. A mail that was taken is deleted; one that nobody takes is given up after two days.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from email.utils import make_msgid
from typing import Any, Final

import msgspec

from config.settings import Settings
from fittracker.background import end
from fittracker.clock import Clock
from fittracker.envelope import address_of, seal_envelope
from fittracker.letters import TEMPLATES
from fittracker.mongo import DATABASE_ERRORS, Database, Document, Session
from fittracker.observability import logger
from fittracker.outbox import LONGEST_AWAY_S, Outbox
from fittracker.postman import MailRefused, Postman, ServerAway
from fittracker.preferences import wants
from fittracker.sealing import Seal, Unsealable
from fittracker.stationery import Letter, Stationery
from fittracker.unsubscribing import Unsubscribing

log = logger(__name__)

LOOK_S: Final = 5.0
LAST_MAIL_S: Final = 5.0
_READER: Final = {"time_zone": 1, "preferences": 1}


class Mail:
    """The outbox of all workers; each of them sends what is due."""

    def __init__(self, settings: Settings, database: Database, seal: Seal, clock: Clock) -> None:
        self._sender = settings.mail_from
        self._users = database.users
        self._seal = seal
        self._outbox = Outbox(database, clock)
        self._postman = Postman(settings)
        self._stationery = Stationery(settings.public_origin)
        self._unsubscribing = Unsubscribing(database, origin=settings.public_origin)
        self._more = asyncio.Event()
        self._ending = asyncio.Event()

    async def queue(
        self,
        to: str,
        template: str,
        /,
        *,
        user: str | None = None,
        kind: str | None = None,
        session: Session | None = None,
        **values: Any,
    ) -> None:
        """Write a letter and put it into the outbox; from here on it is not forgotten.

        Moments are shown in the zone of the person `user`, or of whose address it is, else in UTC. A mail of
        a `kind` (see fittracker/preferences.py; most templates have their own) is not written to who has
        turned that off. With `session` it is only sent if the transaction holds.
        """
        whose = {"email": to} if user is None else {"_id": user}
        person = await self._users.find_one(whose, _READER, session=session)
        kind = kind or TEMPLATES[template].kind if template in TEMPLATES else None
        if kind is not None and (person is None or not wants(person, kind, "mail")):
            return
        stop = await self._unsubscribing.address(person["_id"], kind) if person and kind else ""
        letter = self._stationery.write(
            to,
            template,
            values,
            time_zone=person["time_zone"] if person else "UTC",
            kind=kind,
            unsubscribe=stop,
        )
        await self._outbox.put(
            template,
            self._seal.close(msgspec.json.encode(letter)),
            TEMPLATES[template].urgency,
            session,
            # Made here, so that a mail that goes out twice is one for whoever reads it.
            message_id=make_msgid(domain=address_of(self._sender).rpartition("@")[2]),
            user=person["_id"] if person and kind else None,
            kind=kind,
        )
        self._more.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send in the background; what is not sent at the end another worker sends.

        The mail at hand is brought to its end, if the server is quick.
        """
        self._ending.clear()
        task = asyncio.get_running_loop().create_task(self._run(), name="mail-outbox")
        try:
            yield
        finally:
            self._ending.set()
            self._more.set()
            await asyncio.wait({task}, timeout=LAST_MAIL_S)
            await end(task)
            await self._postman.rest()

    async def _run(self) -> None:
        while not self._ending.is_set():
            self._more.clear()
            away = await self._round()
            # New mails cannot be sent either while there is no server: only the end is worth waking up for.
            wake = self._ending if away else self._more
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await wake.wait()

    async def _round(self) -> bool:
        """Send all that is due; True where that ended because there is no server."""
        try:
            while not self._ending.is_set() and await self.send_one():
                pass
            await self._outbox.measure()
        except ServerAway:
            return True
        except DATABASE_ERRORS as error:
            log.warning("outbox_unreadable", reason=type(error).__name__)
        except Exception:
            log.exception("outbox_failed")  # nobody else would go on
        await self._postman.rest()
        return False

    async def send_one(self) -> bool:
        """Try the mail that comes first; False where none is due. ServerAway where there is no server."""
        mail = await self._outbox.take()
        if mail is None:
            return False
        try:
            if not await self._still_wanted(mail):
                await self._outbox.withhold(mail)
                return True
            await self._deliver(mail)
        except ServerAway as away:
            await self._outbox.later(mail, str(away), longest_s=LONGEST_AWAY_S)
            raise
        except MailRefused as refused:
            end_it = self._outbox.give_up if refused.for_good else self._outbox.later
            await end_it(mail, refused.reason)
        except (Unsealable, ValueError) as error:
            await self._outbox.give_up(mail, type(error).__name__)
        except DATABASE_ERRORS:
            raise
        except Exception as error:
            # A defect that one mail shows must keep no other back.
            log.exception("mail_broken", mail=mail["_id"])
            await self._outbox.later(mail, type(error).__name__)
        else:
            await self._outbox.done(mail)
        return True

    async def _still_wanted(self, mail: Document) -> bool:
        """What somebody has turned off since it was written is not sent any more."""
        if mail["kind"] is None:
            return True
        person = await self._users.find_one({"_id": mail["user"]}, _READER)
        return person is not None and wants(person, mail["kind"], "mail")

    async def _deliver(self, mail: Document) -> None:
        letter = msgspec.json.decode(self._seal.open(mail["letter"]), type=Letter)
        message = seal_envelope(
            letter, mail_from=self._sender, message_id=mail["message_id"], at=mail["created_at"]
        )
        await self._postman.deliver(address_of(self._sender), letter.to, message)
