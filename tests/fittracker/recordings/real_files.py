"""The recordings of real people that the tests read where they are present, and what is known about each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
WORKOUTS = DATA / "workouts"


@dataclass(frozen=True)
class Row:
    """One line of the tables in SOURCES.md, by the heads of its columns."""

    table: str
    cells: dict[str, str]

    @property
    def file(self) -> str:
        return self.cells["file"]

    def count(self, column: str) -> int | None:
        """The number in a column, None where there is none."""
        text = self.cells[column]
        return int(text) if text.isdigit() else None


def rows() -> list[Row]:
    """Every workout that SOURCES.md describes; none where the recordings are absent."""
    sources = DATA / "SOURCES.md"
    return list(_rows(sources.read_text())) if sources.exists() else []


def _rows(text: str) -> Iterator[Row]:
    table, heads = "", []
    for line in text.splitlines():
        if line.startswith("## "):
            table, heads = line.removeprefix("## "), []
        elif table.startswith("workouts/") and line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if heads:
                yield Row(table, dict(zip(heads, cells, strict=True)))
            else:
                heads = cells


def recording_bytes(name: str) -> bytes:
    """The bytes of a recording; the test is skipped where it is absent."""
    path = WORKOUTS / name
    if not path.exists():
        pytest.skip(f"the recording {name} is not here")
    return path.read_bytes()


def beats_of(name: str) -> list[float]:
    """The RR intervals in ms of a text file, one a line."""
    path = DATA / "rr" / name
    if not path.exists():
        pytest.skip(f"the series {name} is not here")
    return [float(line) for line in path.read_text().split()]
