"""Which devices somebody has signed in with: a new one is told to its owner.

A device is what it calls itself, without the numbers that change with each update, in its network. Of the two
only a hash is kept.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from pymongo import ReturnDocument

from fittracker.auth.letters import Letters
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.ids import fingerprint
from fittracker.mongo import Database, Document

MOST: Final = 50
"""Of these, those seen last."""
_NUMBERS: Final = re.compile(r"[0-9][0-9._]*")


class KnownDevices:
    """The devices of all people."""

    def __init__(self, database: Database, letters: Letters, clock: Clock) -> None:
        self._users = database.users
        self._letters = letters
        self._clock = clock

    async def seen(self, person: Document, caller: Caller) -> bool:
        """Remember where somebody signs in from; whether it is new, which then is mailed to them.

        The first device of all is not: that is how everybody begins.
        """
        mark = _mark(person["_id"], caller)
        others = {"$filter": {"input": "$devices", "cond": {"$ne": ["$$this.mark", mark]}}}
        now = {"mark": mark, "at": self._clock.utc()}
        kept = {"$slice": [{"$concatArrays": [{"$ifNull": [others, []]}, [now]]}, -MOST]}
        before = await self._users.find_one_and_update(
            {"_id": person["_id"]},
            [{"$set": {"devices": kept}}],
            projection={"devices.mark": 1},
            return_document=ReturnDocument.BEFORE,
        )
        devices = before.get("devices") if before else None
        if not devices or any(each["mark"] == mark for each in devices):
            return False
        await self._letters.report(person, "new_sign_in", caller)
        return True


def _mark(user: str, caller: Caller) -> str:
    return fingerprint("\n".join((user, _NUMBERS.sub("", caller.device), _network(caller.address))))


def _network(address: str) -> str:
    """The network an address is in; providers give new addresses out of it every day."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    bits = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, bits), strict=False))
