"""The score of a repetition: 100, less what each fault costs. Nothing is hidden in it, and nothing learned.

| what | costs |
|---|---|
| too shallow | a point for each degree, 5 at least and 30 at most |
| each fault that was told during it | 15, a hint 5 |
| the sides differ by more than the limit | 10 |
| hurried: down and up in less than a second | 10 |

The points are a convention of ours. They order repetitions of one person; they measure nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fittracker.form.findings import Severity
from fittracker.form.repetition import Turn
from fittracker.form.rules import ASYMMETRY_DEG, HURRIED_S, Depth
from fittracker.form.skeleton import Measured

COSTS: Final[dict[Severity, int]] = {"info": 5, "warn": 15, "stop": 30}
SHALLOW: Final = (5, 30)
UNEVEN: Final = 10
HURRIED: Final = 10


def deductions(
    turn: Turn, depth: Depth | None, difference: Measured, faults: Mapping[str, Severity], *, timed: bool
) -> dict[str, int]:
    """What the repetition lost, by code; `faults` are those told during it.

    `depth` is None where it cannot be judged, `timed` False where its parts cannot be timed.
    """
    lost = {code: COSTS[severity] for code, severity in faults.items()}
    if depth is not None and turn.peak < depth.least:
        least, most = SHALLOW
        lost["shallow_depth"] = max(least, min(round(depth.least - turn.peak), most))
    if difference is not None and difference > ASYMMETRY_DEG:
        lost["asymmetry"] = UNEVEN
    if timed and turn.out_s is not None and turn.out_s + turn.back_s < HURRIED_S:
        lost["hurried"] = HURRIED
    return lost
