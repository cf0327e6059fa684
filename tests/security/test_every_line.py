"""Every line of the security requirements is proven by a test with its number, or said not to hold.

The lines are those of docs/security.md. A test that proves A4 is called `test_A4_...`, wherever it stands.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
LINES = {"A": 12, "B": 12, "C": 6, "D": 10, "E": 8, "F": 7}
NOT_YET = {
    "D10": "there are no payments yet, so no webhooks",
}
"""Lines that no test proves, with the reason; docs/security.md says the same to everybody."""
_NAME = re.compile(r"test_([A-F]\d{1,2})_")


def proven() -> dict[str, list[str]]:
    """The tests that carry a line's number, by line."""
    found: dict[str, list[str]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (name := _NAME.match(node.name)):
                found.setdefault(name[1], []).append(f"{file.relative_to(TESTS)}::{node.name}")
    return found


PROVEN = proven()


@pytest.mark.parametrize(
    "line", [f"{part}{number}" for part, last in LINES.items() for number in range(1, last + 1)]
)
def test_a_line_has_a_test_or_a_reason(line: str) -> None:
    """And not both: what is proven needs no excuse."""
    assert (line in PROVEN) != (line in NOT_YET), PROVEN.get(line)


def test_no_test_carries_a_number_that_no_line_has() -> None:
    """A slip of the pen would prove nothing."""
    assert [line for line in PROVEN if not 1 <= int(line[1:]) <= LINES[line[0]]] == []


def test_what_does_not_hold_is_said_in_the_documentation() -> None:
    """Line by line, where the promises are."""
    text = (TESTS.parent / "docs" / "security.md").read_text()
    assert [line for line in NOT_YET if f"**{line}**" not in text] == []
