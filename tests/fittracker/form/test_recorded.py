"""Real recordings: clips whose repetitions were counted by eye, and frames that people have labelled."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from fittracker.form import EXERCISES, MODELS, Analysis, Point, Rep
from fittracker.form.exercises import Name
from fittracker.form.pose import Pose
from fittracker.form.skeleton import joints
from tests.fittracker.form.labelled import (
    ASPECT,
    TABLES,
    Agreement,
    Frame,
    form,
    pose_of,
    stages,
    static,
    table,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "form.md"


@pytest.fixture(scope="module")
def poses(shared_data: Path) -> Path:
    """The folder of the recordings of bodies."""
    return shared_data / "pose"


def play(analysis: Analysis, path: Path, step_ms: float) -> list[Rep]:
    """Push a whole clip; the repetitions."""
    clip: list[Any] = json.loads(path.read_text())
    found: list[Rep] = []
    for number, frame in enumerate(clip):
        if isinstance(frame, dict):
            points = [Point(each["x"], each["y"]) for each in frame.values()]
        else:
            points = [Point(*each) for each in frame]
        found += [each for each in analysis.push(1e12 + number * step_ms, points) if isinstance(each, Rep)]
    return found


@pytest.mark.parametrize(
    ("file", "world"),
    [
        ("squats-mediapipe33-5fps.json", False),
        ("squats-mediapipe33-world-5fps.json", False),
        ("squats-mediapipe33-world-5fps.json", True),
    ],
)
def test_the_squat_clip_has_two_complete_squats(poses: Path, file: str, world: bool) -> None:
    """And a third that has not come back up when it ends. In space, and as the picture alone shows it."""
    analysis = Analysis("squat", "mediapipe33", world=world)
    first, second = play(analysis, poses / file, 200)
    assert (first.count, second.count) == (1, 2)
    assert 85 < first.depth_deg < second.depth_deg < 115
    assert analysis.summary().short == 0
    assert analysis.summary().faults == {}
    assert 2.5 < sum(each or 0 for each in first.tempo_s) < 4


def test_the_z_of_pictures_would_bend_the_knees_of_who_stands(poses: Path) -> None:
    """Why it is not used: with it half of those who stand have knees bent by more than 50 degrees."""
    flat, deep = [], []
    for label, frame in zip(*table(poses / "squat-updown-test.csv"), strict=True):
        if label == "up":
            for found, world in ((flat, False), (deep, True)):
                pose = Pose(joints(MODELS["mediapipe33"], _broad(frame), 1.0, world))
                found.append(pose.knees() or 0.0)
    assert median(flat) < 10
    assert median(deep) > 50


def _broad(frame: Frame) -> Frame:
    """Fractions of a picture as units of its height; z has the scale of x."""
    return [
        each and Point(each.x * ASPECT, each.y, (each.z or 0.0) * ASPECT, each.visibility) for each in frame
    ]


@pytest.mark.parametrize("exercise", EXERCISES)
def test_raising_the_arms_is_none_of_the_seven(poses: Path, exercise: Name) -> None:
    """Not even a short one."""
    analysis = Analysis(exercise, "coco17")
    assert play(analysis, poses / "armraise-coco17.json", 33.3) == []
    assert (analysis.summary().reps, analysis.summary().short) == (0, 0)


LEAST = {"curl": 0.99, "lunge": 0.94, "plank": 0.97}


@pytest.mark.parametrize("exercise", TABLES)
def test_faults_agree_with_what_people_said(poses: Path, exercise: str) -> None:
    """On the half that set no limit; and what docs/form.md says of it is what comes out."""
    held_out = form(poses, exercise)
    assert held_out.balanced > LEAST[exercise]
    assert held_out.accuracy > held_out.majority
    written(held_out)


def test_up_and_down_agree_with_what_people_said(poses: Path) -> None:
    """Squats as they were filmed, from the front, and single pictures of squats and push-ups."""
    for stage in stages(poses):
        assert stage.balanced > 0.93
        written(stage)


def test_who_does_push_ups_lies_and_who_squats_does_not(poses: Path) -> None:
    """So that a squat is no push-up; from the front a deep one may look as if."""
    lying, upright = [], []
    for label, frame in static(poses / "mlkit-pushup-squat-samples.csv"):
        (lying if label.startswith("push") else upright).append(pose_of(frame).lies())
    assert lying.count(True) > 0.98 * len(lying)
    assert upright.count(False) > 0.85 * len(upright)


def written(found: Agreement) -> None:
    """The figure and every cell of the confusion stand in its row of the page."""
    (row,) = (line for line in PAGE.read_text().splitlines() if line.startswith(f"| {found.name} "))
    assert f"{found.balanced:.3f}" in row
    assert f"{found.majority:.3f}" in row
    cells = [found.confusion[said, seen] for said in found.classes for seen in found.classes]
    assert [int(each) for each in re.findall(r"\d+", row.split("|")[-2])] == cells
