"""Mails of a kind, stopped with one click and without signing in, and turned on again.

The token names the person and the kind and proves that we made it: an HMAC with a key of that person's own,
which opens nothing else. It lives as long as the account, whatever becomes of the server's keys.
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import Final

from fittracker.errors import Invalid
from fittracker.ids import new_secret
from fittracker.mongo import Database
from fittracker.observability import logger
from fittracker.preferences import ALWAYS, NOTIFICATIONS

log = logger(__name__)

PATH: Final = "/api/v1/mail/unsubscribe"
PREFIX: Final = "ftu_"
STOPPABLE: Final = frozenset(NOTIFICATIONS) - ALWAYS
_FORM: Final = re.compile(PREFIX + r"([0-9a-f]{24})\.([a-z_]{1,40})\.([A-Za-z0-9_-]{43})", re.ASCII)


class Unsubscribing:
    """Tokens for the foot of a mail, and what they do."""

    def __init__(self, database: Database, *, origin: str) -> None:
        self._users = database.users
        self._origin = origin

    async def address(self, user: str, kind: str) -> str:
        """Where this person stops mails of this kind; empty for what cannot be stopped."""
        return f"{self._origin}{PATH}?token={await self.token(user, kind)}" if kind in STOPPABLE else ""

    async def token(self, user: str, kind: str) -> str:
        """The same whenever it is asked for. Invalid where there is no such person."""
        query = {"_id": user, "mail_key": {"$exists": False}}
        await self._users.update_one(query, {"$set": {"mail_key": new_secret()}})
        key = await self._key(user)
        if key is None:
            raise Invalid("There is no such person.")
        return f"{PREFIX}{user}.{kind}.{_proof(key, user, kind)}"

    async def read(self, token: str) -> tuple[str, str]:
        """The person and the kind that a token names; Invalid for one that we have not made."""
        found = _FORM.fullmatch(token)
        if found is not None and found[2] in STOPPABLE:
            user, kind, proof = found.groups()
            key = await self._key(user)
            if key is not None and hmac.compare_digest(proof, _proof(key, user, kind)):
                return user, kind
        raise Invalid("This link is not valid.", fields={"token": "is not valid"})

    async def _key(self, user: str) -> str | None:
        person = await self._users.find_one({"_id": user}, {"mail_key": 1})
        return person.get("mail_key") if person else None


def _proof(key: str, user: str, kind: str) -> str:
    digest = hmac.digest(key.encode(), f"unsubscribe {user} {kind}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
