"""`fittracker inspect`: what a recording holds. Never where it was."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click

from fittracker.commands.ending import BAD_FILE, stop, told
from fittracker.commands.figures import clock, count
from fittracker.recordings import Recording, read

GAP_MS = 15_000


@click.command("inspect")
@told
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(file: Path) -> None:
    """Say what a FIT, TCX or GPX file holds. Of positions only how many there are.

    Ends with 3 where the file is damaged, after what could be read of it.
    """
    recording = read(file.read_bytes(), name=file.name, keep_partial=True)
    for name, value in facts(recording):
        click.echo(f"{name:<14}{value}")
    if recording.error is not None:
        raise stop(f"{recording.error.reason}: {recording.error.detail}", BAD_FILE)


def facts(recording: Recording) -> Iterator[tuple[str, str]]:
    """What there is to say, line by line: a name and a value."""
    yield "format", recording.format
    yield "sport", _sports(recording)
    yield "device", _device(recording)
    yield "start", _start(recording)
    if recording.duration_s is not None:
        yield "duration", clock(recording.duration_s)
    yield "points", _points(recording)
    yield "heart rate", _heart_rate(recording)
    if gaps := _gaps(recording):
        yield (
            "gaps",
            f"{count(len(gaps), 'gap')} over {GAP_MS // 1000} s, the longest {clock(max(gaps) / 1000)}",
        )
    yield "RR intervals", f"{len(recording.rr):,}" if recording.rr else "none"
    if recording.laps:
        yield "laps", f"{len(recording.laps):,}"
    if recording.pauses:
        paused = sum(pause.end_ms - pause.start_ms for pause in recording.pauses) / 1000
        yield "pauses", f"{len(recording.pauses):,}, together {clock(paused)}"
    for warning in recording.warnings:
        yield "warning", warning


def _sports(recording: Recording) -> str:
    sports = [session.sport for session in recording.sessions]
    name = recording.sport or "not said"
    return f"{name} ({', '.join(sports)})" if len(sports) > 1 else name


def _device(recording: Recording) -> str:
    device = recording.device
    return " ".join(filter(None, (device.manufacturer, device.product, device.name))) or "not said"


def _start(recording: Recording) -> str:
    if recording.started_at is None or not recording.dated:
        return "not dated"
    return recording.started_at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _points(recording: Recording) -> str:
    points = recording.points
    parts = [f"{len(points):,}"]
    for name, having in (
        ("position", sum(point.lat is not None for point in points)),
        ("speed", sum(point.speed_mps is not None for point in points)),
        ("cadence", sum(point.cadence_rpm is not None for point in points)),
        ("power", sum(point.power_w is not None for point in points)),
    ):
        if having:
            parts.append(f"{having:,} with {name}")
    return ", ".join(parts)


def _heart_rate(recording: Recording) -> str:
    rates = [sample.bpm for sample in recording.samples()]
    measured = [bpm for bpm in rates if bpm > 0]
    if not rates:
        return "none" if recording.dated or not _undated_rates(recording) else _undated(recording)
    text = f"{len(rates):,}"
    if measured:
        mean = sum(measured) / len(measured)
        text += f", average {mean:.1f}, lowest {min(measured)}, highest {max(measured)} bpm"
    if lost := len(rates) - len(measured):
        text += f", {lost:,} without contact"
    return text


def _undated_rates(recording: Recording) -> list[int]:
    return [point.heart_rate for point in recording.points if point.heart_rate is not None]


def _undated(recording: Recording) -> str:
    return f"{len(_undated_rates(recording)):,}, without times"


def _gaps(recording: Recording) -> list[int]:
    """The times (ms) without a heart rate that are longer than 15 s."""
    times = [sample.t_ms for sample in recording.samples()]
    return [after - before for before, after in pairwise(times) if after - before > GAP_MS]
