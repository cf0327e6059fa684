"""One-time codes, against the values that RFC 6238 prints."""

from __future__ import annotations

import base64

import pytest

from fittracker.auth.one_time_codes import (
    DIGITS,
    RECOVERY_CODES,
    STEP_S,
    code_at,
    new_key,
    new_recovery_codes,
    recovery_fingerprint,
    step_of,
    uri,
)

RFC_KEY = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("now", "eight"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_codes_are_those_of_the_standard(now: int, eight: str) -> None:
    """RFC 6238, appendix B, SHA-1; there they have eight digits, of which ours are the last six."""
    assert code_at(RFC_KEY, now) == eight[-DIGITS:]
    assert step_of(RFC_KEY, eight[-DIGITS:], now) == now // STEP_S


def test_a_code_is_good_for_a_step_before_and_after() -> None:
    """Telephones are wrong by seconds, seldom by minutes."""
    now = 1_800_000_000.0
    good = [step_of(RFC_KEY, code_at(RFC_KEY, now + drift * STEP_S), now) for drift in range(-3, 4)]
    present = int(now) // STEP_S
    assert good == [None, None, present - 1, present, present + 1, None, None]


@pytest.mark.parametrize(
    "text", ["", "12345", "1234567", "12 456", "１２３４５６", "abcdef", "123456\n", "-12345"]
)
def test_what_is_no_code_is_of_no_step(text: str) -> None:
    """Digits of other scripts as well."""
    assert step_of(RFC_KEY, text, 59) is None


def test_before_the_first_step_there_is_none() -> None:
    """A clock at the epoch asks for no negative step."""
    assert step_of(RFC_KEY, code_at(RFC_KEY, 0), 0) == 0


def test_an_app_learns_the_secret_and_whose_it_is() -> None:
    """160 bits, and an address with characters that have to be escaped."""
    key = new_key()
    assert len(base64.b32decode(key)) == 20
    assert key != new_key()
    made = uri(key, "anna+fit@example.org")
    assert made.startswith("otpauth://totp/FitTracker%20Pro:anna%2Bfit%40example.org?secret=" + key)


def test_recovery_codes_cannot_be_guessed_and_forgive_how_they_are_typed() -> None:
    """Ten different ones of 120 bits; case, dashes and spaces do not matter."""
    codes = new_recovery_codes()
    assert len(set(codes)) == RECOVERY_CODES
    for code in codes:
        printed = recovery_fingerprint(code)
        assert printed is not None
        assert len(base64.b32decode(code.replace("-", "").upper())) == 15
        for typed in (code.upper(), code.replace("-", ""), f" {code.replace('-', ' - ')} "):
            assert recovery_fingerprint(typed) == printed
    for wrong in ("123456", codes[0][:-1], codes[0] + "a", codes[0].replace("-", "_")):
        assert recovery_fingerprint(wrong) is None
