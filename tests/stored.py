"""What is stored of a heart-rate stream, held against what was sent: exactly once, in order, nothing missing.

It reads the documents as they lie in MongoDB, not through the product.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from pymongo.database import Database

Row = tuple[int, int, int]
"""Number, unix ms, bpm."""


def read(database: Database[dict[str, Any]], stream: str) -> tuple[list[Row], list[str]]:
    """Every stored sample of a stream, as it was stored, and what is wrong with the chain of its batches."""
    rows: list[Row] = []
    faults: list[str] = []
    batches = list(database.heart_batches.find({"_id.s": stream}, sort=[("_id.n", 1)]))
    for batch in batches:
        first, last = batch["_id"]["n"], batch["to"]
        numbers = batch.get("seq") or list(range(first, last + 1))
        if not len(numbers) == len(batch["t"]) == len(batch["bpm"]):
            faults.append(f"batch {first} has columns of different lengths")
        if numbers[-1] != last or numbers[0] < first:
            faults.append(f"batch {first} does not hold what it says: {numbers[0]} to {numbers[-1]}")
        rows += zip(numbers, batch["t"], batch["bpm"], strict=False)
    for before, after in pairwise(batches):
        if after["_id"]["n"] != before["to"] + 1:
            faults.append(f"batch {after['_id']['n']} does not follow {before['to']}")
    return rows, faults


def faults(database: Database[dict[str, Any]], stream: str, sent: list[Row]) -> list[str]:
    """Everything that keeps a stream from being stored exactly as it was sent; nothing where it is."""
    rows, found = read(database, stream)
    numbers = [row[0] for row in rows]
    if numbers != sorted(numbers):
        found.append("the samples are not in order")
    found += [f"{number} is stored {count} times" for number, count in Counter(numbers).items() if count > 1]
    known = {row[0]: row for row in rows}
    for row in sent:
        if row[0] not in known:
            found.append(f"{row[0]} is missing")
        elif known[row[0]] != row:
            found.append(f"{row[0]} is stored as {known[row[0]]}, not as {row}")
    found += [f"{number} was never sent" for number in sorted(set(known) - {row[0] for row in sent})]
    return found
