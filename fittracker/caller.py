"""Who is behind a piece of work and where it came from: for the audit log, and for mails about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks for something.

    `user` is None while nobody is signed in; `request` is the id of the request or of the socket; `device`
    is what the client calls itself, made harmless.
    """

    user: str | None
    address: str
    request: str
    device: str = ""


SYSTEM: Final = Caller(None, "", "system")
"""Nobody: work that is due by itself."""
OPERATOR: Final = Caller(None, "", "command line")
"""Whoever runs the server, at its command line."""
