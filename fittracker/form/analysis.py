"""One athlete doing one exercise before a camera, frame by frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from fittracker.errors import Invalid
from fittracker.form.bearings import Bearings
from fittracker.form.counting import Movement
from fittracker.form.exercises import EXERCISES, Exercise, Name
from fittracker.form.findings import Event, Fault, Hold, Rep, Severity
from fittracker.form.pose import Pose
from fittracker.form.repetition import Turn
from fittracker.form.rules import ASYMMETRY_DEG
from fittracker.form.score import deductions
from fittracker.form.skeleton import MODELS, Point, check, joints
from fittracker.form.smoothing import GAP_S
from fittracker.form.watching import Watch

LATEST_MS: Final = 2**53
NARROWEST, WIDEST = 0.2, 5.0
SOONEST_S: Final = 0.001
"""A frame that comes sooner after the one before is the same frame."""
CLOCK_BACK_S: Final = 5.0
"""A frame from longer ago than this does not come late: the clock was put back."""
TELL_HOLD_S: Final = 5.0
NOTHING: Final = ()


class FormSummary(Struct):
    """What an analysis came to.

    `reps` counts on from `count_from`. `short`: movements that did not go far enough to count. `faults`: by
    code, how often each was told. `tempo`: means of eccentric, pause, concentric, in seconds; null without a
    repetition, as `score` and `depth_deg` are. `held_s` and `good_s` are of planks. `frames` were looked at,
    `late` came too late or twice and were not, and in `unseen` the joints that count were not to be seen.
    """

    reps: int
    short: int
    faults: dict[str, int]
    tempo: list[float | None]
    score: float | None
    depth_deg: float | None
    held_s: float
    good_s: float
    frames: int
    late: int
    unseen: int


class Analysis:
    """Counts, watches and scores. Memory is bounded, whatever comes and for however long."""

    def __init__(
        self, exercise: Name, model: str, *, aspect: float = 1.0, world: bool = False, count_from: int = 0
    ) -> None:
        """`aspect`: width / height of the picture where points are fractions of it.

        `world`: points are metres in space, so that z is used. `count_from`: the number of repetitions that
        were counted before, on another connection. Invalid for what is not known.
        """
        if exercise not in EXERCISES or model not in MODELS:
            raise Invalid("There is no such exercise or model.", fields={"exercise": "is not known"})
        if not NARROWEST <= aspect <= WIDEST:
            raise Invalid("No picture is like that.", fields={"aspect": f"must be {NARROWEST} to {WIDEST}"})
        self.exercise: Exercise = EXERCISES[exercise]
        self.reps = count_from
        self._model = MODELS[model]
        self._aspect = aspect
        self._world = world
        self._bearings = Bearings(world)
        self._movement = Movement(self.exercise)
        self._watches = tuple(Watch(rule) for rule in self.exercise.rules)
        self._t: float | None = None
        self._during: dict[str, Severity] = {}
        self._faults: Counter[str] = Counter()
        self._means = Means()
        self._short = self._frames = self._late = self._unseen = 0
        self._held_s = self._good_s = 0.0

    # -- frames --------------------------------------------------------------------------------------

    def push(self, t: float, points: Sequence[Point | None]) -> Sequence[Event]:
        """Take a frame at a time (unix ms) with all points of the model; what it leads to.

        A frame that comes twice or late changes nothing. Invalid for one that no camera saw, see `check`.
        """
        self.check(t, points)
        return self.take(t, points)

    def check(self, t: float, points: Sequence[Point | None]) -> None:
        """Invalid for a frame with a wrong number of points, NaN, or a value beyond all reason."""
        if not 0 <= t <= LATEST_MS:
            raise Invalid("That is no time.", fields={"t": "must be unix milliseconds"})
        check(self._model, points)

    def take(self, t: float, points: Sequence[Point | None]) -> Sequence[Event]:
        """The same as `push`, of a frame that was checked."""
        elapsed_s = 0.0 if self._t is None else (t - self._t) / 1_000
        if self._t is not None and elapsed_s < SOONEST_S and elapsed_s > -CLOCK_BACK_S:
            self._late += 1
            return NOTHING
        if not 0 <= elapsed_s <= GAP_S:
            elapsed_s = 0.0
            self._interrupt()
        self._t = t
        self._frames += 1
        pose = Pose(joints(self._model, points, self._aspect, self._world))
        self._bearings.take(pose, elapsed_s)
        if self.exercise.sides is None:
            return self._hold(t, elapsed_s, pose)
        return self._repeat(t, elapsed_s, pose)

    def _interrupt(self) -> None:
        """Nobody watched for a while, or the clock was changed: what was going on is not known any more."""
        self._bearings.reset()
        self._movement.forget()
        self._during.clear()
        for watch in self._watches:
            watch.interrupt()

    # -- repetitions ---------------------------------------------------------------------------------

    def _repeat(self, t: float, elapsed_s: float, pose: Pose) -> Sequence[Event]:
        movement = self._movement
        ended = movement.push(t / 1_000, elapsed_s, pose)
        if movement.signal is None:
            self._unseen += 1
        found: list[Event] = []
        if not self.exercise.lying or pose.lies():
            self._watch(t, pose, found)
        for turn in ended:
            self._end(t, pose, turn, found)
        return found or NOTHING

    def _watch(self, t: float, pose: Pose, found: list[Event]) -> None:
        """Faults of this frame, and which of them belong to the repetition that goes on."""
        moving, signal = self._movement.moving, self._movement.signal
        for watch in self._watches:
            fault = watch.look(int(t), t / 1_000, pose, signal)
            if fault is not None:
                self._tell(fault, found)
            if moving and watch.told:
                self._during[watch.rule.code] = watch.rule.severity

    def _end(self, t: float, pose: Pose, turn: Turn, found: list[Event]) -> None:
        """A movement has ended: count it, or say why not."""
        during, self._during = self._during, {}
        exercise, difference = self.exercise, self._movement.difference
        depth = exercise.depth if exercise.measures_depth(pose.view) else None
        joint = exercise.depth.joint if exercise.depth else "hip"
        timed = exercise.measures_tempo(pose.view)
        peak = round(turn.peak, 1)
        if not turn.complete:
            self._short += 1
            self._tell(Fault(t, "incomplete", joint, peak, exercise.target, "info", pose.view), found)
            return
        lost = deductions(turn, depth, difference, during, timed=timed)
        if depth is not None and "shallow_depth" in lost:
            self._tell(Fault(t, "shallow_depth", joint, peak, depth.least, "warn", pose.view), found)
        if difference is not None and "asymmetry" in lost:
            value = round(difference, 1)
            self._tell(Fault(t, "asymmetry", joint, value, ASYMMETRY_DEG, "info", pose.view), found)
        self.reps += 1
        rep = Rep(
            t=t,
            count=self.reps,
            depth_deg=peak,
            tempo_s=self._tempo(turn) if timed else [None, None, None],
            score=max(0, 100 - sum(lost.values())),
            deductions=lost,
            view=pose.view,
            asymmetry_deg=None if difference is None else round(difference, 1),
        )
        self._means.take(rep)
        found.append(rep)

    def _tempo(self, turn: Turn) -> list[float | None]:
        out = None if turn.out_s is None else round(turn.out_s, 2)
        pause, back = round(turn.pause_s, 2), round(turn.back_s, 2)
        return [out, pause, back] if self.exercise.rising == "eccentric" else [back, pause, out]

    def _tell(self, fault: Fault, found: list[Event]) -> None:
        self._faults[fault.code] += 1
        found.append(fault)

    # -- holding -------------------------------------------------------------------------------------

    def _hold(self, t: float, elapsed_s: float, pose: Pose) -> Sequence[Event]:
        if not pose.lies():
            self._unseen += pose.shoulder is None
            for watch in self._watches:
                watch.interrupt()
            return NOTHING
        found: list[Event] = []
        self._watch(t, pose, found)
        before = self._held_s
        self._held_s += elapsed_s
        if all(watch.bad is False for watch in self._watches):
            self._good_s += elapsed_s
        if self._held_s // TELL_HOLD_S > before // TELL_HOLD_S:
            found.append(Hold(t, round(self._held_s, 1), round(self._good_s, 1)))
        return found or NOTHING

    # -- the end -------------------------------------------------------------------------------------

    def summary(self) -> FormSummary:
        """What it came to so far."""
        means = self._means
        return FormSummary(
            reps=self.reps,
            short=self._short,
            faults=dict(self._faults),
            tempo=[means.of(each) for each in ("eccentric", "pause", "concentric")],
            score=means.of("score"),
            depth_deg=means.of("depth"),
            held_s=round(self._held_s, 1),
            good_s=round(self._good_s, 1),
            frames=self._frames,
            late=self._late,
            unseen=self._unseen,
        )


class Means:
    """Means of the repetitions, without keeping them."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: Counter[str] = Counter()

    def take(self, rep: Rep) -> None:
        """Add one."""
        eccentric, pause, concentric = rep.tempo_s
        named = {"eccentric": eccentric, "pause": pause, "concentric": concentric}
        for name, value in {**named, "score": rep.score, "depth": rep.depth_deg}.items():
            if value is not None:
                self._sums[name] = self._sums.get(name, 0.0) + value
                self._counts[name] += 1

    def of(self, name: str) -> float | None:
        """One of them; None where nothing was added."""
        return round(self._sums[name] / self._counts[name], 2) if self._counts[name] else None
