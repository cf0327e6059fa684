"""Identifiers: sortable ones for documents, unguessable ones for secrets."""

from __future__ import annotations

import hashlib
import re
import secrets

from bson import ObjectId

OBJECT_ID = re.compile(r"[0-9a-f]{24}")


def new_id() -> str:
    """A document id: 24 hexadecimal digits, roughly in order of creation."""
    return str(ObjectId())


def is_id(text: str) -> bool:
    """Whether the text has the form of a document id."""
    return OBJECT_ID.fullmatch(text) is not None


def new_secret() -> str:
    """256 random bits, URL-safe, without padding (43 characters)."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """What is stored instead of a secret of 256 random bits: its SHA-256 in hexadecimal.

    Fast on purpose: such a secret cannot be guessed. Passwords go through bcrypt instead.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
