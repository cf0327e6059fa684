"""E-mail addresses: one spelling for all that reach the same person."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from fittracker.errors import Invalid

LONGEST: Final = 254
_LOCAL: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def canonical(email: str) -> str:
    """The address as it is stored and compared: NFKC, case-folded, the domain as DNS has it.

    `Anna@EXAMPLE.org` and a full-width `ａnna@example.org` are one. Invalid for what mail servers in general
    do not take: quoted or non-ASCII names before the @, domains without a dot.
    """
    text = unicodedata.normalize("NFKC", email).strip().casefold()
    local, at, domain = text.rpartition("@")
    try:
        domain = domain.encode("idna").decode().lower()
    except UnicodeError:
        domain = ""
    labels = domain.split(".")
    good = (
        at
        and len(local) <= 64
        and len(local) + len(domain) < LONGEST
        and _LOCAL.fullmatch(local)
        and len(labels) >= 2
        and all(len(label) <= 63 and _LABEL.fullmatch(label) for label in labels)
    )
    if not good:
        raise Invalid("This is no e-mail address.", fields={"email": "is no e-mail address"})
    return f"{local}@{domain}"
