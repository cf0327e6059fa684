"""Every mail there is: its values, when it is sent, and whether somebody may do without it.

`docs/mails.md` is made from this table, and a mail that is not in it cannot be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final


class Urgency(IntEnum):
    """Which mail goes first while many wait."""

    SECURITY = 0
    BUSINESS = 1
    NEWS = 2


@dataclass(frozen=True, slots=True)
class Template:
    """A mail: `NAME.txt` and `NAME.html` in templates/email, and the values that both of them show.

    `kind`: by which notification setting a person may turn it off; None where they cannot, or where it is
    `of_many_kinds` and the sender says the kind of each mail. `to_address`: it goes to an address that may be
    anybody's.
    """

    name: str
    values: tuple[str, ...]
    when: str
    urgency: Urgency = Urgency.SECURITY
    kind: str | None = None
    of_many_kinds: bool = False
    to_address: bool = False


WHERE: Final = ("at", "device", "address")
BOOKING: Final = (
    "happened",  # requested, confirmed, cancelled, moved or reminder
    "reader",  # athlete or trainer: who gets this mail
    "other",  # the name of the other one
    "start",  # RFC 3339
    "before",  # RFC 3339: the start before it was moved; None
    "minutes",
    "place",  # a place, or the address of a call; None
    "price",  # in minor units; None
    "currency",  # ISO 4217
    "link",
)
RECEIPT: Final = (
    "number",
    "at",  # RFC 3339
    "lines",  # [{text, amount}], amounts in minor units, like the three that follow
    "net",
    "tax",
    "total",
    "currency",
    "link",
)
WEEKLY: Final = (
    "first",  # Monday and Sunday, YYYY-MM-DD
    "last",
    "now",  # the figures of the week, see fittracker/weekly.py
    "before",  # and of the week before
    "link",
)
UNREAD: Final = (
    "news",  # [{text, at}], the newest ten, at RFC 3339
    "count",
    "more",  # how many are not listed
    "link",
)

_TABLE: Final = (
    Template("verify_email", ("link", "minutes"), "an account is registered", to_address=True),
    Template("already_registered", (), "an address is registered that has an account", to_address=True),
    Template("token_reused", ("device", "since"), "a used refresh token comes back"),
    Template("reset_password", ("link", "minutes"), "a new password is asked for"),
    Template("password_changed", WHERE, "the password was changed or reset"),
    Template(
        "confirm_new_email",
        ("link", "minutes"),
        "another address is to be used: to that one",
        to_address=True,
    ),
    Template("email_changed", WHERE, "the address was changed: to the old one"),
    Template("new_sign_in", WHERE, "somebody signs in from a device that was not seen before"),
    Template("account_locked", ("at", "address"), "too many wrong passwords were tried"),
    Template("totp_changed", (*WHERE, "change"), "the second factor was turned on or off"),
    Template("recovery_code_used", (*WHERE, "left"), "a recovery code was used to sign in"),
    Template("account_deletion", ("until", "link"), "the account is to be deleted, and can still be kept"),
    Template("account_deleted", (), "the account was deleted"),
    Template("export_ready", ("link", "until"), "the copy of one's data is ready", Urgency.BUSINESS),
    Template("booking", BOOKING, "a booking is made, changed, or near", Urgency.BUSINESS, kind="booking"),
    Template("receipt", RECEIPT, "a payment was made", Urgency.BUSINESS, kind="receipt"),
    Template(
        "weekly_summary", WEEKLY, "Monday 08:00, where the person is", Urgency.NEWS, kind="weekly_summary"
    ),
    Template("notifications", UNREAD, "something is unread for a while", Urgency.NEWS, of_many_kinds=True),
)
TEMPLATES: Final[Mapping[str, Template]] = MappingProxyType({each.name: each for each in _TABLE})
