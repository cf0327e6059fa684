"""The points of a body as pose models give them, and the joints that matter, whichever model it was.

Axes are those of the models: x to the right of the picture, y down, z away from the camera. x and y may be
pixels, fractions of the picture's width and height (then the aspect ratio is needed, or every angle is
wrong), or metres (MediaPipe's world landmarks).

MediaPipe gives a z with image points too. It is not used: it is an estimate relative to the hips which bends
the knees of somebody who stands straight by some 60 degrees (docs/form.md has the figures). World landmarks
do not have this fault, and are used in three dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from fittracker.errors import Invalid

FURTHEST: Final = 1e5
"""The largest coordinate that is believed, in whichever unit: a picture has no hundred thousand pixels."""

Vector = tuple[float, float, float]
Joints = list[Vector | None]
Measured = float | None
"""Degrees; None where a joint that it needs was not seen."""

NOSE, LEFT_EAR, RIGHT_EAR = 0, 1, 2
LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_ELBOW, RIGHT_ELBOW, LEFT_WRIST, RIGHT_WRIST = 3, 4, 5, 6, 7, 8
LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE, LEFT_ANKLE, RIGHT_ANKLE = 9, 10, 11, 12, 13, 14
LEFT_HEEL, RIGHT_HEEL, LEFT_TOE, RIGHT_TOE = 15, 16, 17, 18
JOINTS: Final = 19


class Point(Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """Where a joint is; z null where the model has none, visibility 0 to 1, null where it is unknown."""

    x: float
    y: float
    z: float | None = None
    visibility: float | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One pose model: how many points a frame has, and which of them are the joints above."""

    name: str
    points: int
    places: tuple[int, ...]
    """Of each joint, in the order above; the feet are missing where the model has none."""
    visible: float
    """A point below this visibility (or score) counts as not seen."""


MODELS: Final = {
    each.name: each
    for each in (
        # The landmarks of BlazePose (Bazarevsky et al. 2020, arXiv:2006.10204); 0.5 is MediaPipe's default.
        Model(
            "mediapipe33", 33, (0, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32), 0.5
        ),
        # The keypoints of COCO (Lin et al. 2014, arXiv:1405.0312); 0.3 is what MoveNet's examples draw from.
        Model("coco17", 17, (0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16), 0.3),
    )
}


def check(model: Model, points: Sequence[Point | None]) -> None:
    """Invalid for a frame that no camera saw: a wrong number of points, NaN, values beyond all reason."""
    if len(points) != model.points:
        raise Invalid(
            f"A frame of {model.name} has {model.points} points.",
            fields={"points": f"are {len(points)}, must be {model.points}"},
        )
    for place, point in enumerate(points):
        # Comparisons with NaN are false, so it is refused along with what is too large.
        if point is not None and not (
            -FURTHEST <= point.x <= FURTHEST
            and -FURTHEST <= point.y <= FURTHEST
            and (point.z is None or -FURTHEST <= point.z <= FURTHEST)
            and (point.visibility is None or -0.001 <= point.visibility <= 1.001)
        ):
            raise Invalid(
                "A point is nowhere.",
                fields={f"points.{place}": "must be finite, with a visibility of 0 to 1"},
            )


def joints(model: Model, points: Sequence[Point | None], aspect: float, world: bool) -> Joints:
    """The joints that were seen, in equal units on all axes; those of a picture lie in the plane z = 0.

    A point without visibility in the very corner of a picture is one that was not found.

    `aspect` is width / height of the picture where the points are fractions of it, otherwise 1.
    """
    found: Joints = [None] * JOINTS
    least = model.visible
    for joint, place in enumerate(model.places):
        point = points[place]
        if point is None:
            continue
        if point.visibility is None:
            # How YOLO and OpenPose write a point that they have not found.
            if point.x == 0 and point.y == 0 and not world:
                continue
        elif point.visibility < least:
            continue
        z = point.z if world and point.z is not None else 0.0
        found[joint] = (point.x * aspect, point.y, z)
    return found
