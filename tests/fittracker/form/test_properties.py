"""What must hold for every film, whatever is in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittracker.form import EXERCISES, MODELS, Analysis, Event, Point, Rep
from fittracker.form.exercises import Name
from tests.fittracker.form.skeletons import (
    Camera,
    Frame,
    Shape,
    course,
    curl,
    deadlift,
    film,
    lunge,
    press,
    pushup,
    squat,
    watch,
)

SHAPES: dict[Name, Shape] = {
    "squat": squat(110, 55),
    "lunge": lunge(90, 30),
    "deadlift": deadlift(),
    "curl": curl(lean=25),
    "press": press(150),
    "pushup": pushup(hips=-15),
}
exercises = st.sampled_from(sorted(EXERCISES))
FPS = 12.0


def told(events: list[Event]) -> list[tuple[Any, ...]]:
    """What must not depend on where the camera is; angles to half a degree."""
    found: list[tuple[Any, ...]] = []
    for each in events:
        if isinstance(each, Rep):
            found.append(("rep", each.t, each.count, pytest.approx(each.depth_deg, abs=0.5), each.score))
        else:
            found.append((type(each).__name__, each.t, getattr(each, "code", None)))
    return found


def seen(exercise: Name, camera: Camera) -> list[tuple[Any, ...]]:
    """Two repetitions before a camera."""
    analysis = Analysis(exercise, camera.model, world=camera.world)
    return told(watch(analysis, film(SHAPES[exercise], course(2), camera, seconds=8.5, fps=FPS)))


@settings(max_examples=12, deadline=None)
@given(
    exercise=st.sampled_from(sorted(SHAPES)),
    size=st.floats(20, 5_000),
    x=st.floats(-2_000, 2_000),
    y=st.floats(-2_000, 2_000),
    world=st.booleans(),
)
def test_where_and_how_large_somebody_is_changes_nothing(
    exercise: Name, size: float, x: float, y: float, world: bool
) -> None:
    """Further away, in another corner, or in other units."""
    plain = seen(exercise, Camera(yaw=10, world=world))
    assert plain
    assert seen(exercise, Camera(yaw=10, world=world, size=size, at=(x, y))) == plain


@settings(max_examples=8, deadline=None)
@given(exercise=st.sampled_from(sorted(SHAPES)), world=st.booleans(), yaw=st.floats(-15, 15))
def test_a_mirror_changes_nothing(exercise: Name, world: bool, yaw: float) -> None:
    """Left and right change places in a mirror, as a model sees it. No pair of limbs differs here."""
    if exercise == "lunge":
        yaw = 0.0  # the leg behind is hidden otherwise on one side than on the other
    plain = seen(exercise, Camera(yaw=yaw, world=world))
    assert seen(exercise, Camera(yaw=yaw, world=world, mirrored=True)) == plain


coordinate = st.one_of(
    st.floats(-1e5, 1e5, allow_nan=False), st.sampled_from([0.0, -0.0, 1e-300, 5e-324, 1e5, 0.5])
)
point = st.one_of(
    st.none(),
    st.builds(
        Point, coordinate, coordinate, st.one_of(st.none(), coordinate), st.one_of(st.none(), st.floats(0, 1))
    ),
)


@st.composite
def films(draw: st.DrawFn) -> tuple[str, list[tuple[float, Frame]]]:
    """Any valid frames at any times."""
    model = draw(st.sampled_from(sorted(MODELS)))
    count = MODELS[model].points
    times = draw(st.lists(st.one_of(st.floats(0, 2**53), st.floats(0, 5_000)), min_size=1, max_size=12))
    return model, [(t, draw(st.lists(point, min_size=count, max_size=count))) for t in times]


@settings(max_examples=60, deadline=None)
@given(exercise=exercises, filmed=films(), world=st.booleans(), aspect=st.floats(0.2, 5))
def test_no_valid_frame_raises_and_no_count_goes_back(
    exercise: Name, filmed: tuple[str, list[tuple[float, Frame]]], world: bool, aspect: float
) -> None:
    """Scores stay within 0 and 100, and what is measured is a number."""
    model, frames = filmed
    analysis = Analysis(exercise, model, world=world, aspect=aspect)
    count = 0
    for t, points in frames:
        for event in analysis.push(t, points):
            if isinstance(event, Rep):
                assert event.count == count + 1
                assert 0 <= event.score <= 100
        assert analysis.reps >= count
        count = analysis.reps
    summary = analysis.summary()
    assert summary.frames + summary.late == len(frames)
    assert 0 <= summary.good_s <= summary.held_s


@settings(max_examples=15, deadline=None)
@given(
    exercise=st.sampled_from(sorted(SHAPES)),
    order=st.lists(st.integers(0, 101), min_size=50, max_size=150),
)
def test_frames_of_a_real_exercise_in_any_order_never_count_backwards(
    exercise: Name, order: list[int]
) -> None:
    """Times that repeat, go back and leap, on frames that make sense."""
    frames = list(film(SHAPES[exercise], course(2), Camera(), seconds=8.5, fps=FPS))
    analysis = Analysis(exercise, "mediapipe33")
    counts = []
    for place in order:
        analysis.push(*frames[place])
        counts.append(analysis.reps)
    assert counts == sorted(counts)
