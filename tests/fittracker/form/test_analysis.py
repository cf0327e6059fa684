"""Whole exercises of a body of sticks: counted, timed and judged from any side, at any rate."""

from __future__ import annotations

import gc
import itertools
import random
import tracemalloc

import pytest

from fittracker.errors import Invalid
from fittracker.form import EXERCISES, Analysis, Fault, Hold, Point, Rep
from fittracker.form.exercises import Name
from tests.fittracker.form.skeletons import (
    Body,
    Camera,
    Course,
    Posture,
    Shape,
    alternating,
    course,
    curl,
    deadlift,
    film,
    lunge,
    plank,
    press,
    pushup,
    squat,
    watch,
)

SHAPES: dict[Name, Shape] = {
    "squat": squat(),
    "lunge": lunge(),
    "deadlift": deadlift(),
    "pushup": pushup(),
    "curl": curl(),
    "press": press(),
}
VIEWS = {
    "side": Camera(),
    "other side": Camera(yaw=180, model="coco17"),
    "front": Camera(yaw=90, model="coco17"),
    "half front": Camera(yaw=65),
    "mirrored": Camera(yaw=20, mirrored=True),
    "world": Camera(yaw=130, world=True),
}


def analysed(
    exercise: Name,
    shape: Shape,
    camera: Camera,
    way: Course | None = None,
    *,
    seconds: float = 13.0,
    fps: float = 20.0,
) -> Analysis:
    """An analysis that has seen a film, of three repetitions by default."""
    analysis = Analysis(exercise, camera.model, world=camera.world, aspect=camera.aspect or 1.0)
    watch(analysis, film(shape, way or course(3), camera, seconds=seconds, fps=fps))
    return analysis


def reps(exercise: Name, shape: Shape, way: Course) -> list[Rep]:
    """Those found in a film from the side."""
    analysis = Analysis(exercise, "mediapipe33")
    return [each for each in watch(analysis, film(shape, way, Camera(), seconds=10)) if isinstance(each, Rep)]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("exercise", SHAPES)
def test_three_repetitions_are_three(exercise: Name, view: str) -> None:
    """With noise of 0.4 % of the height, and one in thirty points not seen."""
    seen = VIEWS[view]
    camera = Camera(seen.model, seen.yaw, seen.world, mirrored=seen.mirrored, noise=0.004, dropout=0.03)
    summary = analysed(exercise, SHAPES[exercise], camera).summary()
    assert (summary.reps, summary.short) == (3, 0)
    assert summary.unseen < summary.frames / 10


@pytest.mark.parametrize("fps", [4, 10, 24, 60])
@pytest.mark.parametrize("exercise", SHAPES)
def test_the_frame_rate_changes_nothing(exercise: Name, fps: float) -> None:
    """Neither the count nor, by more than a frame and a bit, how long it took."""
    summary = analysed(exercise, SHAPES[exercise], Camera(noise=0.003), fps=fps).summary()
    assert summary.reps == 3
    whole = sum(each or 0 for each in summary.tempo)
    assert whole == pytest.approx(2.75, abs=0.25 + 2 / fps)


@pytest.mark.parametrize("exercise", SHAPES)
def test_no_other_exercise_but_the_one_that_was_asked_for_is_counted(exercise: Name) -> None:
    """A squat is no push-up and no press; standing about is nothing."""
    unlike = {"squat": "pushup", "lunge": "press", "deadlift": "pushup", "pushup": "press"}
    other = unlike.get(exercise, "squat")
    assert analysed(other, SHAPES[exercise], Camera()).summary().reps == 0  # type: ignore[arg-type]
    assert analysed(exercise, squat(0), Camera(noise=0.004)).summary().reps == 0


def test_what_does_not_go_far_enough_is_not_counted_and_says_so() -> None:
    """Three quarter squats: none counts, each is told once."""
    analysis = Analysis("squat", "mediapipe33")
    events = watch(analysis, film(squat(62, 20), course(3), Camera(), seconds=13))
    assert [(each.code, each.limit_deg) for each in events if isinstance(each, Fault)] == [
        ("incomplete", 70)
    ] * 3
    assert (analysis.summary().reps, analysis.summary().short) == (0, 3)


def test_trembling_about_a_threshold_is_no_repetition() -> None:
    """At `rest` and at `target`, where a machine without hysteresis would count each time."""
    for middle in (EXERCISES["squat"].rest, EXERCISES["squat"].target):
        analysis = Analysis("squat", "mediapipe33")
        tremble = film(
            squat(middle + 4, 20), lambda at: 1.0 if int(at * 5) % 2 else 0.85, Camera(), seconds=10
        )
        watch(analysis, tremble)
        assert analysis.summary().reps == 0


def test_a_pause_at_the_bottom_is_one_repetition_and_is_timed() -> None:
    """Two seconds down, two there, one up; what is within 5 degrees of the lowest point is the pause."""
    analysis = Analysis("squat", "mediapipe33")
    events = watch(analysis, film(squat(), course(1, down=2, pause=2, up=1), Camera(), seconds=7, fps=30))
    (rep,) = [each for each in events if isinstance(each, Rep)]
    down, pause, up = (each or 0 for each in rep.tempo_s)
    # Half cosines are within 5 of 110 degrees for 0.14 of their time at either end.
    assert down == pytest.approx(2 * 0.72, abs=0.2)
    assert pause == pytest.approx(2 + 0.14 * 3, abs=0.2)
    assert up == pytest.approx(1 * 0.72, abs=0.15)
    assert rep.depth_deg == pytest.approx(110, abs=3)


def test_a_curl_lifts_first_and_a_squat_lowers_first() -> None:
    """The eccentric part is named first of both."""
    way = course(1, down=2.5, pause=0, up=1)
    (lowered,) = reps("squat", squat(), way)
    (lifted,) = reps("curl", curl(), way)
    assert (lowered.tempo_s[0] or 0) > (lowered.tempo_s[2] or 0)
    assert (lifted.tempo_s[0] or 0) < (lifted.tempo_s[2] or 0)


def test_a_deadlift_begins_on_the_floor() -> None:
    """The first one has no way down; the second has."""

    def rising(at: float) -> float:
        """Down for two seconds, up, and then once more down and up."""
        return 1.0 if at < 2 else max(0.0, 3 - at) if at < 3 else course(1)(at - 3)

    first, second = reps("deadlift", deadlift(), rising)
    assert first.tempo_s[0] is None
    assert second.tempo_s[0] is not None
    # A squat that somebody only rose from is none.
    assert len(reps("squat", squat(), rising)) == 1


def test_arms_that_take_turns_count_each_and_together_once() -> None:
    """Six curls of one arm at a time are six, three of both are three."""
    both = Analysis("curl", "mediapipe33", world=True)
    camera = Camera(yaw=60, world=True)
    watch(both, film(curl(), course(3), camera, seconds=13))
    assert both.summary().reps == 3
    turns = Analysis("curl", "mediapipe33", world=True)
    start = 1_795_000_000_000.0
    for number in range(6):
        one = film(alternating(number % 2 == 0), course(1), camera, seconds=4, start_ms=start)
        watch(turns, one)
        start += 4_000
    assert turns.summary().reps == 6


def test_one_side_that_goes_further_is_told() -> None:
    """In space, where both sides are measured."""

    def uneven(way: float) -> Posture:
        return Posture(arm=3, elbow=8 + 122 * way, left_elbow=8 + 92 * way)

    camera = Camera(yaw=60, world=True)
    analysis = Analysis("curl", "mediapipe33", world=True)
    events = watch(analysis, film(uneven, course(2), camera, seconds=9))
    told = [each for each in events if isinstance(each, Fault) and each.code == "asymmetry"]
    assert len(told) == 2
    assert told[0].value_deg == pytest.approx(30, abs=6)
    (first, _) = [each for each in events if isinstance(each, Rep)]
    assert first.deductions["asymmetry"] == 10


FAULTY: list[tuple[Name, Shape, str]] = [
    ("squat", squat(110, trunk=60), "back_lean"),
    ("squat", squat(82, 25), "shallow_depth"),
    ("lunge", lunge(90, shin=32), "knee_over_toe"),
    ("pushup", pushup(hips=-15), "hips_low"),
    ("pushup", pushup(hips=55), "hips_high"),
    ("pushup", pushup(76), "shallow_depth"),
    ("curl", curl(lean=28), "lean_back"),
    ("curl", curl(arm=50), "swing"),
    ("curl", curl(102), "shallow_depth"),
    ("press", press(150), "shallow_depth"),
]


@pytest.mark.parametrize(("exercise", "shape", "code"), FAULTY)
def test_each_fault_is_found_told_once_a_repetition_and_costs(
    exercise: Name, shape: Shape, code: str
) -> None:
    """And good repetitions have none: see below."""
    analysis = Analysis(exercise, "mediapipe33")
    events = watch(analysis, film(shape, course(3), Camera(noise=0.002), seconds=13, fps=30))
    found = [each for each in events if isinstance(each, Fault) and each.code == code]
    constant = code in {"hips_low", "hips_high"}  # as long as the body is along the ground
    assert len(found) == (1 if constant else 3)
    assert all((each.value_deg < each.limit_deg) is (code == "shallow_depth") for each in found), (
        "the value is on the wrong side of its limit"
    )
    for rep in (each for each in events if isinstance(each, Rep)):
        assert rep.deductions[code] > 0
        assert rep.score == max(0, 100 - sum(rep.deductions.values()))


@pytest.mark.parametrize("exercise", SHAPES)
def test_good_repetitions_are_without_fault(exercise: Name) -> None:
    """From the side and in space: 100 points, nothing told."""
    shape = pushup(105, flare=30) if exercise == "pushup" else SHAPES[exercise]
    for camera in (Camera(noise=0.002), Camera(yaw=40, world=True, noise=0.001)):
        summary = analysed(exercise, shape, camera).summary()
        assert summary.faults == {}
        assert summary.score == 100


def test_elbows_that_flare_are_seen_from_the_front_and_in_space() -> None:
    """From the side they cannot be, and nothing is said of them."""
    found = {
        view: analysed("pushup", pushup(flare=85), camera).summary().faults.get("elbow_flare", 0)
        for view, camera in {
            "front": Camera(yaw=90),
            "world": Camera(yaw=20, world=True),
            "side": Camera(),
        }.items()
    }
    assert found == {"front": 3, "world": 3, "side": 0}
    assert analysed("pushup", pushup(flare=40), Camera(yaw=90)).summary().faults == {}


def test_what_only_the_side_shows_is_not_judged_from_the_front() -> None:
    """A lean towards the camera is none that could be measured."""
    assert "back_lean" in analysed("squat", squat(trunk=60), Camera()).summary().faults
    assert analysed("squat", squat(trunk=60), Camera(yaw=90)).summary().faults == {}


def test_the_lockout_of_a_deadlift_is_no_bow() -> None:
    """Leaning back at the top is told; leaning forwards at the bottom is the exercise."""

    def bow(way: float) -> Body:
        return deadlift()(way) if way > 0.05 else Posture(trunk=-18)

    analysis = Analysis("deadlift", "mediapipe33")
    watch(analysis, film(bow, course(2), Camera(), seconds=9))
    assert analysis.summary().faults["lean_back"] >= 1
    assert "lean_back" not in analysed("deadlift", deadlift(), Camera()).summary().faults


# -- planks ----------------------------------------------------------------------------------------------


def test_a_plank_is_timed_and_only_while_it_is_good() -> None:
    """Six seconds straight, four sagging, two straight, then standing up."""

    def body(way: float) -> Body:
        return squat()(0.0) if way > 2 else plank(-16 if way == 1 else 5)

    analysis = Analysis("plank", "coco17")
    course_ = [(6, 0.0), (4, 1.0), (2, 0.0), (3, 3.0)]
    ends = list(itertools.accumulate(length for length, _ in course_))

    def way(at: float) -> float:
        return next((value for end, (_, value) in zip(ends, course_, strict=True) if at < end), 3.0)

    events = watch(analysis, film(body, way, Camera("coco17"), seconds=15, fps=20))
    summary = analysis.summary()
    assert summary.held_s == pytest.approx(12, abs=0.3)
    assert summary.good_s == pytest.approx(8, abs=0.6)
    assert summary.faults == {"hips_low": 1}
    assert [each.held_s for each in events if isinstance(each, Hold)] == [
        pytest.approx(5, abs=0.1),
        pytest.approx(10, abs=0.1),
    ]
    assert summary.reps == 0


# -- time ------------------------------------------------------------------------------------------------


def test_frames_that_come_twice_or_late_change_nothing() -> None:
    """The same film with every frame sent again, and each third one a second late."""
    frames = list(film(squat(), course(3), Camera(), seconds=13, fps=20))
    plain, disturbed = Analysis("squat", "mediapipe33"), Analysis("squat", "mediapipe33")
    expected = watch(plain, frames)
    more = [
        again for number, each in enumerate(frames) for again in (each, each, frames[max(0, number - 20)])
    ]
    assert watch(disturbed, more) == expected
    assert disturbed.summary().late == 2 * len(frames)


def test_a_gap_in_a_repetition_makes_it_unknown() -> None:
    """Away for two seconds at the bottom: that one is not counted, those after it are."""
    frames = list(film(squat(), course(3), Camera(), seconds=13, fps=20))
    start = frames[0][0]
    away = [each for each in frames if not 2_300 < each[0] - start < 4_400]
    analysis = Analysis("squat", "mediapipe33")
    watch(analysis, away)
    assert analysis.summary().reps == 2


def test_a_body_out_of_sight_is_a_gap_as_well() -> None:
    """The points come, but nothing is to be seen in them."""
    hidden = [None] * 33
    frames = list(film(squat(), course(3), Camera(), seconds=13, fps=20))
    start = frames[0][0]
    seen = [(t, hidden if 2_300 < t - start < 4_400 else points) for t, points in frames]
    analysis = Analysis("squat", "mediapipe33")
    watch(analysis, seen)
    assert analysis.summary().reps == 2
    assert analysis.summary().unseen == pytest.approx(42, abs=2)


def test_a_clock_that_is_put_back_does_not_stop_the_counting() -> None:
    """By an hour: from then on it is a new beginning, and the count goes on."""
    analysis = Analysis("squat", "mediapipe33")
    watch(analysis, film(squat(), course(2), Camera(), seconds=9))
    watch(analysis, film(squat(), course(2), Camera(), seconds=9, start_ms=1_795_000_000_000.0 - 3_600_000))
    assert analysis.summary().reps == 4


def test_one_wrong_frame_is_no_repetition() -> None:
    """A model that takes a chair for a leg for a thirtieth of a second."""
    still, deep = Camera().see(squat()(0.0)), Camera().see(squat()(1.0))
    analysis = Analysis("squat", "mediapipe33")
    for number in range(300):
        analysis.push(number * 33.3, deep if number % 50 == 25 else still)
    assert (analysis.summary().reps, analysis.summary().short) == (0, 0)
    # And in the middle of a repetition it does not end it.
    frames = list(film(squat(), course(3), Camera(), seconds=13, fps=30))
    wrong = [(t, still if number % 25 == 12 else points) for number, (t, points) in enumerate(frames)]
    analysis = Analysis("squat", "mediapipe33")
    watch(analysis, wrong)
    assert analysis.summary().reps == 3


def test_counting_goes_on_from_where_it_was() -> None:
    """After a reconnect the client says how many there were."""
    analysis = Analysis("squat", "mediapipe33", count_from=12)
    events = watch(analysis, film(squat(), course(2), Camera(), seconds=9))
    assert [each.count for each in events if isinstance(each, Rep)] == [13, 14]


def test_memory_does_not_grow() -> None:
    """Three thousand frames of anything leave as much behind as half of them."""
    chance = random.Random(3)
    analysis = Analysis("squat", "coco17")
    frames = [
        [Point(chance.uniform(0, 900), chance.uniform(0, 900), None, chance.random()) for _ in range(17)]
        for _ in range(50)
    ]
    sizes = []
    tracemalloc.start()
    try:
        for number in range(3_001):
            analysis.push(number * 33.0 + chance.random(), frames[number % 50])
            if number % 1_500 == 0 and number:
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < 2_000


# -- what is refused ---------------------------------------------------------------------------------------

GOOD: list[Point | None] = [Point(1.0, 2.0) for _ in range(33)]


@pytest.mark.parametrize(
    ("t", "points", "field"),
    [
        (0.0, GOOD[:-1], "points"),
        (0.0, [*GOOD, Point(0, 0)], "points"),
        (0.0, [], "points"),
        (0.0, [Point(float("nan"), 0), *GOOD[1:]], "points.0"),
        (0.0, [*GOOD[:-1], Point(0, float("inf"))], "points.32"),
        (0.0, [*GOOD[:-1], Point(0, 0, float("nan"))], "points.32"),
        (0.0, [*GOOD[:-1], Point(0, 0, 0, float("nan"))], "points.32"),
        (0.0, [*GOOD[:-1], Point(0, 0, 0, 57)], "points.32"),
        (0.0, [*GOOD[:-1], Point(1e6, 0)], "points.32"),
        (float("nan"), GOOD, "t"),
        (-1.0, GOOD, "t"),
        (1e300, GOOD, "t"),
    ],
)
def test_a_frame_that_no_camera_saw_is_refused_and_changes_nothing(
    t: float, points: list[Point | None], field: str
) -> None:
    """Invalid, and the field is named."""
    analysis = Analysis("squat", "mediapipe33")
    before = analysis.summary()
    with pytest.raises(Invalid) as refusal:
        analysis.push(t, points)
    assert list(refusal.value.fields) == [field]
    assert analysis.summary() == before


def test_what_is_not_known_is_refused() -> None:
    """An exercise, a model, a picture of no possible shape."""
    for exercise, model, aspect in (("dance", "coco17", 1.0), ("squat", "x", 1.0), ("squat", "coco17", 0.0)):
        with pytest.raises(Invalid):
            Analysis(exercise, model, aspect=aspect)  # type: ignore[arg-type]


def test_a_point_in_the_corner_of_the_picture_was_not_found() -> None:
    """As YOLO writes it, without a visibility; with one it is where it says."""
    way = course(3)
    plain = [
        (t, [each and Point(each.x, each.y) for each in points])
        for t, points in film(squat(), way, Camera("coco17"), seconds=13, fps=20)
    ]
    left = (5, 7, 9, 11, 13, 15)
    lost = [
        (t, [Point(0, 0) if place in left else each for place, each in enumerate(points)])
        for t, points in plain
    ]
    analysis = Analysis("squat", "coco17")
    watch(analysis, lost)
    assert analysis.summary().reps == 3
    assert analysis.summary().depth_deg == pytest.approx(110, abs=3)


def test_fractions_need_the_shape_of_the_picture() -> None:
    """With it they give what pixels give; without it the angles are others."""
    pixels = analysed("squat", squat(), Camera()).summary()
    fractions = analysed("squat", squat(), Camera(aspect=16 / 9)).summary()
    assert fractions.depth_deg == pytest.approx(pixels.depth_deg, abs=0.1)
    blind = Analysis("squat", "mediapipe33")
    watch(blind, film(squat(), course(3), Camera(aspect=16 / 9), seconds=13, fps=20))
    assert abs((blind.summary().depth_deg or 0) - (pixels.depth_deg or 0)) > 10
