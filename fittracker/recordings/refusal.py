"""What is refused, why, and how much of it could be read all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from fittracker.errors import Invalid

Reason = Literal[
    "empty",  # no bytes
    "unknown_format",  # neither FIT, TCX nor GPX
    "archive",  # a zip of none or of several files, or one that cannot be opened
    "oversize",  # more bytes or more readings than the limits allow, before or after unpacking
    "doctype",  # XML with a DOCTYPE or entities
    "header",  # FIT whose header cannot be read
    "truncated",  # it ends too early
    "corrupt",  # it contradicts its own format
    "crc",  # every point could be read, but the checksum is wrong
    "memory",  # reading it took more memory than a reading process may have
    "timeout",  # reading it took longer than the time limit
]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one file may hold, counted while reading: what a file says about itself is not believed."""

    max_bytes: int = 32 << 20
    """As it was sent."""
    max_unpacked_bytes: int = 64 << 20
    """After gzip or zip."""
    max_readings: int = 400_000
    """Points, RR intervals, heart rates and laps together: four days at one point a second."""


DEFAULT_LIMITS = Limits()


class Defect(msgspec.Struct, frozen=True, tag="defect", array_like=True):
    """What is wrong with a file: `readable` counts the points before the fault, `detail` is for people."""

    reason: Reason
    detail: str
    readable: int = 0


class RecordingError(Invalid):
    """A file that is refused: `reason` is for programs, `readable` counts the points that could be read."""

    title = "The recording cannot be read"

    def __init__(self, defect: Defect) -> None:
        super().__init__(defect.detail, fields={"file": defect.detail})
        self.defect = defect

    @property
    def reason(self) -> Reason:
        """Why, in one word."""
        return self.defect.reason

    @property
    def readable(self) -> int:
        """How many points could be read before the fault."""
        return self.defect.readable

    def __reduce__(self) -> tuple[type[RecordingError], tuple[Defect]]:
        return RecordingError, (self.defect,)


def refuse(reason: Reason, detail: str) -> RecordingError:
    """The error for a file of which nothing can be kept."""
    return RecordingError(Defect(reason, detail))


def broken(reason: Reason, fault: str, readable: int) -> Defect:
    """The defect of a file that could be read up to a point: the fault, then the count."""
    points = "1 point" if readable == 1 else f"{readable} points"
    return Defect(reason, f"{fault}; {points} could be read", readable)
