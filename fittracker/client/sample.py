"""A heart-rate sample, as a wearable hands it over and as it goes onto the wire."""

from __future__ import annotations

from typing import Final

import msgspec

MOST_BPM: Final = 300
MOST_RR: Final = 64
MOST_RR_MS: Final = 10_000


class Sample(msgspec.Struct, frozen=True):
    """`t` in unix ms, `bpm` 0 without contact, `rr` in ms since the last sample, oldest first."""

    t: int
    bpm: int
    rr: list[float] = []
    contact: bool | None = None


class Numbered(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sample with its number in the stream, in the shape of `hr.push`."""

    seq: int
    t: int
    bpm: int
    rr: list[float] | None = None
    contact: bool | None = None

    @property
    def size(self) -> int:
        """About how many bytes it takes as JSON."""
        return 72 + 12 * len(self.rr or ())


def number(sample: Sample, seq: int) -> Numbered:
    """Give a sample its number; ValueError for one that no server would take.

    Such a sample would be refused together with the whole push it travels in, so it must not get into one.
    """
    if not 0 <= sample.bpm <= MOST_BPM:
        raise ValueError(f"a heart rate of {sample.bpm} bpm: must be 0 to {MOST_BPM}")
    if len(sample.rr) > MOST_RR or not all(0 < interval <= MOST_RR_MS for interval in sample.rr):
        raise ValueError(f"RR intervals must be at most {MOST_RR}, each above 0 and up to {MOST_RR_MS} ms")
    return Numbered(seq, sample.t, sample.bpm, sample.rr or None, sample.contact)
