"""The checker of what is stored: each fault it is there for is planted once, and found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from fittracker.ids import new_id
from tests.stored import Row, faults

Found = Database[dict[str, Any]]


@pytest.fixture
def database(mongo: MongoClient[dict[str, Any]], mongo_database: str) -> Found:
    """The database of the module."""
    return mongo[mongo_database]


def store(database: Found, stream: str, *ranges: tuple[int, int]) -> list[Row]:
    """Batches as the product writes them; the samples in them."""
    sent: list[Row] = []
    for first, last in ranges:
        rows = [(seq, 1_700_000_000_000 + seq * 1000, 60 + seq % 90) for seq in range(first, last + 1)]
        columns = {"t": [row[1] for row in rows], "bpm": [row[2] for row in rows]}
        database.heart_batches.insert_one({"_id": {"s": stream, "n": first}, "to": last, **columns})
        sent += rows
    return sent


def test_a_stream_that_is_stored_as_it_was_sent_has_no_fault(database: Found) -> None:
    """In one batch or in several; a device that skips numbers has them listed."""
    stream = new_id()
    sent = store(database, stream, (1, 5), (6, 6), (7, 20))
    rows = [(22, 1, 61), (25, 2, 62)]
    database.heart_batches.insert_one(
        {"_id": {"s": stream, "n": 21}, "to": 25, "seq": [22, 25], "t": [1, 2], "bpm": [61, 62]}
    )
    assert faults(database, stream, [*sent, *rows]) == []
    assert faults(database, new_id(), []) == []


def _twice(database: Found, stream: str) -> None:
    batch = database.heart_batches.find_one({"_id.s": stream, "_id.n": 6})
    assert batch is not None
    database.heart_batches.insert_one({**batch, "_id": {"s": stream, "n": 8}})


def _gone(database: Found, stream: str) -> None:
    database.heart_batches.delete_one({"_id.s": stream, "_id.n": 6})


def _changed(database: Found, stream: str) -> None:
    database.heart_batches.update_one({"_id.s": stream, "_id.n": 6}, {"$set": {"bpm.1": 250}})


def _swapped(database: Found, stream: str) -> None:
    values = {"seq": [7, 6, 8, 9, 10]}
    database.heart_batches.update_one({"_id.s": stream, "_id.n": 6}, {"$set": values})


def _shorter(database: Found, stream: str) -> None:
    database.heart_batches.update_one({"_id.s": stream, "_id.n": 6}, {"$pop": {"bpm": 1}})


def _further(database: Found, stream: str) -> None:
    store(database, stream, (21, 21))


PLANTED: dict[Callable[[Found, str], None], list[str]] = {
    _twice: ["batch 8 does not follow 10", "8 is stored 2 times"],
    _gone: ["batch 11 does not follow 5", "6 is missing", "10 is missing"],
    _changed: ["7 is stored as (7, 1700000007000, 250), not as (7, 1700000007000, 67)"],
    _swapped: ["the samples are not in order"],
    _shorter: ["batch 6 has columns of different lengths", "10 is missing"],
    _further: ["21 was never sent"],
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(database: Found, plant: Callable[[Found, str], None]) -> None:
    """And named."""
    stream = new_id()
    sent = store(database, stream, (1, 5), (6, 10), (11, 20))
    plant(database, stream)
    found = faults(database, stream, sent)
    assert set(PLANTED[plant]) <= set(found), found
