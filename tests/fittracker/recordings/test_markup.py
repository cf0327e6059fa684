"""XML of strangers: what is handed over, and what is refused."""

from __future__ import annotations

import codecs

import pytest

from fittracker.recordings import RecordingError
from fittracker.recordings.markup import MAX_DEPTH, MAX_TEXT, MarkupError, read_markup, strip_start


class Heard:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.closings: list[tuple[str, str]] = []
        self.attributes: list[dict[str, str]] = []

    def opened(self, path: list[str], attributes: dict[str, str]) -> None:
        self.attributes.append(attributes)

    def closed(self, path: list[str], text: str) -> None:
        self.closings.append(("/".join(path), text))


def hear(data: bytes) -> Heard:
    heard = Heard()
    read_markup(data, lambda root: heard)
    return heard


def test_elements_arrive_with_their_path_and_their_own_text() -> None:
    """Without prefixes, declared or not, and without the text of children or between them."""
    heard = hear(b"<a> <x:b> one <!-- not this --></x:b> two <c/></a>")
    assert heard.closings == [("a/b", "one"), ("a/c", ""), ("a", "")]


def test_attributes_lose_their_prefix_as_well() -> None:
    """The value is cut at the length of a text."""
    heard = hear(b'<a x:lat="1" lon="%s"/>' % (b"9" * 5000))
    assert heard.attributes == [{"lat": "1", "lon": "9" * MAX_TEXT}]


@pytest.mark.parametrize(
    "start", [b" \n\t", codecs.BOM_UTF8, codecs.BOM_UTF8 + b"\r\n", b"\n" + codecs.BOM_UTF8]
)
def test_spaces_and_marks_before_the_declaration_are_passed_over(start: bytes) -> None:
    """XML forbids them, devices write them."""
    heard = hear(start + b'<?xml version="1.0" encoding="UTF-8"?><a>x</a>')
    assert heard.closings == [("a", "x")]
    assert strip_start(start + b"<a/>") == b"<a/>"


def test_other_encodings_are_understood() -> None:
    """UTF-16 by its mark, Latin-1 by its declaration."""
    assert hear("<a>\u00e9</a>".encode("utf-16")).closings == [("a", "\u00e9")]
    latin = b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>'
    assert hear(latin).closings == [("a", "\u00e9")]


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16"),
    ],
)
def test_a_doctype_is_refused(data: bytes) -> None:
    """With it all entities, inside and outside, in any encoding."""
    with pytest.raises(RecordingError) as caught:
        hear(data)
    assert (caught.value.reason, caught.value.readable) == ("doctype", 0)


def test_a_billion_laughs_are_refused_before_the_first() -> None:
    """Ten entities of ten entities of ten: the DOCTYPE is where it ends."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY l0 "ha">{entities}]><gpx>&l9;</gpx>'
    with pytest.raises(RecordingError) as caught:
        hear(bomb.encode())
    assert caught.value.reason == "doctype"


@pytest.mark.parametrize(
    "data", [b"<a><b>x</b><c", b"<a><b>x</b>", b"<a><b>x</b><c>y</c", b"<a><b>x</b><![CDATA[y"]
)
def test_a_document_that_stops_too_early_is_cut(data: bytes) -> None:
    """What came before was handed over."""
    heard = Heard()
    with pytest.raises(MarkupError) as caught:
        read_markup(data, lambda root: heard)
    assert caught.value.cut
    assert heard.closings[0] == ("a/b", "x")


@pytest.mark.parametrize(
    "data",
    [
        b"<a><b>x</b></c></a>",
        b"<a><b>x</b>\x00</a>",
        b"<a><b>x</b>\xff\xfe</a>",
        b"<a><b>x</b>&unknown;</a>",
        b"<a><b>x</b></a><a/>",
    ],
)
def test_a_document_that_contradicts_itself_is_damaged(data: bytes) -> None:
    """That is another fault than one that stops too early."""
    heard = Heard()
    with pytest.raises(MarkupError) as caught:
        read_markup(data, lambda root: heard)
    assert not caught.value.cut
    assert heard.closings[0] == ("a/b", "x")


@pytest.mark.parametrize("encoding", [b"no-such-encoding", b"big5", b"rot13", b"hex"])
def test_an_encoding_that_cannot_be_read_is_damage(encoding: bytes) -> None:
    """Unknown, of several bytes, or no encoding of text at all."""
    with pytest.raises(MarkupError):
        hear(b'<?xml version="1.0" encoding="' + encoding + b'"?><a>\xe9\xe9</a>')


def test_a_tower_of_elements_is_refused() -> None:
    """Each one costs memory until it is closed, and no format is this deep."""
    depth = MAX_DEPTH + 1
    with pytest.raises(MarkupError, match="nested more than 64 deep"):
        hear(b"<a>" * depth + b"</a>" * depth)
    assert hear(b"<a>" * (depth - 1) + b"</a>" * (depth - 1)).closings[-1] == ("a", "")


def test_a_text_of_megabytes_is_cut() -> None:
    """What is longer than any value is nobody's heart rate."""
    assert hear(b"<a>" + b"x" * 5_000_000 + b"</a>").closings == [("a", "x" * MAX_TEXT)]
