"""VAPID (RFC 8292): the key by which push services know this server, and the header that proves it."""

from __future__ import annotations

import base64
from collections import OrderedDict
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fittracker.clock import Clock

LIFE_S: Final = 12 * 3_600
"""A header may be good for a day at most; some services take less."""
FRESH_S: Final = LIFE_S / 2
MOST_KEPT: Final = 100
CURVE: Final = ec.SECP256R1()
KEY_BYTES: Final = 32


class Vapid:
    """Signs for one key; `key` is base64url of its 32 bytes, `contact` a mailto: or https: address."""

    def __init__(self, key: str, contact: str, clock: Clock) -> None:
        # Loaded only where there is a key: with `requests`, which it brings along, it takes 6 MB.
        from py_vapid import Vapid02

        self._signer: Any = Vapid02.from_raw(key.encode())
        self._contact = contact
        self._clock = clock
        self._headers: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self.public_key = public_key(key)

    def authorization(self, origin: str) -> str:
        """The header for a push service, by its origin; the same one for some hours."""
        now = self._clock.now()
        known = self._headers.get(origin)
        if known is not None and known[0] > now:
            return known[1]
        claims = {"aud": origin, "sub": self._contact, "exp": int(now + LIFE_S)}
        header: str = self._signer.sign(claims)["Authorization"]
        self._headers[origin] = (now + FRESH_S, header)
        while len(self._headers) > MOST_KEPT:
            self._headers.popitem(last=False)
        return header


def new_key() -> str:
    """A new private key, as it stands in the settings."""
    number = ec.generate_private_key(CURVE).private_numbers().private_value
    return _text(number.to_bytes(KEY_BYTES, "big"))


def public_key(key: str) -> str:
    """What browsers are told, `applicationServerKey`: the public half of a private key."""
    number = int.from_bytes(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)), "big")
    point = ec.derive_private_key(number, CURVE).public_key()
    return _text(
        point.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    )


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
