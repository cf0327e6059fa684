"""Every limit says where it comes from, and the page and the table in the code say the same as the rules."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from fittracker.form import EXERCISES, rules
from fittracker.form.rules import ASYMMETRY_DEG, Depth, Rule

PAGE = Path(__file__).resolve().parents[3] / "docs" / "form.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \| (\d+) \| ([^|]+) \|$", re.MULTILINE)
WORDS = {"push-up": "pushup", "deadlift, at the top": "deadlift"}


def listed(text: str) -> set[tuple[str, str, float]]:
    """Code, exercise and limit of every row of a table of faults."""
    found = set()
    for code, where, limit, source in ROW.findall(text):
        assert source.strip()
        names = [where] if where in WORDS or where.startswith("all") else where.split(", ")
        found |= {(code, WORDS.get(name, name), float(limit)) for name in names}
    return found


def known() -> set[tuple[str, str, float]]:
    """The same, of the rules themselves."""
    found = {("asymmetry", "all but lunge and plank, in space only", ASYMMETRY_DEG)}
    for exercise in EXERCISES.values():
        found |= {(rule.code, exercise.name, rule.limit) for rule in exercise.rules}
        if exercise.depth is not None:
            found.add(("shallow_depth", exercise.name, exercise.depth.least))
    return found


def test_the_page_and_the_code_list_every_fault_with_its_limit() -> None:
    """None is missing, none is left over, and none has another limit."""
    assert listed(PAGE.read_text()) == known()
    assert listed(rules.__doc__ or "") == known()


def test_the_page_lists_the_thresholds_that_count() -> None:
    """Where one is at rest, and how far one must go."""
    page = PAGE.read_text()
    for exercise in EXERCISES.values():
        if exercise.sides is not None:
            good = f"{exercise.depth.least:g} " if exercise.depth else ""
            name = "push-up" if exercise.name == "pushup" else exercise.name
            row = rf"^\| {name} \| [^|]+ \| {exercise.rest:g} \| {exercise.target:g} \| {good}\|$"
            assert re.search(row, page, re.MULTILINE), exercise.name


def test_every_limit_has_a_docstring_with_its_source() -> None:
    """Right below it, as the rest of the project does it."""
    body = ast.parse(Path(rules.__file__).read_text()).body
    for place, statement in enumerate(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            value = getattr(rules, statement.target.id)
            if isinstance(value, Rule | Depth):
                below = body[place + 1]
                assert isinstance(below, ast.Expr), statement.target.id
                assert isinstance(below.value, ast.Constant), statement.target.id
                assert len(str(below.value.value)) > 60, statement.target.id


def test_limits_leave_room_between_counting_and_doing_well() -> None:
    """What counts is beyond where one begins, and what is good is beyond what counts."""
    for exercise in EXERCISES.values():
        if exercise.sides is not None:
            assert exercise.rest + 10 < exercise.target
            assert exercise.depth is None or exercise.target < exercise.depth.least
