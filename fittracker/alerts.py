"""Alerts on a live heart rate: what sets them off, and why they do not flap.

Each kind has two levels and two times. The condition must hold for a while before the alert is given; once
given, it is not given again until the heart rate has stayed clear of the limit, by a margin, for another
while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Final, Literal

from msgspec import Struct

from fittracker.errors import Invalid
from fittracker.figure import plausible

Kind = Literal["high", "low", "jump", "irregular", "lost"]

LOW_BPM: Final = 40
BELOW_RESTING: Final = 5
MARGIN_BPM: Final = 5
HIGH_HOLD_MS: Final = 5_000
LOW_HOLD_MS: Final = 30_000
LEVEL_REARM_MS: Final = 30_000
# A heart at the start of a sprint gains up to some 25 bpm in 5 s; more is a sensor that slipped or came
# loose.
JUMP_BPM: Final = 30
JUMP_MARGIN_BPM: Final = 10
JUMP_REARM_MS: Final = 60_000
# Longer than the window of `rhythm` at an ordinary pace: one bad stretch passing through it is not enough.
IRREGULAR_HOLD_MS: Final = 120_000
IRREGULAR_REARM_MS: Final = 300_000
LOST_S: Final = 5
LOST_REARM_MS: Final = 10_000


class Alert(Struct, frozen=True, gc=False):
    """One alert, as `hr.alert` tells it.

    `bpm` is the heart rate when it was given (0 for `lost`) and `since` the time (unix ms) at which the
    condition began. `limit` is what was passed: bpm for high and low, a change in bpm for jump, seconds
    without contact for lost, and RMSSD over the mean interval for irregular.
    """

    kind: Kind
    bpm: int
    limit: float
    since: int


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """The limits of one person; None turns that alert off.

    `high`: above it (bpm); `low`: below it (bpm); `jump`: a change of this much (bpm) within some 5 s;
    `irregular`: the hint of `rhythm`, on or off; `lost_s`: seconds without contact.
    """

    high: int | None = None
    low: int | None = LOW_BPM
    jump: int | None = JUMP_BPM
    irregular: bool = True
    lost_s: float | None = LOST_S

    def __post_init__(self) -> None:
        _check("high", self.high, 60, 250)
        _check("low", self.low, 20, 150)
        _check("jump", self.jump, 15, 150)
        _check("lost_s", self.lost_s, 1, 300)
        if self.high is not None and self.low is not None and self.high - self.low <= 2 * MARGIN_BPM:
            raise Invalid(
                f"The high limit must lie more than {2 * MARGIN_BPM} bpm above the low one.",
                fields={"high": "is too close to low"},
            )

    @classmethod
    def of_person(cls, maximum: float | None = None, resting: float | None = None) -> AlertLimits:
        """The limits of somebody who set none.

        High is the highest heart rate, from age or measured (`heart.maximum_rate`), and off while that is
        not known. Low is 40 bpm, or 5 below the resting heart rate of those whose heart is slower at rest.
        """
        high = None if maximum is None else round(plausible("maximum", maximum, 60, 250))
        low = LOW_BPM if resting is None else min(LOW_BPM, round(resting) - BELOW_RESTING)
        return cls(high=high, low=max(20, low))

    def with_own(self, own: Mapping[str, float | None]) -> AlertLimits:
        """These limits with a person's own ones in place of some; `Invalid` names unknown fields."""
        unknown = own.keys() - {field.name for field in fields(self)}
        if unknown:
            raise Invalid("There is no such limit.", fields=dict.fromkeys(sorted(unknown), "is not known"))
        return replace(self, **own)  # type: ignore[arg-type]  # the values are checked there

    def as_dict(self) -> dict[str, float | None]:
        """The limits by name, as `hr.open` tells them."""
        return asdict(self)


def _check(field: str, value: float | None, lowest: float, highest: float) -> None:
    if value is not None:
        plausible(field, value, lowest, highest)


class Episode:
    """The hysteresis of one kind of alert: quiet, then under suspicion, then given, then quiet again.

    `idle` is True while there is nothing to wait for, so that a caller may skip the samples that change
    nothing.
    """

    __slots__ = ("_calm_since", "_hold_ms", "_rearm_ms", "given", "idle", "since")

    def __init__(self, hold_ms: int, rearm_ms: int) -> None:
        self._hold_ms = hold_ms
        self._rearm_ms = rearm_ms
        self.idle = True
        self.given = False
        self.since = 0
        self._calm_since = 0

    def step(self, t_ms: int, on: bool, off: bool) -> bool:
        """Take the state of the condition at a time; True when the alert is to be given now.

        `on`: the limit is passed; `off`: it is clear by the margin; neither: in between, which changes
        nothing.
        """
        if self.given:
            self._settle(t_ms, on, off)
            return False
        if off:
            self.idle = True
            return False
        if self.idle:
            if not on:
                return False
            self.idle = False
            self.since = t_ms
        self.given = on and t_ms - self.since >= self._hold_ms
        return self.given

    def _settle(self, t_ms: int, on: bool, off: bool) -> None:
        if on:
            self._calm_since = 0
        elif self._calm_since:
            if t_ms - self._calm_since >= self._rearm_ms:
                self.given = False
                self.idle = True
                self._calm_since = 0
        elif off:
            self._calm_since = t_ms

    def interrupt(self) -> None:
        """Nobody watched for a while: what was pending has to begin anew; what was given stays given."""
        self._calm_since = 0
        if not self.given:
            self.idle = True
