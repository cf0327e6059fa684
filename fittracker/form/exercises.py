"""The seven exercises: which angle counts repetitions, between which limits, and which faults there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from fittracker.form.pose import Pose, View, mean
from fittracker.form.rules import (
    BACK_LEAN_LUNGE,
    BACK_LEAN_SQUAT,
    CURL_DEPTH,
    ELBOW_FLARE,
    HIPS_HIGH,
    HIPS_LOW,
    HIPS_LOW_DEADLIFT,
    KNEE_OVER_TOE_LUNGE,
    KNEE_OVER_TOE_SQUAT,
    LEAN_BACK,
    LEAN_BACK_DEADLIFT,
    LUNGE_DEPTH,
    PRESS_DEPTH,
    PUSHUP_DEPTH,
    SQUAT_DEPTH,
    SWING,
    Depth,
    Measure,
    Rule,
)
from fittracker.form.skeleton import Measured

Name = Literal["squat", "pushup", "lunge", "deadlift", "curl", "press", "plank"]
Whole = Callable[[Measured, Measured], Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """How one exercise is counted. Angles in degrees."""

    name: Name
    sides: tuple[Measure, Measure] | None
    """The joint that counts, left and right; None where nothing is counted, but a posture held."""
    whole: Whole = mean
    """How both sides become one signal."""
    alone: bool = False
    """Each side counts for itself; what both do at the same time is one repetition."""
    rest: float = 0.0
    """At or below it one has come back."""
    target: float = 0.0
    """What does not come so far is not counted."""
    depth: Depth | None = None
    least_s: float = 0.5
    """No repetition is quicker."""
    rising: Literal["eccentric", "concentric"] = "eccentric"
    """Which part of it makes the signal grow."""
    from_afar: bool = False
    """It may begin at the far end."""
    lying: bool = False
    """It is done along the ground: what is done upright is not it."""
    drop: tuple[Callable[[Pose], float | None], float] | None = None
    """From the front: the height that shows the bend (foreshortening.py), and degrees for each of it."""
    twins: bool = True
    """Left and right do the same, and can be compared in space."""
    rules: tuple[Rule, ...] = ()

    def measures_depth(self, view: View) -> bool:
        """Whether a repetition seen from there can be called shallow; from the front a bend is only
        estimated."""
        return self.depth is not None and view != "front"

    def measures_tempo(self, view: View) -> bool:
        """Whether its parts can be timed. Arms that bend towards a camera seem to leap from straight to
        bent."""
        return view != "front" or self.drop is not None


def _further(left: Measured, right: Measured) -> Measured:
    if left is None or right is None:
        return right if left is None else left
    return max(left, right)


KNEES: Final = (Pose.left_knee, Pose.right_knee)
HIPS: Final = (Pose.left_hip, Pose.right_hip)
ELBOWS: Final = (Pose.left_elbow, Pose.right_elbow)

EXERCISES: Final[dict[Name, Exercise]] = {
    each.name: each
    for each in (
        Exercise(
            name="squat",
            sides=KNEES,
            rest=40,
            target=70,
            depth=SQUAT_DEPTH,
            drop=(Pose.leg_height, 2.0),
            rules=(KNEE_OVER_TOE_SQUAT, BACK_LEAN_SQUAT),
        ),
        Exercise(
            name="lunge",
            sides=KNEES,
            whole=_further,
            rest=40,
            target=65,
            twins=False,
            depth=LUNGE_DEPTH,
            drop=(Pose.leg_height, 2.0),
            rules=(KNEE_OVER_TOE_LUNGE, BACK_LEAN_LUNGE),
        ),
        Exercise(
            name="pushup",
            sides=ELBOWS,
            rest=45,
            target=60,
            depth=PUSHUP_DEPTH,
            least_s=0.4,
            lying=True,
            rules=(HIPS_LOW, HIPS_HIGH, ELBOW_FLARE),
        ),
        Exercise(
            name="deadlift",
            sides=HIPS,
            rest=30,
            target=50,
            from_afar=True,
            drop=(Pose.trunk_height, 1.0),
            rules=(HIPS_LOW_DEADLIFT, LEAN_BACK_DEADLIFT),
        ),
        Exercise(
            name="curl",
            sides=ELBOWS,
            alone=True,
            rest=50,
            target=90,
            depth=CURL_DEPTH,
            least_s=0.4,
            rising="concentric",
            rules=(LEAN_BACK, SWING),
        ),
        Exercise(
            name="press",
            sides=(Pose.left_reach, Pose.right_reach),
            alone=True,
            rest=95,
            target=140,
            depth=PRESS_DEPTH,
            least_s=0.4,
            rising="concentric",
            rules=(LEAN_BACK,),
        ),
        Exercise(name="plank", sides=None, lying=True, rules=(HIPS_LOW, HIPS_HIGH)),
    )
}
