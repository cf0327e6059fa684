"""The chain of the audit log: how an entry follows from the one before, and where it does not.

An entry holds the SHA-256 of itself, in which the hash of its predecessor is: who changes, inserts or removes
one makes every later hash wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Final

import msgspec

from fittracker.clock import rfc3339
from fittracker.mongo import Document

GENESIS: Final = "0" * 64
"""What the first entry follows."""
FIELDS: Final = ("_id", "at", "event", "actor", "target", "address", "request", "detail", "prev")


def chain(entry: Document, last: Document) -> Document:
    """The entry with its number and its hash, behind the one before."""
    chained = {"_id": last["_id"] + 1, **entry, "prev": last["hash"]}
    return {**chained, "hash": digest(chained)}


def digest(entry: Document) -> str:
    """SHA-256 over the entry's fields as canonical JSON: sorted keys, times in RFC 3339, UTF-8."""
    plain = {name: entry[name] for name in FIELDS}
    plain["at"] = rfc3339(entry["at"])
    return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """An entry's number and hash; the log up to there cannot be changed any more without its being seen."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that does not fit, and why."""

    seq: int
    why: str


async def first_fault(entries: AsyncIterable[Document], start: Head) -> Fault | Head:
    """Follow the chain from `start` (an entry that is not there any more); the fault, or else the head."""
    last = start
    async for entry in entries:
        seq = entry.get("_id")
        if not isinstance(seq, int) or seq != last.seq + 1:
            return Fault(last.seq + 1, "is missing")
        if entry.get("prev") != last.hash:
            return Fault(seq, "does not follow the one before")
        if not _whole(entry):
            return Fault(seq, "was changed")
        last = Head(seq, entry["hash"])
    return last


def _whole(entry: Document) -> bool:
    try:
        return set(entry) == {*FIELDS, "hash"} and entry["hash"] == digest(entry)
    except (AttributeError, TypeError):  # a value of a kind that no entry has
        return False
