"""A body of sticks that does exercises: by kinematics, before a camera from any side, for either model.

Lengths are shares of the height (Drillis and Contini 1966, in Winter 2009). The body moves in its sagittal
plane, x forwards, y down, z to its left; a yaw of 0 is a camera at its right side, 90 one in front of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from fittracker.form import MODELS, Analysis, Event, Point

TRUNK, THIGH, SHIN, UPPER_ARM, FOREARM, FOOT, HEAD = 0.288, 0.245, 0.246, 0.186, 0.146, 0.114, 0.13
SHOULDERS, HIPS = 0.21, 0.13
Vector = tuple[float, float, float]
Frame = list[Point | None]


@dataclass(frozen=True, slots=True)
class Posture:
    """Angles in degrees. Leans are forwards from upright; `arm` is from hanging, forwards; `elbow` a bend."""

    shin: float = 0.0
    knee: float = 0.0
    trunk: float = 0.0
    arm: float = 0.0
    elbow: float = 0.0
    flare: float = 0.0
    """How far the upper arms point sideways."""
    rear: tuple[float, float] | None = None
    """Shin and knee of the right leg where it is not as the left one."""
    left_elbow: float | None = None
    """Where it is not as the right one."""


def _step(start: Vector, angle: float, length: float) -> Vector:
    """A stick from a point, upwards at an angle forwards."""
    lean = math.radians(angle)
    return start[0] + math.sin(lean) * length, start[1] - math.cos(lean) * length, start[2]


def _joints(posture: Posture) -> dict[str, Vector]:
    found: dict[str, Vector] = {}
    thigh_lean = posture.shin - posture.knee
    hip = _step(_step((0.0, 0.0, 0.0), posture.shin, SHIN), thigh_lean, THIGH)
    trunk_lean = posture.trunk
    for side, sign in (("left", 1), ("right", -1)):
        across = sign * HIPS / 2
        shin, knee = (posture.shin, posture.knee)
        if posture.rear is not None and side == "right":
            shin, knee = posture.rear
        hip_here = (hip[0], hip[1], across)
        down = _step(hip_here, 180 + shin - knee, THIGH)
        ankle = _step(down, 180 + shin, SHIN)
        found[f"{side}_hip"], found[f"{side}_knee"], found[f"{side}_ankle"] = hip_here, down, ankle
        found[f"{side}_heel"] = (ankle[0] - 0.03, ankle[1] + 0.03, across)
        found[f"{side}_toe"] = (ankle[0] + FOOT, ankle[1] + 0.035, across)
        chest = _step(hip, trunk_lean, TRUNK)
        shoulder = (chest[0], chest[1], sign * SHOULDERS / 2)
        found[f"{side}_shoulder"] = shoulder
        _arm(found, posture, side, sign, shoulder, trunk_lean)
    middle = _step(hip, trunk_lean, TRUNK)
    head = _step(middle, trunk_lean, HEAD)
    found["nose"] = (head[0] + 0.06 * math.cos(math.radians(trunk_lean)), head[1] + 0.01, 0.0)
    found["left_ear"], found["right_ear"] = (head[0], head[1], 0.04), (head[0], head[1], -0.04)
    return found


def _arm(
    found: dict[str, Vector], posture: Posture, side: str, sign: int, shoulder: Vector, trunk: float
) -> None:
    bend = posture.left_elbow if side == "left" and posture.left_elbow is not None else posture.elbow
    # Hanging along the trunk is 180 from it; forwards turns it back towards the front.
    upper = trunk + 180 - posture.arm
    out = math.radians(posture.flare)
    elbow = _step(shoulder, upper, UPPER_ARM * math.cos(out))
    elbow = (elbow[0], elbow[1], shoulder[2] + sign * UPPER_ARM * math.sin(out))
    found[f"{side}_elbow"] = elbow
    found[f"{side}_wrist"] = _step(elbow, upper - bend, FOREARM)


NAMES = [
    "nose",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_toe",
    "right_toe",
]


@dataclass(frozen=True, slots=True)
class Camera:
    """Where it stands and what it makes of the body."""

    model: str = "mediapipe33"
    yaw: float = 0.0
    world: bool = False
    size: float = 500.0
    """Height of the body in pixels."""
    at: tuple[float, float] = (600.0, 900.0)
    aspect: float | None = None
    """Fractions of a picture 1,000 pixels high and this much broader, instead of pixels."""
    mirrored: bool = False
    noise: float = 0.0
    """Standard deviation of each coordinate, as a share of the height."""
    dropout: float = 0.0
    """The share of points that are not seen, at random."""
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def see(self, posture: Posture) -> Frame:
        """One frame."""
        return self.frame(_joints(posture))

    def frame(self, body: dict[str, Vector]) -> Frame:
        """The points of the model, of a body's joints."""
        joints = {name: self._turned(place) for name, place in body.items()}
        model = MODELS[self.model]
        points: Frame = [Point(*self._place((0.0, 0.0, 0.0)), 0.9) for _ in range(model.points)]
        for name, place in zip(NAMES, model.places, strict=False):
            mirror = {"left": "right", "right": "left"}.get(name.split("_")[0]) if self.mirrored else None
            told = f"{mirror}_{name.split('_')[1]}" if mirror else name
            seen = 0.1 if self.chance.random() < self.dropout else 0.95
            points[place] = Point(*self._place(joints[told]), seen)
        return points

    def _turned(self, place: Vector) -> Vector:
        x, y, z = place
        yaw = math.radians(self.yaw)
        # At a yaw of 0 the body faces to the right of the picture, its left side away from the camera.
        right, away = x * math.cos(yaw) + z * math.sin(yaw), z * math.cos(yaw) - x * math.sin(yaw)
        return (-right if self.mirrored else right), y, away

    def _place(self, place: Vector) -> Vector:
        x, y, z = (each + self.chance.gauss(0.0, self.noise) if self.noise else each for each in place)
        if self.world:
            return x * 1.75, y * 1.75, z * 1.75
        x, y, z = self.at[0] + x * self.size, self.at[1] + y * self.size, z * self.size
        if self.aspect is not None:
            return x / (1000 * self.aspect), y / 1000, z / (1000 * self.aspect)
        return x, y, z


# -- exercises: what the body looks like at a share (0 to 1) of the way ----------------------------------

Body = Posture | dict[str, Vector]
Shape = Callable[[float], Body]
"""What the body looks like at a share (0 to 1) of the way."""
Course = Callable[[float], float]
"""The share of the way at a time (s)."""


def squat(depth: float = 110.0, trunk: float = 40.0) -> Shape:
    """Shins lean by a third of the bend."""
    return lambda way: Posture(shin=depth / 3.4 * way, knee=depth * way, trunk=trunk * way, arm=10)


def lunge(depth: float = 90.0, shin: float = 8.0) -> Shape:
    """The left leg in front."""
    return lambda way: Posture(
        shin=shin * way, knee=depth * way, rear=((depth - 5) * way, (depth + 10) * way), trunk=2, arm=5
    )


def deadlift(hinge: float = 65.0) -> Shape:
    """Hips back, trunk forwards, arms hanging."""
    return lambda way: Posture(shin=8 * way, knee=50 * way, trunk=hinge * way, arm=hinge * way)


def curl(bend: float = 130.0, lean: float = 0.0, arm: float = 5.0) -> Shape:
    """Both arms."""
    return lambda way: Posture(trunk=-lean * way, arm=arm * way, elbow=8 + (bend - 8) * way)


def press(stretch: float = 172.0) -> Shape:
    """From the shoulders to overhead."""
    return lambda way: Posture(arm=45 + 130 * way, elbow=135 - (stretch - 45) * way)


def alternating(left: bool) -> Shape:
    """A curl of one arm; the other hangs."""
    if left:
        return lambda way: Posture(elbow=8, left_elbow=8 + 122 * way, arm=3)
    return lambda way: Posture(elbow=8 + 122 * way, left_elbow=8, arm=3)


# -- along the ground, where the sticks are laid by hand --------------------------------------------------


def pushup(bend: float = 95.0, hips: float = 0.0, flare: float = 40.0) -> Shape:
    """Hands and toes on the ground; `hips` out of the line, upwards."""
    return lambda way: plank(hips, elbow=8 + (bend - 8) * way, flare=flare * way)


def plank(hips: float = 0.0, elbow: float = 90.0, flare: float = 0.0) -> dict[str, Vector]:
    """Head to the right of the picture; joints, not a posture."""
    reach = UPPER_ARM + FOREARM * math.cos(math.radians(min(elbow, 90)))
    found: dict[str, Vector] = {}
    length = THIGH + SHIN
    rise = math.asin(min(reach * 0.8 / (length + TRUNK), 0.9))
    # Two sticks that meet at the hips, bent there by `hips`, whose ends stay on the line.
    bent = math.radians(hips)
    legs = rise + bent * TRUNK / (length + TRUNK)
    for side, sign in (("left", 1), ("right", -1)):
        ankle = (0.0, 0.0, sign * HIPS / 2)
        knee = (SHIN * math.cos(legs), -SHIN * math.sin(legs), sign * HIPS / 2)
        hip = (length * math.cos(legs), -length * math.sin(legs), sign * HIPS / 2)
        trunk = legs - bent
        top = (hip[0] + TRUNK * math.cos(trunk), hip[1] - TRUNK * math.sin(trunk))
        shoulder = (top[0], top[1], sign * SHOULDERS / 2)
        for name, place in (("ankle", ankle), ("knee", knee), ("hip", hip), ("shoulder", shoulder)):
            found[f"{side}_{name}"] = place
        found[f"{side}_heel"] = (-0.02, -0.02, ankle[2])
        found[f"{side}_toe"] = (0.0, 0.06, ankle[2])
        back, out = math.radians(elbow / 2), math.radians(flare)
        bow = (
            shoulder[0] - UPPER_ARM * math.sin(back) * math.cos(out),
            shoulder[1] + UPPER_ARM * math.cos(back),
            shoulder[2] + sign * UPPER_ARM * math.sin(back) * math.sin(out),
        )
        found[f"{side}_elbow"] = bow
        found[f"{side}_wrist"] = (
            bow[0] + FOREARM * math.sin(back) * math.cos(out),
            bow[1] + FOREARM * math.cos(back),
            bow[2] - sign * FOREARM * math.sin(back) * math.sin(out),
        )
        found[f"{side}_ear"] = (top[0] + HEAD, top[1], sign * 0.04)
    found["nose"] = (top[0] + HEAD, top[1] + 0.06, 0.0)
    return found


# -- time --------------------------------------------------------------------------------------------------


def course(reps: int, *, down: float = 1.5, pause: float = 0.3, up: float = 1.2, rest: float = 0.8) -> Course:
    """The share of the way at a time (s), half cosines there and back; 0 before and after."""
    whole = down + pause + up + rest

    def way(seconds: float) -> float:
        place, at = divmod(seconds - rest, whole)
        if not 0 <= place < reps:
            return 0.0
        if at < down:
            return (1 - math.cos(math.pi * at / down)) / 2
        if at < down + pause:
            return 1.0
        if at < down + pause + up:
            return (1 + math.cos(math.pi * (at - down - pause) / up)) / 2
        return 0.0

    return way


def film(
    shape: Shape,
    way: Course,
    camera: Camera,
    *,
    seconds: float,
    fps: float = 30.0,
    start_ms: float = 1_795_000_000_000.0,
) -> Iterator[tuple[float, Frame]]:
    """Times (unix ms) and frames."""
    for number in range(int(seconds * fps)):
        at = number / fps
        body = shape(way(at))
        yield start_ms + at * 1_000, camera.see(body) if isinstance(body, Posture) else camera.frame(body)


def watch(analysis: Analysis, frames: Iterable[tuple[float, Frame]]) -> list[Event]:
    """Push them all; what came of it."""
    return [event for t, points in frames for event in analysis.push(t, points)]
