"""What an analysis tells: repetitions, faults, and how long a hold lasts."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from fittracker.form.pose import View

Severity = Literal["info", "warn", "stop"]
"""As of a trainer's feedback: a hint, a fault, a reason to stop."""


class Rep(Struct, frozen=True, omit_defaults=True):
    """A complete repetition.

    `t`: when it ended, as the frames say (unix ms). `depth_deg`: how far the joint that counts was bent (for
    a press: stretched). `tempo_s`: eccentric, pause at the far end, concentric, in seconds; the first of a
    deadlift that begins on the floor has no eccentric part, so null, and arms seen from the front cannot be
    timed at all. `score`: 100 less `deductions`, which says by the code of the fault how many points each
    took. `asymmetry_deg`: by how much one side went further.
    """

    t: float
    count: int
    depth_deg: float
    tempo_s: list[float | None]
    score: int
    deductions: dict[str, int]
    view: View
    asymmetry_deg: float | None = None


class Fault(Struct, frozen=True):
    """The beginning of a fault, told once however long it lasts.

    `value_deg` is what was measured when it was told, `limit_deg` what it passed.
    """

    t: float
    code: str
    joint: str
    value_deg: float
    limit_deg: float
    severity: Severity
    view: View


class Hold(Struct, frozen=True):
    """So long a plank was held, and so long of it in good form; seconds, so far."""

    t: float
    held_s: float
    good_s: float


Event = Rep | Fault | Hold
