"""Frames that people have labelled, and how far the rules agree with them.

`python -m tests.fittracker.form.labelled ../shared/data/pose` prints the tables of docs/form.md.

The first half of each table, in its own order, was used to set limits; the second half measures. Halves and
not random frames: neighbours in these tables are nearly the same picture, and a random half would be tested
on what it was trained on. Even so both halves come from the same few videos, perhaps of the same people.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fittracker.form.bearings import Bearings
from fittracker.form.exercises import EXERCISES, Exercise
from fittracker.form.pose import Pose
from fittracker.form.rules import Rule
from fittracker.form.skeleton import MODELS, Point, joints
from fittracker.form.watching import judge

ASPECT = 16 / 9
"""The tables do not say how broad their pictures were. With this the limbs keep their lengths (a spread of 12
% of the shins in the lunge table, 25 % with square pictures), and it is what such cameras record."""

LANDMARKS = {
    "nose": 0,
    **{
        f"{side}_{name}": place + (side == "right")
        for name, place in {
            "shoulder": 11,
            "elbow": 13,
            "wrist": 15,
            "hip": 23,
            "knee": 25,
            "ankle": 27,
            "heel": 29,
            "foot_index": 31,
        }.items()
        for side in ("left", "right")
    },
}
Frame = list[Point | None]


def table(path: Path) -> tuple[list[str], list[Frame]]:
    """Labels and frames of a table of Exercise-Correction; what it has no columns for was not seen."""
    labels, frames = [], []
    with path.open() as file:
        for row in csv.DictReader(file):
            frame: Frame = [None] * 33
            for name, place in LANDMARKS.items():
                if f"{name}_x" in row:
                    x, y, z, seen = (float(row[f"{name}_{axis}"]) for axis in "xyzv")
                    frame[place] = Point(x, y, z, seen)
            labels.append(row["label"])
            frames.append(frame)
    return labels, frames


def static(path: Path) -> Iterator[tuple[str, Frame]]:
    """Label and frame of each sample of ML Kit, in pixels."""
    with path.open() as file:
        for row in csv.reader(file):
            values = [float(value) for value in row[2:101]]
            yield row[1], [Point(*values[place : place + 3]) for place in range(0, 99, 3)]


def pose_of(frame: Frame, aspect: float = 1.0) -> Pose:
    """A single frame, with what it alone tells of view and heading."""
    pose = Pose(joints(MODELS["mediapipe33"], frame, aspect, world=False))
    Bearings(world=False).take(pose, 0.0)
    return pose


def bent(exercise: Exercise, pose: Pose) -> float | None:
    """How far the exercise has gone in this frame; from the front this needs a series, and is not known."""
    if exercise.lying and not pose.lies():
        return None
    return exercise.whole(*(side(pose) for side in exercise.sides)) if exercise.sides else None


def verdict(rule: Rule, exercise: Exercise, frame: Frame) -> bool:
    """Whether this rule finds its fault in this single frame."""
    pose = pose_of(frame, ASPECT)
    value = rule.measure(pose) if pose.view in rule.views else None
    return value is not None and judge(rule, value, bent(exercise, pose))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Rows: what people said; columns: what was found."""

    name: str
    classes: tuple[str, ...]
    confusion: Counter[tuple[str, str]]

    @property
    def balanced(self) -> float:
        """The mean over the classes of the share that was found; 1 over their number for who guesses."""
        shares = []
        for each in self.classes:
            row = [self.confusion[each, found] for found in self.classes]
            if sum(row):
                shares.append(self.confusion[each, each] / sum(row))
        return sum(shares) / len(shares)

    @property
    def accuracy(self) -> float:
        """The share of all frames on which both agree."""
        return sum(self.confusion[each, each] for each in self.classes) / self.confusion.total()

    @property
    def majority(self) -> float:
        """The same, for who always says what is most frequent."""
        rows = Counter[str]()
        for (said, _found), count in self.confusion.items():
            rows[said] += count
        return max(rows.values()) / self.confusion.total()

    def __str__(self) -> str:
        """Its row in the table of docs/form.md."""
        rows = "; ".join(
            f"{said}: " + ", ".join(str(self.confusion[said, found]) for found in self.classes)
            for said in self.classes
        )
        return (
            f"| {self.name} | {self.confusion.total()} | {self.balanced:.3f} | {self.accuracy:.3f} "
            f"| {self.majority:.3f} | {rows} |"
        )


def compare(name: str, classes: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Pairs of what people said and what was found."""
    return Agreement(name, tuple(classes), Counter(pairs))


def _faults(exercise: str, codes: dict[str, str]) -> Callable[[Frame], str]:
    which = EXERCISES[exercise]  # type: ignore[index]
    rules = [rule for rule in which.rules if rule.code in codes]

    def found(frame: Frame) -> str:
        return next((codes[rule.code] for rule in rules if verdict(rule, which, frame)), "C")

    return found


TABLES: dict[str, tuple[str, str, tuple[str, ...], Callable[[Frame], str]]] = {
    "curl": ("bicep-leanback-test.csv", "lean_back", ("C", "L"), _faults("curl", {"lean_back": "L"})),
    "lunge": (
        "lunge-kneeovertoe-test.csv",
        "knee_over_toe",
        ("C", "L"),
        _faults("lunge", {"knee_over_toe": "L"}),
    ),
    "plank": (
        "plank-hips-test.csv",
        "hips",
        ("C", "L", "H"),
        _faults("plank", {"hips_low": "L", "hips_high": "H"}),
    ),
}


def form(folder: Path, exercise: str, *, training: bool = False) -> Agreement:
    """Agreement on faults over the second half of a table; over the first with `training`."""
    file, name, classes, found = TABLES[exercise]
    labels, frames = table(folder / file)
    half = len(labels) // 2
    part = slice(0, half) if training else slice(half, None)
    pairs = [(said, found(frame)) for said, frame in zip(labels[part], frames[part], strict=True)]
    return compare(f"{exercise} {name}", classes, pairs)


def stages(folder: Path) -> Iterator[Agreement]:
    """Agreement on up and down, further evidence: no limit was set with these.

    `down` is a bend beyond the middle between `rest` and `target`, where a movement certainly is neither up
    nor only beginning.
    """
    for file in ("squat-updown-test.csv", "squat-updown-video2.csv", "squat-updown-video4.csv"):
        yield compare(file, ("up", "down"), list(_series(folder / file)))
    for exercise in ("pushup", "squat"):
        which = EXERCISES[exercise]
        level = (which.rest + which.target) / 2
        pairs = []
        for label, frame in static(folder / "mlkit-pushup-squat-samples.csv"):
            kind, _, said = label.partition("s_")
            if kind == exercise:
                bend = bent(which, pose_of(frame))
                pairs.append((said, "down" if bend is not None and bend > level else "up"))
        yield compare(f"ML Kit {exercise}", ("up", "down"), pairs)


def _series(path: Path) -> Iterator[tuple[str, str]]:
    """A squat table as a series: its frames are in order, if not evenly spaced; taken as 10 a second."""
    from fittracker.form.counting import Movement

    exercise = EXERCISES["squat"]
    movement, bearings = Movement(exercise), Bearings(world=False)
    for place, (said, frame) in enumerate(zip(*table(path), strict=True)):
        pose = Pose(joints(MODELS["mediapipe33"], frame, ASPECT, world=False))
        bearings.take(pose, 0.1 if place else 0.0)
        movement.push(place / 10, 0.1 if place else 0.0, pose)
        level = (exercise.rest + exercise.target) / 2
        yield said, "down" if movement.signal is not None and movement.signal > level else "up"


if __name__ == "__main__":
    where = Path(sys.argv[1])
    for each in TABLES:
        print("  set with:", form(where, each, training=True))
        print(form(where, each))
    for stage in stages(where):
        print(stage)
