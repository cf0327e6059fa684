from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from fittracker.client import Sample
from fittracker.commands.replay import pace, playable
from fittracker.recordings import RR, Device, Point, Recording, read


def made(points: list[Point], rr: Sequence[RR] = (), *, dated: bool = True) -> Recording:
    """A recording of these points."""
    return Recording(
        format="fit",
        points=points,
        laps=[],
        pauses=[],
        sessions=[],
        rr=list(rr),
        heart_rates=[],
        device=Device(),
        sport=None,
        started_at=None,
        dated=dated,
        warnings=[],
        error=None,
    )


class Heard:
    """Stands where a stream would, and notes when what was pushed."""

    def __init__(self) -> None:
        self.pushes: list[tuple[float, list[Sample]]] = []

    async def push(self, samples: list[Sample]) -> None:
        self.pushes.append((asyncio.get_running_loop().time(), samples))


def test_a_run_has_all_of_its_samples(shared_data: Path) -> None:
    """2,808 of 2,809 points have a heart rate."""
    samples = playable(read((shared_data / "workouts" / "garmin-fenix2-run.fit").read_bytes()))
    assert len(samples) == 2_808
    assert max(each.bpm for each in samples) == 178


def test_beats_that_no_heart_has_are_left_out() -> None:
    """A server refuses them, and with them all samples of the push."""
    rr = [RR(2_000, 0.0), RR(2_000, 600.0), RR(2_000, 10_001.0)]
    (sample,) = playable(made([Point(time_ms=2_000, heart_rate=100)], rr))
    assert sample.rr == [600.0]


def test_a_sample_has_at_most_as_many_beats_as_the_wire_takes() -> None:
    """A device that saved for long hands over many at once."""
    rr = [RR(2_000, 500.0)] * 100
    (sample,) = playable(made([Point(time_ms=2_000, heart_rate=100)], rr))
    assert len(sample.rr) == 64


@pytest.mark.parametrize(
    ("recording", "why"),
    [
        (made([Point(time_ms=1, heart_rate=60)], dated=False), "no dates"),
        (made([Point(time_ms=1)]), "no heart rate"),
        (made([Point(heart_rate=60)]), "no heart rate with times"),
        (made([]), "no heart rate"),
    ],
)
def test_what_cannot_be_played_is_said(
    recording: Recording, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a sentence, with code 3."""
    with pytest.raises(click.exceptions.Exit) as ended:
        playable(recording)
    assert ended.value.exit_code == 3
    assert why in capsys.readouterr().err


async def test_samples_come_when_they_are_due() -> None:
    """Ten seconds at a hundred times the speed take a tenth of a second, in order, none early."""
    heard, samples = Heard(), [Sample(5_000_000 + place * 500, 60 + place) for place in range(21)]
    began = asyncio.get_running_loop().time()
    await pace(heard, samples, 100)  # type: ignore[arg-type]
    assert [each for _, pushed in heard.pushes for each in pushed] == samples
    for at, pushed in heard.pushes:
        assert at - began >= (pushed[-1].t - 5_000_000) / 1000 / 100 - 0.002
    assert heard.pushes[-1][0] - began < 3


async def test_what_is_due_together_goes_together() -> None:
    """Not a push a sample, when thousands fall due in a second."""
    heard, samples = Heard(), [Sample(place, 60) for place in range(1_000)]
    await pace(heard, samples, 10)  # type: ignore[arg-type]
    assert len(heard.pushes) < 50


async def test_speed_nought_is_as_fast_as_possible() -> None:
    """All of it in one go."""
    heard, samples = Heard(), [Sample(place * 1000, 60) for place in range(1_000)]
    await pace(heard, samples, 0)  # type: ignore[arg-type]
    assert len(heard.pushes) == 1
