"""The One Euro filter: steady, quick, and the same at any frame rate."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from fittracker.form.smoothing import GAP_S, OneEuro


def through(curve: list[float], fps: float) -> list[float]:
    """A curve, smoothed."""
    smooth = OneEuro()
    return [smooth.push(number / fps, each) for number, each in enumerate(curve)]


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_what_trembles_is_steadied(fps: int) -> None:
    """Noise of 3 degrees about an angle that stands still loses at least a quarter."""
    chance = random.Random(1)
    noise = [90 + chance.gauss(0, 3) for _ in range(fps * 20)]
    assert statistics.stdev(through(noise, fps)[fps:]) < 3 * 0.75


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_what_moves_is_followed(fps: int) -> None:
    """A squat of two seconds comes out less than 8 % shallower, and less than 0.15 s late."""
    curve = [55 * (1 - math.cos(math.pi * number / fps)) for number in range(fps * 4)]
    smooth = through(curve, fps)
    assert max(smooth) > 110 * 0.92
    late = (smooth.index(max(smooth[: 2 * fps])) - curve.index(max(curve[: 2 * fps]))) / fps
    assert 0 <= late < 0.15


def test_an_angle_that_no_body_reaches_is_left_out_once() -> None:
    """Twice it is believed: then it was the one before that was wrong."""
    smooth = OneEuro()
    smooth.push(0.0, 5.0)
    assert smooth.push(0.03, 150.0) == 5.0
    assert smooth.push(0.06, 5.0) == pytest.approx(5.0)
    smooth.push(0.09, 150.0)
    assert smooth.push(0.12, 150.0) > 50


def test_after_a_gap_the_next_angle_is_believed() -> None:
    """Nobody knows what happened in between."""
    smooth = OneEuro()
    smooth.push(0.0, 5.0)
    assert smooth.push(GAP_S + 0.1, 150.0) == 150.0
    smooth.forget()
    assert smooth.push(GAP_S + 0.2, 20.0) == 20.0
