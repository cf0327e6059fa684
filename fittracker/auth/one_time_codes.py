"""One-time codes: those that an app makes every 30 seconds (RFC 6238), and those on a sheet of paper."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from typing import Final

import pyotp

from fittracker.ids import fingerprint

DIGITS: Final = 6
STEP_S: Final = 30
DRIFT: Final = 1
"""Steps that a telephone's clock may be ahead or behind (RFC 6238, 5.2)."""
ISSUER: Final = "FitTracker Pro"
RECOVERY_CODES: Final = 10
_RECOVERY_BYTES: Final = 15
_CODE: Final = re.compile(rf"[0-9]{{{DIGITS}}}")
_RECOVERY: Final = re.compile(r"[a-z2-7]{24}")
_BETWEEN: Final = re.compile(r"[\s-]+")


def new_key() -> str:
    """A secret for an app: 160 random bits in base32, as RFC 4226 recommends."""
    return pyotp.random_base32()


def uri(key: str, email: str) -> str:
    """The secret as the otpauth URI that an app reads from a QR code."""
    return _app(key).provisioning_uri(name=email, issuer_name=ISSUER)


def step_of(key: str, code: str, now: float) -> int | None:
    """The newest step near `now` (unix seconds) whose code this is; None where there is none.

    Each step takes as long, whichever it is.
    """
    if not _CODE.fullmatch(code):
        return None
    app, present = _app(key), int(now) // STEP_S
    steps = range(max(0, present - DRIFT), present + DRIFT + 1)
    found = [step for step in steps if hmac.compare_digest(app.generate_otp(step), code)]
    return max(found, default=None)


def code_at(key: str, now: float) -> str:
    """The code that the app shows at `now`, unix seconds."""
    return _app(key).generate_otp(int(now) // STEP_S)


def new_recovery_codes() -> list[str]:
    """Ten codes of 120 random bits, in groups that can be read aloud: too many to guess, even offline."""
    return [_grouped(secrets.token_bytes(_RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]


def recovery_fingerprint(text: str) -> str | None:
    """What is stored of a recovery code, however its owner typed it; None for what is none."""
    bare = _BETWEEN.sub("", text).lower()
    return fingerprint(bare) if _RECOVERY.fullmatch(bare) else None


def _grouped(random: bytes) -> str:
    letters = base64.b32encode(random).decode().lower()
    return "-".join(letters[place : place + 6] for place in range(0, len(letters), 6))


def _app(key: str) -> pyotp.TOTP:
    return pyotp.TOTP(key, digits=DIGITS, interval=STEP_S)
