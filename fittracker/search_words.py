"""A name as it is searched: by the beginnings of its words, whatever their case and width.

Text is compared as text: no character means anything but itself.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from fittracker.mongo import Document

HIGHEST: Final = "\U0010ffff"
"""Sorts behind every character that a name holds: MongoDB compares the bytes of UTF-8."""
MOST_WORDS: Final = 5


def folded(text: str) -> str:
    """As it is compared: NFKC, case folded, and NFKC again, because folding may take characters apart."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def search_field(name: str) -> Document:
    """What is stored with a person: the folded name, to sort by, and the words it is found by.

    A word is found from its beginning, and from each letter or digit that follows something else:
    `anna-lena o'brien` by `anna`, `anna-l`, `lena`, `o'b` and `brien`.
    """
    text = folded(name)
    words = {
        word[place:]
        for word in text.split()
        for place in range(len(word))
        if place == 0 or (_begins(word[place]) and not _begins(word[place - 1]))
    }
    return {"name": " ".join(text.split()), "words": sorted(words)}


def beginning_with(query: str) -> list[Document]:
    """The conditions for names with words that begin as those of the query do; none for no word."""
    return [
        {"search.words": {"$elemMatch": {"$gte": word, "$lt": word + HIGHEST}}}
        for word in folded(query).split()[:MOST_WORDS]
    ]


def _begins(character: str) -> Any:
    """Letters, digits, and the marks that belong to them."""
    return unicodedata.category(character)[0] in "LNM"
