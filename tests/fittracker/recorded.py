"""Real recordings for the tests of the maths; where they are not at hand, the test that asks is skipped."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"


def recording(path: str) -> Path:
    """The path of a recording below the data folder."""
    found = DATA / path
    if not found.exists():
        pytest.skip(f"the recording {path} is not here")
    return found


def beats(name: str) -> list[float]:
    """The RR intervals (ms) of a text file, or of the [HRData] part of a Polar one."""
    text = recording(f"rr/{name}").read_text()
    return [float(line) for line in text.rpartition("[HRData]")[2].split()]


def payloads(name: str) -> list[bytes]:
    """The BLE payloads of a file that has one in each line, in hexadecimal."""
    return [bytes.fromhex(line) for line in recording(f"ble/{name}").read_text().split()]


def vectors(kind: str) -> list[dict[str, Any]]:
    """The published BLE vectors: `vectors` with what they mean, `truncated` to be refused."""
    found: list[dict[str, Any]] = json.loads(recording("ble/hrm-2a37-vectors.json").read_text())[kind]
    return found


def heart_rates(name: str) -> tuple[list[int], list[int]]:
    """Times (unix ms) and heart rates (bpm) of the records of a FIT file."""
    fitdecode = pytest.importorskip("fitdecode")
    times, rates = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fitdecode.FitReader(str(recording(f"workouts/{name}"))) as reader:
            for frame in reader:
                if not isinstance(frame, fitdecode.FitDataMessage) or frame.name != "record":
                    continue
                rate = frame.get_value("heart_rate", fallback=None)
                if rate is not None:
                    times.append(round(frame.get_value("timestamp").timestamp() * 1000))
                    rates.append(rate)
    return times, rates
