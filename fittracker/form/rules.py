"""What counts as a fault: for each the joint, the limit, and where the limit comes from.

| code | exercise | what is measured (degrees) | limit | source |
|---|---|---|---|---|
| `knee_over_toe` | squat | shins, leaning forwards | 40 | body proportions |
| `back_lean` | squat | trunk, leaning forwards | 45 | Myer 2014 |
| `shallow_depth` | squat | knees, furthest bend of the repetition | 90 | Schoenfeld 2010 |
| `knee_over_toe` | lunge | shin in front, leaning forwards | 20 | training half |
| `back_lean` | lunge | trunk, leaning forwards | 30 | ours |
| `shallow_depth` | lunge | knee, furthest bend | 80 | NSCA 2016 |
| `hips_low` | push-up, plank | hips below the line from shoulders to ankles | 8 | training half |
| `hips_high` | push-up, plank | hips above that line | 40 | training half |
| `elbow_flare` | push-up | upper arms, away from the trunk | 70 | coaching practice |
| `shallow_depth` | push-up | elbows, furthest bend | 80 | FM 7-22 |
| `hips_low` | deadlift | knees, bend | 90 | Escamilla 2000 |
| `lean_back` | deadlift, at the top | trunk, leaning backwards | 10 | ours |
| `lean_back` | curl, press | trunk, leaning backwards | 15 | training half |
| `swing` | curl | upper arms, away from the trunk | 35 | Chen and Yang 2020 |
| `shallow_depth` | curl | elbow, furthest bend | 110 | Chen and Yang 2020 |
| `shallow_depth` | press | elbow, furthest stretch (180 is straight) | 155 | ours |
| `asymmetry` | all but lunge and plank, in space only | left less right, furthest bend | 15 | ours |

"Training half" means: between the classes of the first half of the labelled frames for that exercise, which
were not used to measure the agreement with the labels (docs/form.md). "Ours" means that nobody was found who
measured it: a limit of practice, well outside what repetitions in good form show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fittracker.form.findings import Severity
from fittracker.form.pose import Pose, View
from fittracker.form.skeleton import Measured

Measure = Callable[[Pose], Measured]

SIDEWAYS: Final[tuple[View, ...]] = ("side", "3d")
FRONTAL: Final[tuple[View, ...]] = ("front", "3d")

ANY_DEPTH: Final = (-1.0, 400.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault that a single frame can show. Angles in degrees."""

    code: str
    joint: str
    measure: Measure
    limit: float
    """The fault begins above it, and ends `margin` below it."""
    views: tuple[View, ...]
    """From elsewhere the angle means nothing, and the rule is silent."""
    depth: tuple[float, float] = ANY_DEPTH
    """It is looked at while the signal of the exercise is in this range."""
    margin: float = 5.0
    severity: Severity = "warn"


KNEE_OVER_TOE_SQUAT: Final = Rule("knee_over_toe", "knee", Pose.shin_lean, 40, SIDEWAYS, (60, 400))
"""The shins lean more than 40 degrees forwards, in a squat.

By the proportions of Drillis and Contini (Winter 2009: shin 0.246 of the height, toes some 0.114 in front of
the ankle) the knee is above the toes at 28 degrees. Fry, Smith and Schilling 2003 (J Strength Cond Res
17:629) found that keeping it behind them puts the load on hips and back instead, so a little beyond is
allowed: 12 degrees, ours.
"""

BACK_LEAN_SQUAT: Final = Rule("back_lean", "hip", Pose.trunk_lean, 45, SIDEWAYS, (60, 400))
"""The trunk leans more than 45 degrees forwards, in a squat.

Myer et al. 2014 (Strength Cond J 36(6):4, doi:10.1519/SSC.0000000000000103) want it parallel to the shins;
with shins at the 40 degrees above, and 5 for the error of a pose model, that is 45.
"""

KNEE_OVER_TOE_LUNGE: Final = Rule("knee_over_toe", "knee", Pose.front_shin_lean, 20, SIDEWAYS, (60, 400))
"""The shin in front leans more than 20 degrees forwards, in a lunge.

The best cut through the first half of the lunge table is 19.6; half of the good frames there lean by less
than 11, half of the others by more than 27.
"""

BACK_LEAN_LUNGE: Final = Rule("back_lean", "hip", Pose.trunk_lean, 30, SIDEWAYS, (60, 400), severity="info")
"""The trunk leans more than 30 degrees forwards, in a lunge. Ours; a hint, as leaning is also a variation of
it (Farrokhi et al. 2008, J Orthop Sports Phys Ther 38:403)."""

HIPS_LOW: Final = Rule("hips_low", "hip", Pose.hip_sag, 8, SIDEWAYS, margin=3)
"""The hips hang more than 8 degrees below the line from shoulders to ankles, in a push-up or plank.

Between the classes of the first half of the plank table: good planks are 10 to 28 degrees above that line
there, and of the low ones 39 in 40 hang 15 or more below it. Nearer to those, as a straight body is at 0.
"""

HIPS_HIGH: Final = Rule("hips_high", "hip", Pose.hip_line, 40, SIDEWAYS)
"""The hips are more than 40 degrees above that line.

Between the classes, likewise: good planks end at 28, and of the high ones 39 in 40 are above 59.
"""

ELBOW_FLARE: Final = Rule("elbow_flare", "shoulder", Pose.flare, 70, FRONTAL, (60, 400))
"""The upper arms point more than 70 degrees away from the trunk, in a push-up.

Practice of coaches, not a measurement: they teach some 45 degrees and call 70 to 90 flared (for instance
catalystathletics.com/exercise/121, advancedhumanperformance.com/tip-the-worst-way-to-do-pushups).
"""

HIPS_LOW_DEADLIFT: Final = Rule("hips_low", "knee", Pose.knees, 90, SIDEWAYS, (45, 400))
"""The knees are bent by more than 90 degrees, in a deadlift: it has become a squat.

Escamilla et al. 2000 (Med Sci Sports Exerc 32:1265) measured some 55 to 75 degrees at lift-off, in both
styles; 15 beyond is ours.
"""

LEAN_BACK_DEADLIFT: Final = Rule("lean_back", "hip", Pose.trunk_lean_back, 10, SIDEWAYS, (-1, 30))
"""The trunk leans more than 10 degrees backwards at the top of a deadlift. Ours: to stand upright is
enough."""

LEAN_BACK: Final = Rule("lean_back", "hip", Pose.trunk_lean_back, 15, SIDEWAYS)
"""The trunk leans more than 15 degrees backwards, in a curl or press.

Between the classes of the first half of the curl table: good frames lean back by 3.4 degrees at most, those
labelled as leaning back by 18 at least. For presses it is taken over: it is the same posture.
"""

SWING: Final = Rule("swing", "shoulder", Pose.upper_arm, 35, SIDEWAYS, (50, 400))
"""The upper arm moves more than 35 degrees away from the trunk while the elbow is bent, in a curl.

Chen and Yang 2020, "Pose Trainer", arXiv:2006.11718: their cut between good and bad curls.
"""


@dataclass(frozen=True, slots=True)
class Depth:
    """How far a repetition must go to be a good one; less is `shallow_depth`. Degrees of the signal."""

    joint: str
    least: float
    about: str


SQUAT_DEPTH: Final = Depth("knee", 90, "the lower half of what Schoenfeld 2010 calls half squats")
"""Schoenfeld 2010 (J Strength Cond Res 24:3497): partial squats bend the knees by 40 degrees, half squats by
70 to 100, deep ones by more. Thighs are about parallel to the ground at 100 to 110; 90 leaves 10 for the
error of the model."""

LUNGE_DEPTH: Final = Depth("knee", 80, "knees at about a right angle")
"""NSCA, Essentials of Strength Training and Conditioning, 4th ed. 2016: to about a right angle; less 10 for
the error of the model."""

PUSHUP_DEPTH: Final = Depth("elbow", 80, "upper arms parallel to the ground")
"""US Army FM 7-22: until the upper arms are parallel to the ground, elbows at about a right angle; less
10."""

CURL_DEPTH: Final = Depth("elbow", 110, "the forearm at 70 degrees to the upper arm or nearer")
"""Chen and Yang 2020: who keeps more than 70 degrees between forearm and upper arm has not curled it up."""

PRESS_DEPTH: Final = Depth("elbow", 155, "elbows stretched")
"""Ours: a straight arm measures 165 to 180; less 10 for the error of the model."""

ASYMMETRY_DEG: Final = 15.0
"""Ours, from the 10 to 15 percent between the sides that are usually taken as the limit of symmetry."""

HURRIED_S: Final = 1.0
"""Down and up in less than this is thrown, not lifted: the American College of Sports Medicine's position
stand (2009, Med Sci Sports Exerc 41:687) has 1 to 2 s for each of the two at moderate speed, and this is half
of it."""
