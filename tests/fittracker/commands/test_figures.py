from __future__ import annotations

import pytest

from fittracker.client import Summary
from fittracker.commands.figures import clock, count, curve, summary_lines


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (2833, "47:13"), (3600, "1:00:00"), (7384, "2:03:04")]
)
def test_times_are_read_as_on_a_watch(seconds: float, text: str) -> None:
    """Hours only where there are some."""
    assert clock(seconds) == text


def test_counts_have_their_plural() -> None:
    """And a comma from a thousand on."""
    assert [count(each, "sample") for each in (0, 1, 2808)] == ["0 samples", "1 sample", "2,808 samples"]


def test_a_curve_runs_from_its_lowest_to_its_highest() -> None:
    """A flat one is a line at the bottom, none is nothing."""
    assert curve([60, 95, 130]) == "▁▅█" or curve([60, 95, 130]) == "▁▄█"
    assert curve([100, 100]) == "▁▁"
    assert curve([]) == ""
    assert curve([60, 61, 60], least=20) == "▁▁▁"


def test_a_summary_tells_what_is_known() -> None:
    """All of it, or only the duration."""
    full = Summary(3, 2833, 154.04, 178, 69, [66.0, 208.0, 625.0, 849.0, 1075.0], 122.24, 41.47, 485.4)
    assert list(summary_lines(full)) == [
        "average   154.0 bpm",
        "maximum   178 bpm",
        "minimum   69 bpm",
        "duration  47:13",
        "zones     1 1:06  2 3:28  3 10:25  4 14:09  5 17:55",
        "TRIMP     122.2",
        "RMSSD     41.5 ms",
        "energy    485 kcal",
    ]
    assert list(summary_lines(Summary(0, 0))) == ["duration  0:00"]
