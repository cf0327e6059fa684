"""Form analysis on the socket: a camera's points go up, repetitions and faults come down.

An analysis belongs to its connection and goes with it: docs/decisions/form-analyses.md. What it finds is
telemetry: a slow reader gets the newest repetition, and as that carries the count, none is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from prometheus_client import Counter

from fittracker.errors import Failure, NotFound, TooLarge
from fittracker.form import Analysis, Event, Fault, FormSummary, Hold, Point, Rep
from fittracker.form.exercises import Name
from fittracker.form.findings import Severity
from fittracker.form.pose import View
from fittracker.ids import new_id
from fittracker.policy import SIGNED_IN
from ws.commands import NOTHING, Nothing, command
from ws.connection import Connection
from ws.events import EventType
from ws.fields import Id
from ws.realtime import Realtime
from ws.sender import user_of

MOST_ANALYSES: Final = 4
"""So many a connection may have open: one a camera, and some to spare."""
MOST_FRAMES: Final = 60
COST: Final = 16
"""A frame counts as so many samples of heart rate: by default 125 frames a second may come over a socket."""
AT_ONCE: Final = 8
"""After so many frames of one push everybody else has a turn."""

frames = Counter("fittracker_form_frames", "Frames of points that form analysis looked at")


class FormOpen(msgspec.Struct, forbid_unknown_fields=True):
    """What is done, and which model the points come from.

    `aspect`: width / height of the picture where x and y are fractions of it; 1 where both have the same
    unit. `space`: `world` for points in metres in space, whose z is used; z of `image` points is not.
    `count_from`: repetitions that were counted before the connection broke, to count on from.
    """

    exercise: Name
    model: Literal["mediapipe33", "coco17"]
    session: Id | None = None
    aspect: Annotated[float, Meta(ge=0.2, le=5)] = 1.0
    space: Literal["image", "world"] = "image"
    count_from: Annotated[int, Meta(ge=0, le=100_000)] = 0


class FormOpened(msgspec.Struct):
    """What to name in pushes."""

    analysis: str


class FormFrame(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """All points of the model at a time (unix ms, fractions allowed); null for one that was not seen."""

    t: Annotated[float, Meta(ge=0, le=2**53)]
    points: Annotated[list[Point | None], Meta(min_length=17, max_length=33)]


class FormPush(msgspec.Struct, forbid_unknown_fields=True):
    """1 to 60 frames, oldest first."""

    analysis: Id
    frames: Annotated[list[FormFrame], Meta(min_length=1, max_length=MOST_FRAMES)]


class FormClose(msgspec.Struct, forbid_unknown_fields=True):
    """The analysis to end."""

    analysis: Id


# -- what is told ------------------------------------------------------------------------------------


class FormRep(msgspec.Struct, omit_defaults=True):
    """A complete repetition; `count` includes all before it, so one that is left out is not lost.

    `depth_deg`: how far the joint that counts was bent, of a press: stretched. `tempo_s`: eccentric, pause,
    concentric; the first is null where it was not seen. `score` is 100 less `deductions`, points by code.
    `asymmetry_deg`: by how much one side went further, where the view shows both. `t`: unix ms of the frame.
    """

    user: str
    exercise: Name
    count: int
    depth_deg: float
    tempo_s: list[float | None]
    score: int
    deductions: dict[str, int]
    analysis: str
    t: float
    view: View
    asymmetry_deg: float | None = None


class FormFault(msgspec.Struct):
    """A fault has begun; it is told once an episode, not again while it lasts."""

    user: str
    exercise: Name
    code: str
    joint: str
    value_deg: float
    limit_deg: float
    severity: Severity
    analysis: str
    t: float
    view: View


class FormHold(msgspec.Struct):
    """A plank is being held: so long so far, and so long of that in good form. Every 5 s."""

    user: str
    exercise: Name
    held_s: float
    good_s: float
    analysis: str
    t: float


SEEN_IN: Final = ("user", "session")
EVENTS: Final = (
    EventType("form.rep", FormRep, SEEN_IN),
    EventType("form.fault", FormFault, SEEN_IN),
    EventType("form.hold", FormHold, SEEN_IN),
)


class Watched:
    """One analysis, and in which rooms its athlete is seen."""

    __slots__ = ("analysis", "id", "rooms", "session", "user")

    def __init__(self, analysis: Analysis, user: str, session: str | None) -> None:
        self.id = new_id()
        self.analysis = analysis
        self.user = user
        self.session = session
        self.rooms = [f"user:{user}", *([f"session:{session}"] if session else [])]

    @property
    def exercise(self) -> Name:
        """What is done."""
        return self.analysis.exercise.name

    def leave(self, room: str) -> None:
        """The athlete is not seen in this room any more, and what they do is not counted there."""
        if room in self.rooms:
            self.rooms.remove(room)
            self.session = None

    def tell(self, realtime: Realtime, event: Event) -> None:
        """An event to whoever sees this athlete, and to the tally of the session."""
        tally, session = realtime.contexts.session_tally, self.session
        of: dict[str, Any] = {"user": self.user, "exercise": self.exercise, "analysis": self.id}
        what: Any
        match event:
            case Rep(score=score):
                kind, key, what = "form.rep", "rep", FormRep(**of, **msgspec.structs.asdict(event))
                if session:
                    tally.rep(session, self.user, exercise=self.exercise, score=score)
            case Fault(code=code):
                kind, key, what = "form.fault", code, FormFault(**of, **msgspec.structs.asdict(event))
                if session:
                    tally.fault(session, self.user, exercise=self.exercise, code=code)
            case Hold():
                kind, key, what = "form.hold", "hold", FormHold(**of, **msgspec.structs.asdict(event))
        for room in self.rooms:
            if realtime.hub.listened(room):
                realtime.hub.newest(room, f"{self.id} {key}", realtime.event(kind, room, what))


class Analyses:
    """The open analyses of one connection."""

    __slots__ = ("_by_id",)

    def __init__(self) -> None:
        self._by_id: dict[str, Watched] = {}

    def __iter__(self) -> Iterator[Watched]:
        """All of them."""
        return iter(tuple(self._by_id.values()))

    def add(self, watched: Watched) -> None:
        """One more; TooLarge where there are as many as there may be."""
        if len(self._by_id) >= MOST_ANALYSES:
            raise TooLarge(f"A connection may have {MOST_ANALYSES} open analyses.")
        self._by_id[watched.id] = watched

    def find(self, analysis: str) -> Watched:
        """NotFound for what was not opened on this connection."""
        watched = self._by_id.get(analysis)
        if watched is None:
            raise NotFound("Open this analysis first; it ends with its connection.")
        return watched

    def drop(self, watched: Watched) -> None:
        """It was closed."""
        self._by_id.pop(watched.id, None)


# -- commands ----------------------------------------------------------------------------------------


@command("form.open", FormOpen, FormOpened, policy=SIGNED_IN)
async def form_open(realtime: Realtime, connection: Connection, data: FormOpen) -> FormOpened:
    """Begin to analyse an exercise. With `session` the members of that coaching session see it, too."""
    who = user_of(connection)
    analysis = Analysis(
        data.exercise,
        data.model,
        aspect=data.aspect,
        world=data.space == "world",
        count_from=data.count_from,
    )
    watched = Watched(analysis, who, data.session)
    if connection.analyses is None:
        connection.analyses = Analyses()
    analyses: Analyses = connection.analyses
    if data.session is None:
        analyses.add(watched)
    else:
        await _show(realtime, connection, analyses, watched, data.session)
    return FormOpened(watched.id)


async def _show(
    realtime: Realtime, connection: Connection, analyses: Analyses, watched: Watched, session: str
) -> None:
    """Enter the session, which is to agree to be seen there; NotFound for one that is not the athlete's."""

    async def check() -> None:
        if not await realtime.contexts.coaching.enter(session, watched.user):
            raise NotFound("There is no such session.")

    async def go_in() -> None:
        analyses.add(watched)

    try:
        await realtime.enter(connection, f"session:{session}", check, go_in)
    except Failure:
        analyses.drop(watched)
        raise


@command("form.push", FormPush, Nothing, policy=SIGNED_IN, own_limit=True)
async def form_push(realtime: Realtime, connection: Connection, data: FormPush) -> Nothing:
    """Send frames; a push with a fault in one of them changes nothing. Usually without `id`."""
    watched = _of(connection, data.analysis)
    connection.spend(realtime.wheel.now, 0, COST * len(data.frames))
    analysis = watched.analysis
    for frame in data.frames:
        analysis.check(frame.t, frame.points)
    frames.inc(len(data.frames))
    for place, frame in enumerate(data.frames, 1):
        if place % AT_ONCE == 0:
            await asyncio.sleep(0)
        for event in analysis.take(frame.t, frame.points):
            watched.tell(realtime, event)
    return NOTHING


@command("form.close", FormClose, FormSummary, policy=SIGNED_IN)
def form_close(_realtime: Realtime, connection: Connection, data: FormClose) -> FormSummary:
    """End an analysis: what it came to."""
    watched = _of(connection, data.analysis)
    connection.analyses.drop(watched)
    return watched.analysis.summary()


def _of(connection: Connection, analysis: str) -> Watched:
    analyses: Analyses = connection.analyses or Analyses()
    return analyses.find(analysis)
