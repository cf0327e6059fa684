from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fittracker.commands.inspect import command


def inspect(path: Path) -> Result:
    """Run the command on a file."""
    return CliRunner().invoke(command, [str(path)])


def lines(result: Result) -> dict[str, str]:
    """What it said, by name."""
    return {line[:14].strip(): line[14:] for line in result.stdout.splitlines()}


def test_a_run_is_described(shared_data: Path) -> None:
    """The figures of a 47-minute run."""
    result = inspect(shared_data / "workouts" / "garmin-fenix2-run.fit")
    assert result.exit_code == 0
    said = lines(result)
    assert said["format"] == "fit"
    assert said["sport"] == "running"
    assert said["device"] == "garmin fenix2"
    assert said["duration"] == "47:13"
    assert said["points"].startswith("2,809, ")
    assert said["heart rate"] == "2,808, average 154.0, lowest 69, highest 178 bpm"
    assert said["RR intervals"] == "none"


def test_beats_and_gaps_are_counted(shared_data: Path) -> None:
    """A ride with pauses and a strap that knows its beats."""
    said = lines(inspect(shared_data / "workouts" / "garmin-edge530-ride-rr.fit"))
    assert said["RR intervals"] == "22,048"
    assert re.fullmatch(r"\d+ gaps over 15 s, the longest \d+:\d\d", said["gaps"])
    assert "together" in said["pauses"]


def test_several_sports_are_named(shared_data: Path) -> None:
    """A multisport recording has its parts in parentheses."""
    said = lines(inspect(shared_data / "workouts" / "garmin-fr920xt-multiheader.fit"))
    assert said["sport"] == "multisport (swimming, transition, cycling, transition, running)"


def test_a_damaged_file_says_how_much_could_be_read(shared_data: Path) -> None:
    """Everything that was read is described, and then the fault, with code 3."""
    result = inspect(shared_data / "workouts" / "sigmasport-truncated-ride.fit")
    assert result.exit_code == 3
    assert lines(result)["heart rate"].startswith("14,391, average 142.7")
    assert "truncated" in result.stderr
    assert "14391 points could be read" in result.stderr


def test_a_file_that_is_nothing_is_refused(tmp_path: Path) -> None:
    """With the reason."""
    path = tmp_path / "letter.fit"
    path.write_text("Dear watch")
    result = inspect(path)
    assert result.exit_code == 3
    assert "header" in result.stderr


def test_zeros_are_no_heart_rate(shared_data: Path) -> None:
    """They mean that the strap had no contact."""
    said = lines(inspect(shared_data / "workouts" / "onelap-hr-all-zero.fit"))
    assert said["heart rate"] == "739, 739 without contact"


def test_a_recording_without_dates_says_so(shared_data: Path) -> None:
    """Its heart rates can be described all the same."""
    said = lines(inspect(shared_data / "workouts" / "garmin-fr70-no-timestamps.fit"))
    assert said["start"] == "not dated"
    assert said["heart rate"].startswith("754, average 170.5")


@pytest.mark.parametrize("name", ["garmin-fenix2-run.fit", "running-1.tcx", "wahoo-elemnt-ride.fit"])
def test_nobody_learns_where_it_was(shared_data: Path, name: str) -> None:
    """Recordings begin at somebody's door: no degree of latitude or longitude is shown."""
    from fittracker.recordings import read

    path = shared_data / "workouts" / name
    points = [point for point in read(path.read_bytes()).points if point.lat is not None]
    assert points
    out = inspect(path).output
    for point in points[:: max(len(points) // 50, 1)]:
        assert point.lat is not None
        assert point.lon is not None
        assert f"{point.lat:.3f}" not in out
        assert f"{point.lon:.3f}" not in out
