"""RFC 6455 on our classes, frame by frame: what a sound peer and a broken one send, and what they get.

These are tests of our own, in the order of Autobahn's classes of cases, which test_autobahn.py runs where it
can. Each names bytes that go in and frames that have to come out, in order; a close frame is its code.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.security.raw_socket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawSocket,
    connected,
    frame,
    head,
)
from tests.ws.echo import Echo, echoing

LARGEST: Final = 70_000
PROTOCOL_ERROR, INVALID, TOO_BIG = 1002, 1007, 1009
GREETING: Final = "Κόσμε: 2 µg 𝄞"

Got = list[tuple[int, bytes] | int]


@pytest.fixture(scope="module")
async def echo() -> AsyncIterator[tuple[str, Echo]]:
    """One for all."""
    async with echoing(LARGEST) as running:
        yield running


async def say(url: str, *pieces: bytes, expected: int) -> Got:
    """Send these pieces one after the other; the next so many frames, or fewer where it ends before."""
    async with connected(url) as raw:
        await raw.send(head())
        assert await raw.status() == 101
        for piece in pieces:
            await raw.send(piece)
        return await _frames(raw, expected)


async def _frames(raw: RawSocket, count: int) -> Got:
    got: Got = []
    while len(got) < count:
        kind, payload = await raw.next()
        if kind == CLOSE:
            return [*got, int.from_bytes(payload[:2], "big")]
        got.append((kind, payload))
    return got


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame of a client."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


# -- 1: framing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65_535, 65_536, LARGEST])
async def test_1_messages_of_every_length_of_length(echo: tuple[str, Echo], kind: int, size: int) -> None:
    """In one piece, and in pieces that end anywhere."""
    whole = frame(kind, b"*" * size)
    pieces = [whole[place : place + 997] for place in range(0, len(whole), 997)]
    assert await say(echo[0], whole, *pieces, expected=2) == [(kind, b"*" * size)] * 2


async def test_1_a_frame_that_comes_byte_by_byte(echo: tuple[str, Echo]) -> None:
    """A slow peer is no broken one."""
    whole = frame(TEXT, b"slowly") + frame(BINARY, bytes(200))
    pieces = [bytes([each]) for each in whole]
    assert await say(echo[0], *pieces, expected=2) == [(TEXT, b"slowly"), (BINARY, bytes(200))]


# -- 2: pings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"ping", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"x" * 125])
async def test_2_a_ping_is_answered_with_what_it_carries(echo: tuple[str, Echo], payload: bytes) -> None:
    """As often as it comes."""
    assert await say(echo[0], frame(PING, payload) * 10, expected=10) == [(PONG, payload)] * 10


async def test_2_a_ping_of_more_than_125_bytes_is_an_error(echo: tuple[str, Echo]) -> None:
    """Control frames are short."""
    assert await say(echo[0], frame(PING, b"x" * 126), expected=1) == [PROTOCOL_ERROR]


async def test_2_a_pong_that_nobody_asked_for_is_ignored(echo: tuple[str, Echo]) -> None:
    """It is a sign of life."""
    assert await say(echo[0], frame(PONG, b"?") + frame(TEXT, b"and"), expected=1) == [(TEXT, b"and")]


# -- 3 and 4: reserved ---------------------------------------------------------------------------------


# The first of them on a control frame aiohttp ignores on purpose: some clients set it.
RESERVED: Final = [(TEXT, bits) for bits in range(1, 8)] + [(CLOSE, bits) for bits in (1, 2, 3, 5, 6, 7)]


@pytest.mark.parametrize(("kind", "bits"), RESERVED)
async def test_3_reserved_bits_are_an_error(echo: tuple[str, Echo], kind: int, bits: int) -> None:
    """Nothing was agreed that would use them; what came before is answered."""
    for before in (b"even", b"odd"):  # one is answered at once, the other in its turn
        sent = frame(TEXT, before) + frame(kind, b"\x03\xe8", reserved=bits)
        assert await say(echo[0], sent, expected=2) == [(TEXT, before), PROTOCOL_ERROR]


@pytest.mark.parametrize("kind", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
async def test_4_opcodes_that_do_not_exist_are_an_error(echo: tuple[str, Echo], kind: int) -> None:
    """Of either kind, empty or not."""
    for payload in (b"", b"x"):
        assert await say(echo[0], frame(kind, payload), expected=1) == [PROTOCOL_ERROR]


# -- 5: fragments --------------------------------------------------------------------------------------

SOUND: Final[dict[str, tuple[bytes, Got]]] = {
    "two": (frame(TEXT, b"one", last=False) + frame(CONTINUATION, b"two"), [(TEXT, b"onetwo")]),
    "with a ping between": (
        frame(TEXT, b"one", last=False) + frame(PING, b"!") + frame(CONTINUATION, b"two"),
        [(PONG, b"!"), (TEXT, b"onetwo")],
    ),
    "empty ones": (
        frame(TEXT, last=False) + frame(CONTINUATION, last=False) * 3 + frame(CONTINUATION),
        [(TEXT, b"")],
    ),
    "binary, and text behind it": (
        frame(BINARY, b"\x00", last=False) + frame(CONTINUATION, b"\xff") + frame(TEXT, b"t"),
        [(BINARY, b"\x00\xff"), (TEXT, b"t")],
    ),
}
BROKEN: Final[dict[str, bytes]] = {
    "a ping in two": frame(PING, b"1", last=False) + frame(CONTINUATION, b"2"),
    "a pong in two": frame(PONG, b"1", last=False) + frame(CONTINUATION, b"2"),
    "no first": frame(CONTINUATION, b"lost"),
    "no first, and not the last": frame(CONTINUATION, b"lost", last=False),
    "a second first": frame(TEXT, b"one", last=False) + frame(TEXT, b"again", last=False),
    "a whole one between": frame(TEXT, b"one", last=False) + frame(TEXT, b"whole"),
    "one after the last": frame(TEXT, b"one", last=False) + frame(CONTINUATION, b"2") * 2,
}


@pytest.mark.parametrize(("sent", "expected"), SOUND.values(), ids=SOUND.keys())
async def test_5_fragments_become_one_message(echo: tuple[str, Echo], sent: bytes, expected: Got) -> None:
    """In one piece, and byte by byte."""
    assert await say(echo[0], sent, expected=len(expected)) == expected
    pieces = [bytes([each]) for each in sent]
    assert await say(echo[0], *pieces, expected=len(expected)) == expected


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
async def test_5_fragments_in_the_wrong_place_are_an_error(echo: tuple[str, Echo], sent: bytes) -> None:
    """Whatever was whole before is answered."""
    assert (await say(echo[0], sent, expected=3))[-1] == PROTOCOL_ERROR


# -- 6: UTF-8 ------------------------------------------------------------------------------------------

NO_TEXT: Final = {
    "a lone continuation": b"\x80",
    "a cut sequence": b"\xce\xba\xe1\xbd",
    "overlong": b"\xc0\xaf",
    "overlong, three": b"\xe0\x80\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "above the last": b"\xf4\x90\x80\x80",
    "bytes that never occur": b"\xfe\xff",
    "in the middle": GREETING.encode() + b"\xf8" + GREETING.encode(),
}


@pytest.mark.parametrize("cut", range(1, len(GREETING.encode())))
async def test_6_text_may_be_cut_inside_of_a_character(echo: tuple[str, Echo], cut: int) -> None:
    """Only the whole message has to be text."""
    text = GREETING.encode()
    sent = frame(TEXT, text[:cut], last=False) + frame(CONTINUATION, text[cut:])
    assert await say(echo[0], sent, expected=1) == [(TEXT, text)]


@pytest.mark.parametrize("payload", NO_TEXT.values(), ids=NO_TEXT.keys())
async def test_6_what_is_no_text_ends_the_connection(echo: tuple[str, Echo], payload: bytes) -> None:
    """As binary the same bytes are fine."""
    assert await say(echo[0], frame(BINARY, payload), expected=1) == [(BINARY, payload)]
    assert await say(echo[0], frame(TEXT, payload), expected=1) == [INVALID]


# -- 7: closing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4999])
async def test_7_a_close_is_answered(echo: tuple[str, Echo], code: int) -> None:
    """With a close frame, whatever the reason; nothing that comes behind it is answered."""
    sent = frame(TEXT, b"hi") + close(code, b"because") + frame(TEXT, b"late") + frame(PING)
    async with connected(echo[0]) as raw:
        await raw.send(head() + sent)
        assert await raw.status() == 101
        ending, kinds = await raw.ending()
        assert (ending, kinds) == (1000, [TEXT])
        assert await raw.gone()


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1016, 1100, 2000, 2999])
async def test_7_a_code_that_may_not_be_sent_is_an_error(echo: tuple[str, Echo], code: int) -> None:
    """1006 is one as well, and aiohttp lets it pass."""
    assert await say(echo[0], close(code), expected=1) == [PROTOCOL_ERROR]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(CLOSE), 1000),
        (frame(CLOSE, b"\x03"), PROTOCOL_ERROR),
        (close(1000, b"x" * 123), 1000),
        (close(1000, b"x" * 124), PROTOCOL_ERROR),
        (close(1000, b"\xce\xba\xe1"), INVALID),
        (frame(CLOSE, b"\x03\xe8", last=False), PROTOCOL_ERROR),
    ],
    ids=["empty", "one byte", "the longest reason", "too long", "a reason that is no text", "a fragment"],
)
async def test_7_what_a_close_frame_may_hold(echo: tuple[str, Echo], sent: bytes, code: int) -> None:
    """Nothing, or a code and a short text."""
    assert await say(echo[0], sent, expected=1) == [code]


# -- limits --------------------------------------------------------------------------------------------


async def test_messages_over_the_limit_end_the_connection_before_they_are_read(
    echo: tuple[str, Echo],
) -> None:
    """By what their heads announce: in one frame, in fragments, and of a size that no computer has."""
    announced = frame(BINARY, bytes(LARGEST + 1))[:20]
    assert await say(echo[0], announced, expected=1) == [TOO_BIG]
    first = frame(TEXT, b"x" * 40_000, last=False)
    assert await say(echo[0], first + first[:20], expected=1) == [TOO_BIG]
    huge = bytes([0x82, 0xFF]) + (2**63 - 1).to_bytes(8, "big") + bytes(4)
    assert await say(echo[0], huge, expected=1) == [TOO_BIG]


async def test_nothing_is_left_of_any_of_them(echo: tuple[str, Echo]) -> None:
    """The last test of the module: every handler has returned."""
    text = json.dumps({"last": True}).encode()
    assert await say(echo[0], frame(TEXT, text), expected=1) == [(TEXT, text)]
    async with connected(echo[0]) as raw:
        await raw.send(head() + close(1000))
        assert await raw.status() == 101
        assert (await raw.ending())[0] == 1000
        assert await raw.gone()
    assert echo[1].open == 0
