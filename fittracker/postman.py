"""The way to the mail server: one connection, kept while there is something to send."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import aiosmtplib

from config.settings import Settings

PATIENCE_S: Final = 15.0
"""For each answer of the server."""
ALL_S: Final = 45.0
"""For a whole mail; less than the outbox leases one for, else two workers would send it."""
GOODBYE_S: Final = 2.0
CLOSING: Final = 421


class ServerAway(Exception):  # noqa: N818  it reads as what it is
    """There is no server to send with: not there, deaf, or it does not let us in. No mail is to blame."""


class MailRefused(Exception):  # noqa: N818
    """The server does not take this mail; `for_good` where it never will. `reason` holds no address."""

    def __init__(self, reason: str, *, for_good: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.for_good = for_good


class _Dropped(Exception):  # noqa: N818
    """The connection ended before the server had an answer for the mail."""


class Postman:
    """Sends one mail after the other. One of them per worker; its methods are not called side by side."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._smtp: aiosmtplib.SMTP | None = None

    async def deliver(self, sender: str, to: str, message: bytes) -> None:
        """Hand over a mail. When this returns, the server has taken it; ServerAway or MailRefused otherwise.

        A connection that has been used before may have been closed meanwhile: that costs one more attempt.
        """
        try:
            async with asyncio.timeout(ALL_S):
                await self._deliver(sender, to, message)
        except TimeoutError as error:
            self._drop()
            raise ServerAway("it takes too long") from error
        except BaseException as error:
            if not isinstance(error, MailRefused):
                self._drop()  # also when we are to end: half a mail may be on its way
            raise

    async def _deliver(self, sender: str, to: str, message: bytes) -> None:
        if self._smtp is not None:
            with contextlib.suppress(_Dropped):
                await self._hand_over(self._smtp, sender, to, message)
                return
        smtp = await self._connect()
        try:
            await self._hand_over(smtp, sender, to, message)
        except _Dropped as error:
            # It let us in and hung up at this mail: perhaps at every mail, perhaps only at this one.
            raise MailRefused(str(error), for_good=False) from error

    async def rest(self) -> None:
        """Say goodbye to the server; the next mail makes a new connection."""
        if self._smtp is not None:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await self._smtp.quit(timeout=GOODBYE_S)
            self._drop()

    async def _connect(self) -> aiosmtplib.SMTP:
        settings = self._settings
        self._smtp = smtp = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user or None,
            password=settings.smtp_password or None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            timeout=PATIENCE_S,
        )
        try:
            await smtp.connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise ServerAway(_reason(error)) from error
        return smtp

    async def _hand_over(self, smtp: aiosmtplib.SMTP, sender: str, to: str, message: bytes) -> None:
        try:
            await smtp.sendmail(sender, [to], message)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise self._refused(smtp, error.recipients[0]) from error
        except aiosmtplib.SMTPResponseException as error:
            raise self._refused(smtp, error) from error
        except aiosmtplib.SMTPTimeoutError as error:
            raise ServerAway(_reason(error)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            self._drop()
            raise _Dropped(_reason(error)) from error

    def _refused(self, smtp: aiosmtplib.SMTP, error: aiosmtplib.SMTPResponseException) -> Exception:
        if error.code == CLOSING:
            self._drop()
            return _Dropped(_reason(error))
        if not smtp.is_connected:
            self._drop()
        # A server that refuses the sender refuses us, whoever we write to: that can be mended.
        ours = isinstance(error, aiosmtplib.SMTPSenderRefused)
        return MailRefused(_reason(error), for_good=error.code >= 500 and not ours)

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def _reason(error: Exception) -> str:
    """Kind and code, never the server's text: it likes to repeat the address."""
    return f"{type(error).__name__} {getattr(error, 'code', '')}".strip()
