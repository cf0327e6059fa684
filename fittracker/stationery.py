"""Letters, written from templates.

What a person wrote is only ever a value, on one line and of a decent length: it cannot begin a new
paragraph of ours, turn the direction of writing, or become a header.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec

from fittracker import wording
from fittracker.letters import TEMPLATES

FOLDER: Final = Path(__file__).resolve().parents[1] / "templates" / "email"
LINE: Final = 76
SIGNATURE: Final = "-- "
SUBJECT: Final = 120
LONGEST: Final = 200
_HIDDEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Of the invisible ones these join: emoji of several parts, and letters of Persian and of India's scripts.
_JOINING: Final = {"\u200c", "\u200d"}
_SPACE: Final = re.compile(r"\s+")


class Letter(msgspec.Struct, frozen=True):
    """A mail, written. `unsubscribe` is the address that stops its kind, empty where it cannot be stopped."""

    to: str
    subject: str
    text: str
    html: str
    unsubscribe: str = ""


class Stationery:
    """Writes letters from `NAME.txt`, whose first line is the subject, and `NAME.html`.

    `origin` is the only place that a link may lead to.
    """

    def __init__(self, origin: str, folder: Path = FOLDER) -> None:
        self._origin = origin
        self._text = _environment(folder, autoescape=False)
        self._html = _environment(folder, autoescape=True)

    def write(
        self,
        to: str,
        template: str,
        values: Mapping[str, Any],
        *,
        time_zone: str = "UTC",
        kind: str | None = None,
        unsubscribe: str = "",
    ) -> Letter:
        """The letter; the templates see `values`, the origin, and who may stop it.

        ValueError for a template that does not exist, for other values than its own, and for a `link` that
        leads elsewhere: each is a defect of the caller.
        """
        shown = {
            **self._checked(template, values),
            "origin": self._origin,
            "time_zone": time_zone,
            "kind": kind,
            "because": wording.because(kind) if kind else "",
            "unsubscribe": unsubscribe,
            "to_address": TEMPLATES[template].to_address,
        }
        subject, _, text = self._text.get_template(f"{template}.txt").render(shown).strip().partition("\n")
        subject = clean(subject, SUBJECT)
        html = self._html.get_template(f"{template}.html").render(shown, subject=subject)
        return Letter(to, subject, _wrap(text), html, unsubscribe)

    def _checked(self, template: str, values: Mapping[str, Any]) -> dict[str, Any]:
        if template not in TEMPLATES:
            raise ValueError(f"there is no mail named {template!r}")
        if set(values) != set(TEMPLATES[template].values):
            raise ValueError(f"{template} takes {TEMPLATES[template].values}, not {tuple(values)}")
        link = values.get("link", self._origin)
        if link != self._origin and not re.fullmatch(re.escape(self._origin) + r"/\S*", link):
            raise ValueError(f"the link of {template} leads elsewhere")
        return {name: value if name == "link" else _cleaned(value) for name, value in values.items()}


def clean(text: str, longest: int = LONGEST) -> str:
    """A text on one line: without control characters and those that turn the direction, of some length."""
    text = _SPACE.sub(" ", text)
    kept = (each for each in text if each in _JOINING or unicodedata.category(each) not in _HIDDEN)
    return shorten("".join(kept).strip(), longest)


def shorten(text: str, longest: int = 60) -> str:
    """At most so many characters; the last is `…` where something was left out."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {name: _cleaned(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]
    return value


def _environment(folder: Path, *, autoescape: bool) -> jinja2.Environment:
    # Plain text has nothing to escape; see the top for what is done to it instead.
    environment = jinja2.Environment(  # nosec B701
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=autoescape,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(wording.FILTERS)
    environment.filters["short"] = shorten
    return environment


def _wrap(text: str) -> str:
    """The text with paragraphs filled to 76 characters; indented lines, links and `-- ` stay lines."""
    paragraphs: list[list[str]] = []
    for line in text.strip().splitlines():
        if not line.strip() or line == SIGNATURE:
            paragraphs.append([SIGNATURE] if line.strip() else [])
        elif _stays(line) or not paragraphs or not paragraphs[-1] or _stays(paragraphs[-1][-1]):
            paragraphs.append([line])
        else:
            paragraphs[-1].append(line)
    filled = "\n".join("\n".join(_filled(each)) for each in paragraphs)
    return re.sub(r"\n{3,}", "\n\n", filled) + "\n"


def _stays(line: str) -> bool:
    return line == SIGNATURE or line.startswith("  ") or re.fullmatch(r"https?://\S+", line) is not None


def _filled(lines: list[str]) -> list[str]:
    if not lines or (_stays(lines[0]) and len(lines[0]) <= LINE) or lines[0].startswith("http"):
        return lines or [""]
    indent = "  " if lines[0].startswith("  ") else ""
    return textwrap.wrap(
        " ".join(lines).strip(),
        LINE,
        initial_indent=indent,
        subsequent_indent=indent * 2,
        break_on_hyphens=False,
        break_long_words=not any("://" in line for line in lines),
    )
