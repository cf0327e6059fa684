"""The machine that counts, on bare signals."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest

from fittracker.form.repetition import LONGEST_S, Cycle, Turn


def cycle(*, from_afar: bool = False) -> Cycle:
    """As for squats."""
    return Cycle(rest=40, target=70, least_s=0.5, from_afar=from_afar)


def turns(machine: Cycle, signal: Iterable[float], step_s: float = 0.1) -> list[Turn]:
    """What a signal makes of it."""
    return [
        turn
        for number, each in enumerate(signal)
        if (turn := machine.push(number * step_s, each)) is not None
    ]


def ramp(*corners: float, steps: int = 10) -> list[float]:
    """Straight lines from corner to corner, each of so many steps."""
    found = [corners[0]]
    for start, end in pairwise(corners):
        found += [start + (end - start) * step / steps for step in range(1, steps + 1)]
    return found


def test_down_and_up_is_one() -> None:
    """It is told on the way up, and timed as if it were whole."""
    (turn,) = turns(cycle(), ramp(0, 110, 0, 0))
    assert (turn.complete, turn.peak) == (True, 110)
    # Each way takes a second; 5 degrees at the end of it are the pause.
    assert turn.out_s == pytest.approx(1.0, abs=0.15)
    assert turn.back_s == pytest.approx(0.9, abs=0.15)


def test_less_than_the_target_is_short() -> None:
    """And much less is nothing."""
    (turn,) = turns(cycle(), ramp(0, 65, 0))
    assert not turn.complete
    assert turns(cycle(), ramp(0, 52, 0)) == []


def test_without_coming_back_it_is_none() -> None:
    """Nor is rising alone, but where one may begin at the far end."""
    assert turns(cycle(), ramp(0, 110, 45, 110, 45)) == []
    assert turns(cycle(), ramp(110, 0)) == []
    (turn,) = turns(cycle(from_afar=True), ramp(110, 0))
    assert (turn.complete, turn.out_s) == (True, None)


def test_between_the_thresholds_nothing_changes() -> None:
    """Hysteresis: 40 to come back, 50 to leave."""
    machine = cycle()
    turns(machine, ramp(0, 49, 41, 49, 41))
    assert not machine.moving
    turns(machine, ramp(41, 51))
    assert machine.moving


def test_too_quick_is_a_leap_and_too_slow_a_rest() -> None:
    """0.3 s down and up; and sitting for a minute."""
    assert turns(cycle(), ramp(0, 110, 0), step_s=0.015) == []
    sitting = ramp(0, 110) + [110.0] * int(LONGEST_S * 10) + ramp(110, 0)
    assert turns(cycle(), sitting) == []


def test_memory_is_bounded() -> None:
    """A descent of a million steps keeps a dozen points."""
    machine = cycle()
    for number in range(200_000):
        machine.push(number * 1e-4, 110 * number / 200_000)
    assert len(machine._rise) <= 12
