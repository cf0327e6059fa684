"""Every mail, with plain and with hostile values: readable in any program, and nobody's but ours."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import jinja2.meta
import jinja2.nodes
import msgspec
import pytest

from fittracker.auth import mailed_links
from fittracker.clock import Clock
from fittracker.envelope import seal_envelope
from fittracker.letters import TEMPLATES
from fittracker.stationery import FOLDER, LINE, Letter, Stationery, clean
from tests.fittracker.letter_values import HOSTILE, LINK, ORIGIN, STOP, hostile, plain
from tests.fittracker.mail_page import Page, contrast

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(TEMPLATES)
every_mail = pytest.mark.parametrize("name", NAMES)
every_trick = pytest.mark.parametrize("trick", HOSTILE)
# Added by Letters.report to what its callers say.
WHERE = {"at", "device", "address"}


def write(name: str, values: dict[str, Any] | None = None) -> Letter:
    """A letter to Anna in Berlin."""
    kind = TEMPLATES[name].kind
    return Stationery(ORIGIN).write(
        "anna@example.org",
        name,
        plain(name) if values is None else values,
        time_zone="Europe/Berlin",
        kind=kind,
        unsubscribe=STOP if kind else "",
    )


def travelled(letter: Letter) -> Any:
    """The letter as it arrives."""
    sent = seal_envelope(
        letter, mail_from=f"Fit <no-reply@{ORIGIN[8:]}>", message_id="<1@fit.example.org>", at=Clock().utc()
    )
    assert all(len(line) <= 998 for line in sent.split(b"\r\n"))
    assert b"\n" not in sent.replace(b"\r\n", b"")
    return message_from_bytes(sent, policy=policy.default)


def check(letter: Letter) -> Page:
    """What holds of every mail, whatever is in it."""
    assert 5 < len(letter.subject) <= 120
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", letter.subject)
    for line in letter.text.splitlines():
        assert len(line) <= LINE or re.fullmatch(r"\S*https?://\S+", line), line
    page = Page(letter.html)
    assert all(link.startswith(ORIGIN) for link in page.links)
    assert not re.search(r"url\(|@import|javascript:", letter.html)
    assert [found["lang"] for tag, found in page.tags if tag == "html"] == ["en"]
    assert len(letter.html) < 100_000, "Gmail cuts what is longer"
    return page


# -- templates and values --------------------------------------------------------------------------------


def test_every_template_has_both_forms_and_a_row_in_the_table() -> None:
    """And the table has no row without a template."""
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == NAMES
    assert sorted(path.stem for path in FOLDER.glob("*.html")) == NAMES


@every_mail
@pytest.mark.parametrize("form", ["txt", "html"])
def test_a_template_shows_all_its_values_and_knows_no_other(name: str, form: str) -> None:
    """In each form: who reads the plain text learns as much."""
    text = (FOLDER / f"{name}.{form}").read_text()
    tree = Stationery(ORIGIN)._html.parse(text)
    parts = {part for each in tree.find_all(jinja2.nodes.FromImport) for part in each.names}
    used = jinja2.meta.find_undeclared_variables(tree) - parts
    assert parts.isdisjoint(TEMPLATES[name].values)
    assert used - {"origin", "subject"} == set(TEMPLATES[name].values)


def _sends() -> Iterator[tuple[str, str, set[str] | None]]:
    """Every place of the product that sends a mail with a name it says: place, name, values (None: **)."""
    for path in sorted((ROOT / "fittracker").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in {"queue", "write", "write_if_allowed", "report"} or len(node.args) < 2:
                continue
            name = node.args[1]
            if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
                continue
            said = {each.arg for each in node.keywords if each.arg} - {"user", "kind", "session"}
            starred = any(each.arg is None for each in node.keywords)
            if node.func.attr == "report":
                said |= WHERE
            yield f"{path.name}:{node.lineno}", name.value, None if starred else said


def test_every_place_that_sends_a_mail_says_what_its_template_shows() -> None:
    """Found by reading the source, so that a mail which is rarely sent does not fail when it is."""
    sends = list(_sends())
    assert len(sends) >= 8
    wrong = [
        (place, name, said)
        for place, name, said in sends
        if name not in TEMPLATES or (said is not None and said != set(TEMPLATES[name].values))
    ]
    assert wrong == []


def test_every_kind_of_mailed_link_has_its_template() -> None:
    """Their names are values of a table, which reading the calls does not find."""
    kinds = [each for each in vars(mailed_links).values() if isinstance(each, mailed_links.Kind)]
    assert kinds
    assert {TEMPLATES[each.template].values for each in kinds} == {("link", "minutes")}


@pytest.mark.parametrize("change", ["on", "off"])
def test_the_second_factor_going_off_reads_unlike_going_on(change: str) -> None:
    """In the subject already."""
    letter = write("totp_changed", plain("totp_changed") | {"change": change})
    assert letter.subject.endswith(f"turned {change}")


@pytest.mark.parametrize("happened", ["requested", "confirmed", "cancelled", "moved", "reminder"])
@pytest.mark.parametrize("reader", ["athlete", "trainer"])
def test_whatever_happens_to_a_booking_both_learn_it(happened: str, reader: str) -> None:
    """With the other's name, the time by the reader's clock, and what is not known left out."""
    values = plain("booking") | {"happened": happened, "reader": reader, "place": None, "price": None}
    letter = write("booking", values)
    check(letter)
    assert "Tina Trainer" in letter.text
    assert "Monday 30 November 2026, 18:00 CET (Europe/Berlin)" in letter.text
    assert "None" not in letter.text + letter.html
    assert "Price" not in letter.text


# -- for whoever reads it -----------------------------------------------------------------------------


@every_mail
def test_every_mail_is_readable(name: str) -> None:
    """Plain values: the same links in both forms, nothing of a template left over."""
    letter = write(name)
    page = check(letter)
    assert not re.search(r"\{\{|\{%|None|Undefined", letter.text + page.text)
    if "link" in TEMPLATES[name].values:
        assert LINK in letter.text
        assert LINK in page.links
    for word in {"device", "address", "number"} & set(TEMPLATES[name].values):
        assert plain(name)[word] in letter.text
        assert plain(name)[word] in page.text


@every_mail
def test_every_mail_fits_a_phone_and_a_night(name: str) -> None:
    """600 px at most, made of tables for layout, with dark colours, and a preview of its own."""
    page = check(write(name))
    tables = [found for tag, found in page.tags if tag == "table"]
    assert all(found.get("width") in {"100%", "600", None} for found in tables)
    assert any("max-width" in style and style["max-width"] == "600px" for style in page.styles())
    assert {found.get("name") for tag, found in page.tags if tag == "meta"} >= {"color-scheme", "viewport"}
    assert "prefers-color-scheme:dark" in page.css
    hidden = next(found["style"] for tag, found in page.tags if tag == "div")
    assert hidden.startswith("display:none")
    classes = {found["class"] for _, found in page.tags if "class" in found}
    coloured = [
        f for _, f in page.tags if re.search(r"(^|;)color:#(1d2733|5b6875|b81e33)", f.get("style", ""))
    ]
    assert classes
    assert all({"ink", "quiet", "link"} & set(found.get("class", "").split()) for found in coloured)


def test_contrast_is_enough_by_day_and_by_night() -> None:
    """4.5 to 1, as WCAG 2.2 AA asks for text."""
    css = Page(write("booking").html).css
    night = dict(re.findall(r"\.(\w+)\{(?:background-)?color:(#\w{6})", css.partition("dark)")[2]))
    for ink in ("ink", "quiet", "link"):
        assert contrast(night[ink], night["card"]) >= 4.5, ink
    for day in ("#1d2733", "#5b6875", "#b81e33"):
        assert contrast(day, "#ffffff") >= 4.5, day
    assert contrast("#ffffff", "#d7263d") >= 4.5, "the button"


@every_mail
def test_a_mail_says_why_it_comes_and_whether_it_can_be_stopped(name: str) -> None:
    """One that can is the only one with a link for it."""
    letter = write(name)
    assert "You get this mail because" in letter.text
    assert "You get this mail because" in letter.html
    assert (STOP in letter.text) is (TEMPLATES[name].kind is not None)


@every_mail
def test_a_mail_travels_as_text_first_and_html_second(name: str) -> None:
    """RFC 2046: the last part is the best one. Each is complete."""
    letter = write(name)
    message = travelled(letter)
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().splitlines() == letter.text.splitlines()
    assert html.get_content().strip().splitlines() == letter.html.strip().splitlines()
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<1@fit.example.org>"
    assert message["Date"].datetime is not None
    assert str(message["List-Unsubscribe"] or "") == (f"<{STOP}>" if letter.unsubscribe else "")


# -- against whoever writes ---------------------------------------------------------------------------


@every_mail
@every_trick
def test_D5_what_people_write_is_neither_a_template_nor_html(name: str, trick: str) -> None:
    """Whatever it is, the mail is well-formed, of a decent size, and says no more than it should."""
    letter = write(name, hostile(name, HOSTILE[trick]))
    page = check(letter)
    assert [each for each in page.links if not each.startswith(ORIGIN)] == []
    assert "49" not in page.text.replace("49.00", "")
    assert not set(letter.text + letter.html) & set("\u202e\u202a\u2066\u2069\x00\x1b\x7f\u2028\x85")


@every_mail
@every_trick
def test_D4_what_people_write_makes_no_header_and_no_paragraph(name: str, trick: str) -> None:
    """The headers are those of a plain mail, and nothing begins a line of its own."""
    expected = set(travelled(write(name)).keys())
    letter = write(name, hostile(name, HOSTILE[trick]))
    message = travelled(letter)
    assert set(message.keys()) == expected
    assert message["To"] == "anna@example.org"
    assert not re.search(r"^(Bcc|Your account is blocked|Sign in at once)", letter.text, re.MULTILINE)


@pytest.mark.parametrize("field", ["to", "subject"])
def test_D4_a_line_break_in_a_header_is_refused(field: str) -> None:
    """Whatever came before, the envelope is the last to look."""
    letter = write("already_registered")
    spoilt = msgspec.structs.replace(letter, **{field: "a\r\nBcc: x@y"})
    with pytest.raises(ValueError, match=r"newline|linefeed|carriage"):
        travelled(spoilt)


def test_a_text_is_cleaned_and_shortened() -> None:
    """To one line; emoji of several parts and Persian keep what joins them."""
    assert clean(" a\r\n\tb\u202e\x00c ") == "a bc"
    assert clean("👩🏽‍🚴") == "👩🏽‍🚴"
    assert clean("می‌خواهم") == "می‌خواهم"
    assert clean("x" * 300) == "x" * 199 + "…"


def test_a_device_without_a_name_is_unknown() -> None:
    """Rather than nothing."""
    assert "Device: unknown" in write("new_sign_in", plain("new_sign_in") | {"device": ""}).text
