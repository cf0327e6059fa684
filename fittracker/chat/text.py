"""What people write: any Unicode, as they wrote it; nothing of it is ever rendered here, links included."""

from __future__ import annotations

import unicodedata
from typing import Final

from fittracker.errors import Invalid

LONGEST: Final = 4_000
"""Characters (code points) of a message."""
_LAYOUT: Final = {"\n", "\t"}
_UNSEEN: Final = ("C", "Z")
"""Categories of what shows nothing by itself: controls, marks of direction, spaces."""


def checked(text: str, field: str = "text") -> str:
    """The text with its line ends as line feeds, otherwise as it is.

    Invalid where it is empty, too long, shows nothing, or holds control characters or halves of characters.
    """
    text = text.replace("\r\n", "\n")
    if not 0 < len(text) <= LONGEST:
        raise Invalid("The text is not acceptable.", fields={field: f"must have 1 to {LONGEST} characters"})
    if text.isprintable():  # which letters, digits, signs and the plain space are
        if text.isspace():
            raise _blank(field)
        return text
    categories = {unicodedata.category(each) for each in set(text) - _LAYOUT}
    if categories & {"Cc", "Cs"}:
        raise Invalid("The text is not acceptable.", fields={field: "must not hold control characters"})
    if all(each.startswith(_UNSEEN) for each in categories):
        raise _blank(field)
    return text


def _blank(field: str) -> Invalid:
    return Invalid("The text is not acceptable.", fields={field: "must not be blank"})
