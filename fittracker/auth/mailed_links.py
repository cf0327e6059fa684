"""Links that are mailed: whoever follows one has proven that the address is theirs.

The token in a link has 256 random bits; of it the account keeps the hash and the end, in one field for each
kind of link, so a newer link makes the older one worthless. Redeeming it is part of the one write that does
what it stands for: `query` finds the account by a token that is still good, and whoever writes unsets the
field. Of twenty who try at once, one wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from fittracker.auth.letters import Letters
from fittracker.clock import Clock
from fittracker.errors import Invalid
from fittracker.ids import fingerprint, new_secret
from fittracker.mongo import Document

MINUTES: Final = 60
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a link is for: the account's field, the token's prefix, the page it opens, the mail it is in."""

    field: str
    prefix: str
    page: str
    template: str


VERIFY: Final = Kind("verify", "ftv_", "verify", "verify_email")
RESET: Final = Kind("reset", "ftp_", "reset-password", "reset_password")
NEW_EMAIL: Final = Kind("email_change", "fte_", "confirm-email", "confirm_new_email")


class MailedLinks:
    """Makes links and mails them. They point to the configured origin, whatever host was asked."""

    def __init__(self, letters: Letters, clock: Clock, *, origin: str) -> None:
        self._letters = letters
        self._clock = clock
        self._origin = origin

    def make(self, kind: Kind, **more: Any) -> tuple[str, Document]:
        """A new token, and what the account keeps of it, with whatever else belongs to it."""
        token = kind.prefix + new_secret()
        ends = self._clock.utc() + timedelta(minutes=MINUTES)
        return token, {"fingerprint": fingerprint(token), "expires_at": ends, **more}

    def query(self, kind: Kind, token: str) -> Document:
        """What finds the account of a token that is still good; Invalid for what has not even its form."""
        secret = token.removeprefix(kind.prefix)
        if secret == token or not _SECRET.fullmatch(secret):
            raise worthless()
        return {
            f"{kind.field}.fingerprint": fingerprint(token),
            f"{kind.field}.expires_at": {"$gt": self._clock.utc()},
        }

    async def may_mail(self, kind: Kind, address: str) -> bool:
        """Whether one more goes to this address within the hour.

        To be asked before the token is stored: else the link that was mailed last would die, for none.
        """
        return await self._letters.may_write(address, kind.template)

    async def mail(self, kind: Kind, address: str, token: str) -> None:
        """Send it."""
        link = f"{self._origin}/{kind.page}?token={token}"
        await self._letters.write(address, kind.template, link=link, minutes=MINUTES)


def worthless() -> Invalid:
    """The refusal of a link: used, too old, replaced by a newer one, or never made."""
    return Invalid("The link is not valid, or no longer.", fields={"token": "is not valid"})
