"""Sealing: what rests in the database and is nobody's business there (AES-256-GCM).

Each purpose has keys of its own, derived from the server's secrets; the first secret seals, all of them open,
so that they can be rotated.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
Purpose = Literal["mail", "totp", "idempotency", "rooms", "push"]
"""What is sealed; where each of them rests is in `fittracker.rotation`."""


class Unsealable(Exception):  # noqa: N818  it reads as what it is
    """The key is gone, or somebody changed what was sealed."""


class Seal:
    """Seals for one purpose."""

    def __init__(self, secrets_by_id: Sequence[tuple[str, str]], purpose: Purpose) -> None:
        self._purpose = purpose.encode()
        self._keys = {
            kid: AESGCM(hmac.digest(secret.encode(), b"seal " + self._purpose, "sha256"))
            for kid, secret in secrets_by_id
        }
        self._first = secrets_by_id[0][0]

    @property
    def first(self) -> str:
        """The id of the key that seals."""
        return self._first

    def close(self, plain: bytes) -> dict[str, object]:
        """The sealed thing as it is stored: the id of the key, and the bytes."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        data = nonce + self._keys[self._first].encrypt(nonce, plain, self._purpose)
        return {"kid": self._first, "data": data}

    def open(self, sealed: dict[str, object]) -> bytes:
        """What was sealed; Unsealable where it cannot be told any more."""
        key, data = self._keys.get(str(sealed["kid"])), sealed["data"]
        if key is None or not isinstance(data, bytes):
            raise Unsealable("there is no such key")
        try:
            return key.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], self._purpose)
        except InvalidTag as error:
            raise Unsealable("it was changed") from error
