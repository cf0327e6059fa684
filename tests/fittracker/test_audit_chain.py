"""The chain: what fits is followed to its head, whatever was done to it is found at its first place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from fittracker.audit_chain import GENESIS, Fault, Head, chain, digest, first_fault
from fittracker.mongo import Document

START = Head(0, GENESIS)


def written(count: int) -> list[Document]:
    """A log of so many entries."""
    last: Document = {"_id": 0, "hash": GENESIS}
    entries = []
    for number in range(count):
        entry = {
            "at": datetime(2026, 11, 23, 10, tzinfo=UTC) + timedelta(seconds=number),
            "event": "login.succeeded",
            "actor": "a" * 24,
            "target": None,
            "address": "192.0.2.1",
            "request": "r",
            "detail": {"n": number},
        }
        last = chain(entry, last)
        entries.append(last)
    return entries


async def each(entries: list[Document]) -> AsyncIterator[Document]:
    """As MongoDB gives them."""
    for entry in entries:
        yield entry


async def test_an_untouched_log_is_followed_to_its_head() -> None:
    """An empty one as well; and the rest of one whose beginning is gone, from what it follows."""
    entries = written(5)
    assert await first_fault(each(entries), START) == Head(5, entries[-1]["hash"])
    assert await first_fault(each([]), START) == START
    assert await first_fault(each(entries[2:]), Head(2, entries[1]["hash"])) == Head(5, entries[-1]["hash"])


def change_a_field(name: str, value: object) -> Callable[[list[Document]], None]:
    """Somebody writes over one field of the third entry."""
    return lambda entries: entries[2].update({name: value})


def make_anew(entries: list[Document]) -> None:
    """Somebody changes the third one and gives it a hash that fits."""
    entries[2]["actor"] = "b" * 24
    entries[2]["hash"] = digest(entries[2])


CHANGES: dict[str, tuple[Callable[[list[Document]], object], Fault]] = {
    "actor": (change_a_field("actor", "b" * 24), Fault(3, "was changed")),
    "detail": (change_a_field("detail", {"n": 7}), Fault(3, "was changed")),
    "time": (change_a_field("at", datetime(2026, 11, 23, tzinfo=UTC)), Fault(3, "was changed")),
    "a time that is none": (change_a_field("at", "yesterday"), Fault(3, "was changed")),
    "its hash": (change_a_field("hash", "0" * 64), Fault(3, "was changed")),
    "another field": (change_a_field("note", "x"), Fault(3, "was changed")),
    "a field with a hash to it": (make_anew, Fault(4, "does not follow the one before")),
    "one less": (lambda entries: entries.pop(2), Fault(3, "is missing")),
    "the first is gone": (lambda entries: entries.pop(0), Fault(1, "is missing")),
    "one more": (
        lambda entries: entries.insert(2, {**entries[1], "_id": 3}),
        Fault(3, "does not follow the one before"),
    ),
    "two changed places": (lambda entries: entries.reverse(), Fault(1, "is missing")),
}


@pytest.mark.parametrize("how", CHANGES)
async def test_F7_whatever_is_changed_is_found(how: str) -> None:
    """At the entry itself, or at the one that follows it."""
    do, expected = CHANGES[how]
    entries = written(5)
    do(entries)
    assert await first_fault(each(entries), START) == expected
