"""The HTML of a mail as a strict mail program reads it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

VOID: Final = frozenset({"meta", "br"})
ALLOWED: Final = VOID | frozenset(
    "html head title style body div table tr td th h1 p a span strong".split()  # noqa: SIM905
)


class Page(HTMLParser):
    """Tags in balance, where links lead, what is shown, and every style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.links: list[str] = []
        self.text = ""
        self.css = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag begins."""
        assert tag in ALLOWED, tag
        if tag not in VOID:
            self.open.append(tag)
        found = {name: value or "" for name, value in attrs}
        assert not {name for name in found if name.startswith("on") or name in {"src", "background"}}
        self.tags.append((tag, found))
        if "href" in found:
            self.links.append(found["href"])

    def handle_endtag(self, tag: str) -> None:
        """A tag ends, and it is the last that began."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text, or the style of the head."""
        if self.open and self.open[-1] == "style":
            self.css += data
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        """None is needed."""
        raise AssertionError(data)

    def styles(self) -> list[dict[str, str]]:
        """Every inline style, as declarations."""
        return [
            dict(each.split(":", 1) for each in found["style"].split(";") if each)
            for _, found in self.tags
            if "style" in found
        ]


def contrast(one: str, other: str) -> float:
    """Of two colours such as #1d2733, after WCAG 2.2: 1 to 21."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
