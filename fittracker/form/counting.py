"""The signal of an exercise, frame by frame, and the movements it makes: of the body, or of each arm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fittracker.form.exercises import Exercise
from fittracker.form.foreshortening import Foreshortened
from fittracker.form.pose import Pose
from fittracker.form.repetition import Cycle, Turn
from fittracker.form.skeleton import Measured
from fittracker.form.smoothing import GAP_S, OneEuro

LINGER_S: Final = 0.3
"""A side that is hidden for no longer than this is thought to be where it was, while the other is seen."""
TOGETHER: Final = 0.5
"""Two arms that move for this share of the shorter movement at the same time make one repetition."""


class Side:
    """One signal and its cycle."""

    __slots__ = ("_seen_s", "_smooth", "counted", "cycle", "value")

    def __init__(self, exercise: Exercise) -> None:
        self.value: Measured = None
        self.counted: Turn | None = None
        """The last movement that was told, and is not yet matched by one of the other arm."""
        self.cycle = Cycle(
            rest=exercise.rest,
            target=exercise.target,
            least_s=exercise.least_s,
            from_afar=exercise.from_afar,
        )
        self._smooth = OneEuro()
        self._seen_s: float | None = None

    def push(self, now_s: float, raw: Measured) -> Turn | None:
        """Take a bend; the movement that ended with it."""
        if raw is None:
            self.value = None
            return None
        if self._seen_s is None or now_s - self._seen_s > GAP_S:
            self.cycle.forget()
        self._seen_s = now_s
        self.value = self._smooth.push(now_s, raw)
        return self.cycle.push(now_s, self.value)

    def forget(self) -> None:
        """Nobody watched for a while: what was going on may be over, or be something else."""
        self.value = self.counted = self._seen_s = None
        self._smooth.forget()


class Sides:
    """Left and right, where either may be out of sight for a moment without a leap of what both mean."""

    __slots__ = ("_left", "_right")

    def __init__(self) -> None:
        self._left = self._right = (0.0, -LINGER_S)

    def take(self, now_s: float, left: Measured, right: Measured) -> tuple[Measured, Measured]:
        """Both bends; one that is not seen as it was a moment ago."""
        if left is not None:
            self._left = (left, now_s)
        elif now_s - self._left[1] < LINGER_S:
            left = self._left[0]
        if right is not None:
            self._right = (right, now_s)
        elif now_s - self._right[1] < LINGER_S:
            right = self._right[0]
        return left, right


class Movement:
    """All signals of one exercise. `signal` is how far it has gone (degrees), None where that is not seen."""

    __slots__ = ("_both", "_drop", "_even", "_exercise", "_sides", "difference", "signal")

    def __init__(self, exercise: Exercise) -> None:
        self._exercise = exercise
        self._sides = tuple(Side(exercise) for _ in range(2 if exercise.alone else 1))
        self._drop = Foreshortened(exercise.drop[1]) if exercise.drop else None
        self._both = Sides()
        self._even = Difference()
        self.signal: Measured = None
        self.difference: Measured = None
        """Of the movement that ended: by how much one side went further."""

    @property
    def moving(self) -> bool:
        """Whether a repetition is going on."""
        return any(side.cycle.moving for side in self._sides)

    def push(self, now_s: float, elapsed_s: float, pose: Pose) -> list[Turn]:
        """Take a frame; the movements that ended with it, each once."""
        left, right = self._bends(pose)
        if self._exercise.alone:
            raw: tuple[Measured, ...] = (left, right)
        else:
            raw = (self._whole(now_s, elapsed_s, pose, left, right),)
            if self._exercise.twins and pose.view == "3d":
                self._even.push(now_s, left, right, self._sides[0].cycle.moving)
        ended = [
            turn
            for side, bend in zip(self._sides, raw, strict=True)
            if (turn := side.push(now_s, bend)) is not None and not self._matched(side, turn)
        ]
        self.signal = max((side.value for side in self._sides if side.value is not None), default=None)
        if ended:
            self.difference = self._compare(pose, ended[0])
        return ended

    def forget(self) -> None:
        """Nobody watched for a while."""
        self.signal = None
        self._both, self._even = Sides(), Difference()
        for side in self._sides:
            side.forget()

    def _bends(self, pose: Pose) -> tuple[Measured, Measured]:
        exercise = self._exercise
        if exercise.sides is None or (exercise.lying and not pose.lies()):
            return None, None
        return exercise.sides[0](pose), exercise.sides[1](pose)

    def _whole(self, now_s: float, elapsed_s: float, pose: Pose, left: Measured, right: Measured) -> Measured:
        if left is not None or right is not None:
            left, right = self._both.take(now_s, left, right)
        seen = self._exercise.whole(left, right)
        if self._exercise.drop is None or self._drop is None or pose.view != "front":
            return seen
        height = self._exercise.drop[0](pose)
        if height is None:
            return seen
        return max(self._drop.push(height, elapsed_s), seen or 0.0)

    def _others(self, side: Side) -> Iterator[Side]:
        return (each for each in self._sides if each is not side)

    def _matched(self, side: Side, turn: Turn) -> bool:
        """Whether the other arm did the same at the same time, and was told already."""
        for other in self._others(side):
            if other.counted is not None and _together(turn, other.counted):
                other.counted = None
                return True
        side.counted = turn
        return False

    def _compare(self, pose: Pose, turn: Turn) -> Measured:
        if not self._exercise.twins or pose.view != "3d":
            return None
        if not self._exercise.alone:
            return self._even.take()
        for side in self._sides:
            if side.cycle.moving and side.cycle.peak >= self._exercise.target:
                return abs(turn.peak - side.cycle.peak)
        return None


class Difference:
    """How far each side went while both were seen."""

    __slots__ = ("_left", "_peaks", "_right")

    def __init__(self) -> None:
        self._left, self._right = OneEuro(), OneEuro()
        self._peaks: tuple[float, float] | None = None

    def push(self, now_s: float, left: Measured, right: Measured, moving: bool) -> None:
        """Take both bends."""
        if left is None or right is None:
            return
        one, other = self._left.push(now_s, left), self._right.push(now_s, right)
        if moving:
            before = self._peaks or (0.0, 0.0)
            self._peaks = max(before[0], one), max(before[1], other)

    def take(self) -> Measured:
        """By how much one side went further in the movement that ended; None where one was not seen."""
        peaks, self._peaks = self._peaks, None
        return None if peaks is None else abs(peaks[0] - peaks[1])


def _together(one: Turn, other: Turn) -> bool:
    shared = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    shorter = min(one.end_s - one.start_s, other.end_s - other.start_s)
    return shared >= TOGETHER * shorter
