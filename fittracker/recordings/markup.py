"""Reading XML of strangers: one pass, no tree, no DOCTYPE, names without their prefix.

A prefix is only a name for a namespace: the heart rate of a GPX point is `gpxtpx:hr`, `ns3:hr` or
`gpxdata:hr`, and in files that were cut or merged by hand the prefix is not even declared.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final, Protocol

# Exceptions and interfaces only; the parser is defusedxml's.
from xml.sax import SAXParseException  # nosec B406
from xml.sax.handler import ContentHandler  # nosec B406
from xml.sax.xmlreader import AttributesImpl  # nosec B406

from defusedxml import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from fittracker.recordings.refusal import refuse

MAX_DEPTH: Final = 64
MAX_TEXT: Final = 1_000
"""Characters of one element or attribute: values and names are short, only people's comments are longer."""


class Elements(Protocol):
    """What reads the elements of one format. `path` holds local names, from the root to this element."""

    def opened(self, path: list[str], attributes: dict[str, str]) -> None:
        """An element begins."""

    def closed(self, path: list[str], text: str) -> None:
        """It ends; the text is its own, stripped, without that of its children."""


class MarkupError(Exception):
    """The XML is not well-formed; `cut` where it is, but ends too early."""

    def __init__(self, message: str, *, cut: bool) -> None:
        super().__init__(message)
        self.cut = cut


def strip_start(data: bytes) -> bytes:
    """Without byte order mark and spaces before the XML declaration, which devices write and XML forbids."""
    return data.lstrip().removeprefix(codecs.BOM_UTF8).lstrip()


def read_markup(data: bytes, choose: Callable[[str], Elements]) -> None:
    """Feed the elements to what `choose` returns for the name of the root.

    Raises `MarkupError`, after all elements before the fault were handed over, and `RecordingError`
    for a DOCTYPE.
    """
    parser = DefusedExpatParser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
    parser.setContentHandler(_Walk(choose))
    whole = False
    try:
        parser.feed(strip_start(data))
        whole = True
        parser.close()
    except DefusedXmlException as error:
        raise refuse("doctype", "XML with a DOCTYPE or entities is not accepted") from error
    except SAXParseException as error:
        # What expat accepts of the whole input but not as its end is a file that stops too early.
        where = f"line {error.getLineNumber()}"
        raise MarkupError(f"{error.getMessage()}, {where}", cut=whole) from error
    except (LookupError, ValueError) as error:  # an encoding that nobody knows, or bytes that are not in it
        raise MarkupError(str(error), cut=False) from error


class _Walk(ContentHandler):
    """Keeps the path and the text of the innermost element."""

    def __init__(self, choose: Callable[[str], Elements]) -> None:
        super().__init__()
        self._choose = choose
        self._elements: Elements | None = None
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        local = name.rpartition(":")[2]
        if self._elements is None:
            self._elements = self._choose(local)
        self._path.append(local)
        if len(self._path) > MAX_DEPTH:
            raise MarkupError(f"elements are nested more than {MAX_DEPTH} deep", cut=False)
        self._forget_text()
        self._elements.opened(
            self._path, {key.rpartition(":")[2]: value[:MAX_TEXT] for key, value in attrs.items()}
        )

    def endElement(self, name: str) -> None:  # noqa: N802
        if self._elements is not None:
            self._elements.closed(self._path, "".join(self._text).strip())
        self._path.pop()
        self._forget_text()

    def characters(self, content: str) -> None:
        room = MAX_TEXT - self._length
        if room > 0:
            self._text.append(content[:room])
            self._length += min(len(content), room)

    def _forget_text(self) -> None:
        self._text = []
        self._length = 0
