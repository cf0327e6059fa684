"""Faults that a frame can show, watched over time: each is told once an episode."""

from __future__ import annotations

from typing import Final

from fittracker.alerts import Episode
from fittracker.form.findings import Fault
from fittracker.form.pose import Pose
from fittracker.form.rules import Rule
from fittracker.form.skeleton import Measured
from fittracker.form.smoothing import OneEuro

HOLD_MS: Final = 150
"""A fault must last so long: one frame alone is none, at any usual frame rate."""
REARM_MS: Final = 1_000
"""Once told, it is told again after the body was clear of it for so long."""


class Watch:
    """One rule over time. `bad`: whether the fault is there; None where that cannot be seen."""

    __slots__ = ("_episode", "_smooth", "bad", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.bad: bool | None = None
        self._smooth = OneEuro()
        self._episode = Episode(HOLD_MS, REARM_MS)

    @property
    def told(self) -> bool:
        """Whether the fault is there, for long enough that it was told."""
        return self.bad is True and self._episode.given

    def look(self, t_ms: int, now_s: float, pose: Pose, signal: Measured) -> Fault | None:
        """Look at a frame; the fault where an episode begins. `signal`: how far the exercise has gone."""
        rule = self.rule
        raw = rule.measure(pose) if pose.view in rule.views else None
        if raw is None:
            self.bad = None
            return None
        value = self._smooth.push(now_s, raw)
        reached = judge(rule, value, signal)
        clear = not reached and (value < rule.limit - rule.margin or not _applies(rule, signal))
        if reached or clear or self.bad is None:
            self.bad = reached
        if self._episode.step(t_ms, reached, clear):
            return Fault(t_ms, rule.code, rule.joint, round(value, 1), rule.limit, rule.severity, pose.view)
        return None

    def interrupt(self) -> None:
        """Nobody watched for a while."""
        self.bad = None
        self._smooth.forget()
        self._episode.interrupt()


def judge(rule: Rule, value: float, signal: Measured) -> bool:
    """Whether this angle is the fault, at this point of the exercise."""
    return value > rule.limit and _applies(rule, signal)


def _applies(rule: Rule, signal: Measured) -> bool:
    low, high = rule.depth
    return low <= (0.0 if signal is None else signal) <= high
