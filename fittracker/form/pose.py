"""One frame of a body, and what can be measured on it, in degrees.

A bend is 0 in a straight joint and grows as it flexes. A lean is 0 upright, positive forwards, negative
backwards. What needs to know where forwards is, or only means something from the side, says so.
"""

from __future__ import annotations

from math import acos, atan2, degrees, dist, hypot, sqrt
from typing import Final, Literal

from fittracker.form.skeleton import (
    LEFT_ANKLE,
    LEFT_EAR,
    LEFT_ELBOW,
    LEFT_HEEL,
    LEFT_HIP,
    LEFT_KNEE,
    LEFT_SHOULDER,
    LEFT_TOE,
    LEFT_WRIST,
    NOSE,
    RIGHT_ANKLE,
    RIGHT_EAR,
    RIGHT_ELBOW,
    RIGHT_HEEL,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_TOE,
    RIGHT_WRIST,
    Joints,
    Measured,
    Vector,
)

View = Literal["side", "front", "3d"]
"""From where the camera looks; "3d" where the points are in space, and it does not matter."""

UPPER_ARM: Final = 0.885
"""Upper arm over shoulder width.

0.186 of the height (Drillis and Contini 1966, in Winter 2009, Biomechanics and Motor Control of Human
Movement, fig. 4.1) over 0.21 of it: the shoulder points of pose models lie 0.73 of the trunk's length (0.288)
apart.
"""

LEVEL_ARM: Final = 0.35
"""An upper arm that points at the ground but for less than this share of it has no direction sideways."""


class Pose:
    """The joints of one frame.

    `view`, `broad` (see `breadth`) and `ahead`, the horizontal unit vector (x, z) of where the body faces,
    are told by bearings.py, which remembers more than one frame.
    """

    __slots__ = ("ahead", "ankle", "broad", "hip", "joints", "shoulder", "view")

    def __init__(self, joints: Joints) -> None:
        self.joints = joints
        self.shoulder = between(joints[LEFT_SHOULDER], joints[RIGHT_SHOULDER])
        self.hip = between(joints[LEFT_HIP], joints[RIGHT_HIP])
        self.ankle = between(joints[LEFT_ANKLE], joints[RIGHT_ANKLE])
        self.view: View = "side"
        self.broad = 0.0
        self.ahead: tuple[float, float] | None = None

    # -- where the camera is -------------------------------------------------------------------------

    def breadth(self) -> float | None:
        """How broad the shoulders look against the trunk: 0 from the side, some 0.75 from the front.

        A shoulder that is hidden by the body is a view from the side, too.
        """
        shoulder, hip = self.shoulder, self.hip
        if shoulder is None or hip is None:
            return None
        left, right = self.joints[LEFT_SHOULDER], self.joints[RIGHT_SHOULDER]
        if left is None or right is None:
            return 0.0
        trunk = hypot(shoulder[0] - hip[0], shoulder[1] - hip[1])
        return min(abs(left[0] - right[0]) / trunk, 3.0) if trunk else None

    def heading(self) -> tuple[float, float] | None:
        """Where the feet point, else the face; horizontal (x, z), not of unit length. None where unseen."""
        joints = self.joints
        x = z = 0.0
        for heel, toe in ((LEFT_HEEL, LEFT_TOE), (RIGHT_HEEL, RIGHT_TOE)):
            back, tip = joints[heel], joints[toe]
            if back is not None and tip is not None:
                x += tip[0] - back[0]
                z += tip[2] - back[2]
        if x or z:
            return x, z
        nose, behind = joints[NOSE], between(joints[LEFT_EAR], joints[RIGHT_EAR]) or self.shoulder
        if nose is None or behind is None:
            return None
        return nose[0] - behind[0], nose[2] - behind[2]

    # -- joints --------------------------------------------------------------------------------------

    def left_knee(self) -> Measured:
        """Bend of the left knee."""
        joints = self.joints
        return bend(joints[LEFT_HIP], joints[LEFT_KNEE], joints[LEFT_ANKLE])

    def right_knee(self) -> Measured:
        """Bend of the right knee."""
        joints = self.joints
        return bend(joints[RIGHT_HIP], joints[RIGHT_KNEE], joints[RIGHT_ANKLE])

    def knees(self) -> Measured:
        """Bend of the knees, of both the mean."""
        return mean(self.left_knee(), self.right_knee())

    def left_hip(self) -> Measured:
        """Bend of the left hip."""
        joints = self.joints
        return bend(joints[LEFT_SHOULDER], joints[LEFT_HIP], joints[LEFT_KNEE])

    def right_hip(self) -> Measured:
        """Bend of the right hip."""
        joints = self.joints
        return bend(joints[RIGHT_SHOULDER], joints[RIGHT_HIP], joints[RIGHT_KNEE])

    def left_elbow(self) -> Measured:
        """Bend of the left elbow."""
        joints = self.joints
        return bend(joints[LEFT_SHOULDER], joints[LEFT_ELBOW], joints[LEFT_WRIST])

    def right_elbow(self) -> Measured:
        """Bend of the right elbow."""
        joints = self.joints
        return bend(joints[RIGHT_SHOULDER], joints[RIGHT_ELBOW], joints[RIGHT_WRIST])

    def left_reach(self) -> Measured:
        """How far the left elbow is stretched, with the hand above it; None with the hand below."""
        return reach(self.left_elbow(), self.joints[LEFT_ELBOW], self.joints[LEFT_WRIST])

    def right_reach(self) -> Measured:
        """How far the right elbow is stretched, with the hand above it; None with the hand below."""
        return reach(self.right_elbow(), self.joints[RIGHT_ELBOW], self.joints[RIGHT_WRIST])

    # -- the body ------------------------------------------------------------------------------------

    def trunk_lean(self) -> Measured:
        """Of the trunk, from upright. From the side."""
        return self._lean(self.hip, self.shoulder)

    def trunk_lean_back(self) -> Measured:
        """The same, backwards. From the side."""
        lean = self._lean(self.hip, self.shoulder)
        return None if lean is None else -lean

    def shin_lean(self) -> Measured:
        """Of the shins, from upright; of both the mean. From the side."""
        joints = self.joints
        left = self._lean(joints[LEFT_ANKLE], joints[LEFT_KNEE])
        return mean(left, self._lean(joints[RIGHT_ANKLE], joints[RIGHT_KNEE]))

    def front_shin_lean(self) -> Measured:
        """Of the shin whose foot is in front. From the side."""
        joints, ahead = self.joints, self.ahead
        left, right = joints[LEFT_ANKLE], joints[RIGHT_ANKLE]
        if ahead is None or left is None or right is None:
            return None
        lead = (left[0] - right[0]) * ahead[0] + (left[2] - right[2]) * ahead[1]
        if lead > 0:
            return self._lean(left, joints[LEFT_KNEE])
        return self._lean(right, joints[RIGHT_KNEE])

    def upper_arm(self) -> Measured:
        """Between upper arm and trunk; of both arms the one further away from it. From the side."""
        joints = self.joints
        left = bend(joints[LEFT_ELBOW], joints[LEFT_SHOULDER], joints[LEFT_HIP])
        right = bend(joints[RIGHT_ELBOW], joints[RIGHT_SHOULDER], joints[RIGHT_HIP])
        # A bend is counted from the straight joint, and an arm along the trunk is folded right back.
        seen = [180 - each for each in (left, right) if each is not None]
        return max(seen) if seen else None

    def flare(self) -> Measured:
        """How far the elbows point away from the trunk, the further one: 0 along it, 90 straight sideways.

        Of a body that lies on its hands: what of the upper arm points at the ground is left out. From the
        front, or in space.
        """
        joints = self.joints
        left, right = joints[LEFT_SHOULDER], joints[RIGHT_SHOULDER]
        if left is None or right is None:
            return None
        arms = ((left, right, joints[LEFT_ELBOW]), (right, left, joints[RIGHT_ELBOW]))
        out = [
            flared
            for shoulder, other, elbow in arms
            if elbow is not None and (flared := self._flared(shoulder, other, elbow)) is not None
        ]
        return max(out) if out else None

    def _flared(self, shoulder: Vector, other: Vector, elbow: Vector) -> Measured:
        if self.view == "3d":
            size = dist(shoulder, elbow)
            out, along = _part(other, shoulder, elbow), _part(self.shoulder, self.hip, elbow, shoulder)
        else:
            size = UPPER_ARM * abs(shoulder[0] - other[0])
            out = abs(elbow[0] - shoulder[0])
            # Along the trunk is towards the camera, or away from it: what the arm lacks in the picture.
            along = sqrt(max(size**2 - out**2 - (elbow[1] - shoulder[1]) ** 2, 0.0))
        if hypot(out, along) < LEVEL_ARM * size:
            return None
        return degrees(atan2(max(out, 0.0), along))

    def hip_line(self) -> Measured:
        """How far the hips are bent out of the line from shoulders to ankles; upwards is positive.

        Of a body that lies along the ground. From the side.
        """
        shoulder, hip, ankle = self.shoulder, self.hip, self.ankle
        out = bend(shoulder, hip, ankle)
        if out is None or shoulder is None or hip is None or ankle is None:
            return None
        along = hypot(ankle[0] - shoulder[0], ankle[2] - shoulder[2])
        if not along:
            return None
        share = hypot(hip[0] - shoulder[0], hip[2] - shoulder[2]) / along
        # y grows downwards: above the line is less than what the line has there.
        return out if hip[1] <= shoulder[1] + share * (ankle[1] - shoulder[1]) else -out

    def hip_sag(self) -> Measured:
        """The same, downwards. From the side."""
        line = self.hip_line()
        return None if line is None else -line

    def lies(self) -> bool | None:
        """Whether the body is along the ground rather than upright; None where that cannot be seen."""
        shoulder, far = self.shoulder, self.ankle or self.hip
        if shoulder is None or far is None:
            return None
        if abs(shoulder[1] - far[1]) <= hypot(shoulder[0] - far[0], shoulder[2] - far[2]):
            return True
        # Seen along its length a trunk that lies is shorter than the shoulders are broad.
        return self.view == "front" and self.broad > 1.0

    def leg_height(self) -> float | None:
        """How high the hips are above the ankles, in lengths of the trunk. From the front."""
        return height(self.ankle, self.hip, self.hip, self.shoulder)

    def trunk_height(self) -> float | None:
        """How high the shoulders are above the hips, in lengths of the legs. From the front."""
        return height(self.hip, self.shoulder, self.hip, self.ankle)

    def _lean(self, low: Vector | None, high: Vector | None) -> Measured:
        ahead = self.ahead
        if low is None or high is None or ahead is None:
            return None
        forwards = (high[0] - low[0]) * ahead[0] + (high[2] - low[2]) * ahead[1]
        return degrees(atan2(forwards, low[1] - high[1]))


def _part(start: Vector | None, end: Vector | None, of: Vector, since: Vector | None = None) -> float:
    """How much of the way to a point, from `end` or from `since`, goes in the direction from start to end."""
    if start is None or end is None:
        return 0.0
    length = dist(start, end)
    come = since or end
    along = sum((b - a) * (p - c) for a, b, p, c in zip(start, end, of, come, strict=True))
    return along / length if length else 0.0


def between(one: Vector | None, other: Vector | None) -> Vector | None:
    """The middle of two points, or the one that was seen."""
    if one is None:
        return other
    if other is None:
        return one
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2, (one[2] + other[2]) / 2


def bend(near: Vector | None, joint: Vector | None, far: Vector | None) -> Measured:
    """How far a joint is from straight: 0 to 180. None where a point is missing, or two are the same."""
    if near is None or joint is None or far is None:
        return None
    jx, jy, jz = joint
    ax, ay, az = jx - near[0], jy - near[1], jz - near[2]
    bx, by, bz = far[0] - jx, far[1] - jy, far[2] - jz
    size = (ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz)
    if size <= 0.0:
        return None
    cosine = (ax * bx + ay * by + az * bz) / sqrt(size)
    return degrees(acos(max(-1.0, min(cosine, 1.0))))


def mean(one: Measured, other: Measured) -> Measured:
    """Of both sides, or of the one that was seen."""
    if one is None:
        return other
    return one if other is None else (one + other) / 2


def reach(elbow: Measured, joint: Vector | None, wrist: Vector | None) -> Measured:
    """180 for a stretched elbow with the hand above it; None with the hand below."""
    if elbow is None or joint is None or wrist is None or wrist[1] >= joint[1]:
        return None
    return 180 - elbow


def height(low: Vector | None, high: Vector | None, start: Vector | None, end: Vector | None) -> float | None:
    """How much higher one point is than another, in distances from `start` to `end`; -9 to 9."""
    if low is None or high is None or start is None or end is None:
        return None
    scale = hypot(end[0] - start[0], end[1] - start[1])
    return max(-9.0, min((low[1] - high[1]) / scale, 9.0)) if scale else None
