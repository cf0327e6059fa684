"""A new password for an account that has one: strong, none of the last five, and kept with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fittracker.auth.passwords import Passwords
from fittracker.errors import Invalid
from fittracker.mongo import Document

REMEMBERED: Final = 5
"""So many of the last ones are refused, the present one among them."""


@dataclass(frozen=True, slots=True)
class NewPassword:
    """What is stored of it: its hash, and those of the ones before it, newest first."""

    hash: str
    former: list[str]

    def fields(self, now: datetime) -> Document:
        """As fields of the account, in which it counts from now on."""
        return {
            "password": self.hash,
            "former_passwords": self.former,
            "password_changed_at": now,
            "updated_at": now,
        }


async def choose(passwords: Passwords, person: Document, password: str) -> NewPassword:
    """Check and hash what somebody wants as their next password; Invalid says why not."""
    await passwords.check_strength(password, [person["email"], person["name"]])
    earlier: list[str] = [each for each in (person["password"], *person.get("former_passwords", ())) if each]
    for each in earlier[:REMEMBERED]:
        if (await passwords.matches(password, each)).right:
            raise Invalid(
                "You have had this password before; choose another one.",
                fields={"password": f"was one of your last {REMEMBERED}"},
            )
    return NewPassword(await passwords.hash(password), earlier[: REMEMBERED - 1])
