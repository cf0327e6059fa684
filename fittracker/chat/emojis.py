"""What counts as one emoji: those that Unicode recommends, with their skin tones, families and flags."""

from __future__ import annotations

from typing import Final

import emoji

from fittracker.errors import Invalid

LONGEST: Final = 20
"""Code points; the longest family with skin tones has ten."""
_VARIANT: Final = "\ufe0f"
_WHOLE: Final = {
    each.replace(_VARIANT, ""): each
    for each, about in emoji.EMOJI_DATA.items()
    if about["status"] == emoji.STATUS["fully_qualified"]
}
"""The full spelling by the one without variation selectors: keyboards leave out one or the other."""


def one_emoji(text: str) -> str:
    """The emoji in its full spelling; Invalid where it is none, or several."""
    found = _WHOLE.get(text.replace(_VARIANT, "")) if len(text) <= LONGEST else None
    if found is None:
        raise Invalid("This is not one emoji.", fields={"emoji": "must be one emoji"})
    return found
