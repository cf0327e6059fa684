"""From where the camera looks at the body, and which way it faces, over the last second or so."""

from __future__ import annotations

from math import hypot
from typing import Final

from fittracker.form.pose import Pose, View
from fittracker.form.skeleton import LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP, RIGHT_SHOULDER, Vector

FRONT_FROM: Final = 0.55
"""Shoulders this broad, in lengths of the trunk, are seen from the front.

Pose models put them 0.73 apart when seen squarely (the median of the squat tables, all filmed from the front)
and up to 0.35 from the side (the curl table): 0.55 is a body turned by 41 degrees, 0.35 one turned by 61.
"""
SIDE_BELOW: Final = 0.35
FIRST: Final = 0.45
"""Where the first frame belongs, which has nothing before it."""
MEMORY_S: Final = 0.5


class Bearings:
    """What is remembered of view and heading, so that one odd frame changes neither."""

    __slots__ = ("_breadth", "_heading", "_view", "_world")

    def __init__(self, world: bool) -> None:
        self._world = world
        self._view: View | None = "3d" if world else None
        self._breadth = 0.0
        self._heading = (0.0, 0.0)

    @property
    def view(self) -> View:
        """From where the camera looks; "side" before anything was seen."""
        return self._view or "side"

    def take(self, pose: Pose, elapsed_s: float) -> None:
        """Look at a frame so long after the one before, and tell it what is known."""
        share = elapsed_s / (elapsed_s + MEMORY_S)
        if not self._world:
            self._look(pose, share)
        pose.view, pose.broad = self.view, self._breadth
        heading = pose.heading()
        if heading is not None:
            size = hypot(*heading)
            if size:
                x, z = self._heading
                part = share if x or z else 1.0
                self._heading = (x + part * (heading[0] / size - x), z + part * (heading[1] / size - z))
        pose.ahead = self._ahead(pose)

    def reset(self) -> None:
        """What was may be no more: people turn, and cameras are put elsewhere."""
        self.__init__(self._world)  # type: ignore[misc]  # there is nothing to it but its first state

    def _look(self, pose: Pose, share: float) -> None:
        breadth = pose.breadth()
        if breadth is None:
            return
        if self._view is None:
            self._breadth = breadth
            self._view = "front" if breadth >= FIRST else "side"
            return
        self._breadth += share * (breadth - self._breadth)
        if self._breadth >= FRONT_FROM:
            self._view = "front"
        elif self._breadth < SIDE_BELOW:
            self._view = "side"

    def _ahead(self, pose: Pose) -> tuple[float, float] | None:
        x, z = self._heading
        if not self._world:
            return (1.0, 0.0) if x > 0 else (-1.0, 0.0) if x < 0 else None
        across = _across(pose)
        if across is None:
            return None
        # At a right angle to the line from right to left; feet and face decide between the two ends of it.
        ahead = (across[1], -across[0])
        return (-ahead[0], -ahead[1]) if ahead[0] * x + ahead[1] * z < 0 else ahead


def _across(pose: Pose) -> tuple[float, float] | None:
    joints = pose.joints
    for left, right in ((LEFT_HIP, RIGHT_HIP), (LEFT_SHOULDER, RIGHT_SHOULDER)):
        found = _level(joints[left], joints[right])
        if found is not None:
            return found
    return None


def _level(left: Vector | None, right: Vector | None) -> tuple[float, float] | None:
    if left is None or right is None:
        return None
    x, z = left[0] - right[0], left[2] - right[2]
    size = hypot(x, z)
    return (x / size, z / size) if size else None
