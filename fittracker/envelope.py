"""A letter as it travels: RFC 5322, multipart/alternative, the plain text first."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any, Final

from fittracker.stationery import Letter

ONE_CLICK: Final = "List-Unsubscribe=One-Click"
_WHOLE: Final = frozenset({"list-unsubscribe", "message-id"})


class _Wire(EmailPolicy):
    """SMTP's own, but addresses and ids in headers stay whole: encoded words would make them useless."""

    def _fold(self, name: str, value: Any, refold_binary: bool = False) -> str:
        if name.lower() in _WHOLE:
            return f"{name}: {value}{self.linesep}"
        folded: str = super()._fold(name, value, refold_binary)  # type: ignore[misc]
        return folded


WIRE: Final = _Wire(linesep=SMTP.linesep)


def address_of(mail_from: str) -> str:
    """The bare address of `Name <address>`."""
    return parseaddr(mail_from)[1]


def seal_envelope(letter: Letter, *, mail_from: str, message_id: str, at: datetime) -> bytes:
    """The letter's bytes. ValueError where an address or the subject would smuggle a header in."""
    message = EmailMessage(policy=WIRE)
    message["From"] = mail_from
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id
    # Answers of machines, such as out-of-office notes, are not wanted (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if letter.unsubscribe:
        message["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        message["List-Unsubscribe-Post"] = ONE_CLICK
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message.as_bytes()
