"""Figures as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from fittracker.client import Summary

BLOCKS: Final = "▁▂▃▄▅▆▇█"


def clock(seconds: float) -> str:
    """`47:13`, or `2:03:00` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: int, noun: str) -> str:
    """`1 gap`, `2,808 samples`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def curve(values: Sequence[float], least: float = 0) -> str:
    """A small curve out of blocks, from the lowest to the highest of the values, but over `least` at least.

    Without that the noise of a steady heart would look like intervals.
    """
    if not values:
        return ""
    low, high = min(values), max(values)
    step = max(high - low, least) / (len(BLOCKS) - 1) or 1
    return "".join(BLOCKS[round((value - low) / step)] for value in values)


def summary_lines(summary: Summary) -> Iterator[str]:
    """A workout's figures, one a line, leaving out what is not known."""
    if summary.avg_bpm is not None:
        yield f"average   {summary.avg_bpm:.1f} bpm"
    if summary.max_bpm is not None:
        yield f"maximum   {summary.max_bpm} bpm"
    if summary.min_bpm is not None:
        yield f"minimum   {summary.min_bpm} bpm"
    yield f"duration  {clock(summary.duration_s)}"
    if summary.zones_s is not None:
        zones = (f"{place} {clock(seconds)}" for place, seconds in enumerate(summary.zones_s, 1))
        yield f"zones     {'  '.join(zones)}"
    if summary.trimp is not None:
        yield f"TRIMP     {summary.trimp:.1f}"
    if summary.rmssd_ms is not None:
        yield f"RMSSD     {summary.rmssd_ms:.1f} ms"
    if summary.kcal is not None:
        yield f"energy    {summary.kcal:.0f} kcal"
