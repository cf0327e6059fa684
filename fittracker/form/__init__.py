"""Form analysis: from the points of a body, frame by frame, to counted repetitions and faults. Pure, no I/O.

`Analysis` is the whole of it for one athlete and one exercise. docs/form.md says what is measured, by which
limits, and how far it can be trusted.
"""

from fittracker.form.analysis import Analysis, FormSummary
from fittracker.form.exercises import EXERCISES, Exercise
from fittracker.form.findings import Event, Fault, Hold, Rep
from fittracker.form.skeleton import MODELS, Point

__all__ = [
    "EXERCISES",
    "MODELS",
    "Analysis",
    "Event",
    "Exercise",
    "Fault",
    "FormSummary",
    "Hold",
    "Point",
    "Rep",
]
