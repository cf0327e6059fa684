"""The coach speaks when an athlete's zone calls for it, and not all the time."""

from __future__ import annotations

from fittracker.client import HrUpdate
from fittracker.dev.coach import AGAIN_S, PAUSE_S, Remarks


def at(zone: int, user: str = "u1", bpm: int = 170) -> HrUpdate:
    """A heart rate in this zone."""
    return HrUpdate(user, 1, bpm, zone)


def test_who_enters_the_highest_zone_is_told_by_name() -> None:
    """Not at the first look: nobody knows since when they are there."""
    remarks = Remarks({"u1": "Mira Okafor"})
    assert remarks.on(at(5), 0.0) is None
    assert remarks.on(at(4), 1.0) is None
    said = remarks.on(at(5, bpm=181), 2.0)
    assert said is not None
    assert said[0] == "text"
    assert said[1].startswith("Mira, 181 bpm is zone 5")


def test_who_has_recovered_is_praised() -> None:
    """On the way down."""
    remarks = Remarks({"u1": "Mira Okafor"})
    remarks.on(at(3), 0.0)
    assert remarks.on(at(2, bpm=110), 1.0) == ("praise", "Well recovered, Mira: 110 bpm.")


def test_nobody_is_talked_to_all_the_time() -> None:
    """A pause after each remark, a longer one for whom it was about."""
    remarks = Remarks({"u1": "Mira Okafor", "u2": "Jonas Lind"})
    for user in ("u1", "u2"):
        remarks.on(at(4, user), 0.0)
    assert remarks.on(at(5, "u1"), 1.0) is not None
    assert remarks.on(at(5, "u2"), 1.0 + PAUSE_S / 2) is None
    remarks.on(at(4, "u1"), 2.0 + PAUSE_S)
    assert remarks.on(at(5, "u1"), 3.0 + PAUSE_S) is None
    remarks.on(at(4, "u2"), 4.0 + PAUSE_S)
    assert remarks.on(at(5, "u2"), 5.0 + PAUSE_S) is not None
    remarks.on(at(4, "u1"), 2.0 + AGAIN_S)
    assert remarks.on(at(5, "u1"), 3.0 + AGAIN_S) is not None


def test_a_stranger_is_not_spoken_to() -> None:
    """Only who is in the session has a name."""
    remarks = Remarks({})
    remarks.on(at(4), 0.0)
    assert remarks.on(at(5), 1.0) is None
