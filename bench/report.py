"""From runs to the table."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

from bench.figures import ATHLETES, SOCKETS, WATCHERS, Connecting, FanOut, Pushing
from bench.floor import Floor

BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"
PACKAGES: Final = ("aiohttp", "uvloop", "msgspec", "pymongo", "redis", "hiredis", "python-jose")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run measured."""

    connecting: Connecting
    pushing: dict[str, Pushing]
    fan_out: FanOut
    floor: Floor


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    aim: float | None
    unit: str
    figure: Callable[[Run], float]
    floor: Callable[[Run], float] | None = None
    beside: str = ""
    """What the floor is."""


def _sample(shape: str) -> Callable[[Run], float]:
    return lambda run: run.pushing[shape].sample_us


def _echo(run: Run) -> float:
    return run.floor.echo_us


ROWS: Final = (
    Row(
        "idle memory of a socket, signed in and in a room",
        16,
        "KB",
        lambda run: run.connecting.idle_kb,
        lambda run: run.floor.idle_kb,
        "bare aiohttp",
    ),
    Row(
        "connect: sign in, upgrade, room.join",
        0.6,
        "ms",
        lambda run: run.connecting.connect_ms,
        lambda run: run.floor.connect_ms,
        "bare aiohttp upgrade",
    ),
    Row("hr.push of one sample, JSON, to the ack", 60, "us", _sample("json"), _echo, "bare aiohttp echo"),
    Row("the same, binary frame", 60, "us", _sample("binary"), _echo, "bare aiohttp echo"),
    Row(
        "the same, JSON with two RR intervals",
        None,
        "us",
        _sample("json with rr"),
        _echo,
        "bare aiohttp echo",
    ),
    Row(
        "hr.update delivered to one watcher",
        0.5,
        "us",
        lambda run: run.fan_out.delivery_us,
        lambda run: run.floor.send_us / run.fan_out.joined,
        "send() of what is joined",
    ),
    Row(
        "of that, receiving and storing what is delivered",
        None,
        "us",
        lambda run: run.fan_out.ingest_us,
    ),
    Row("one send() of 3,500 bytes", None, "us", lambda run: run.floor.send_us),
    Row("updates joined in one write", None, "", lambda run: run.fan_out.joined),
    Row("age of an update on arrival, median", None, "ms", lambda run: run.fan_out.age_p50_ms),
    Row("age of an update on arrival, 99 %", None, "ms", lambda run: run.fan_out.age_p99_ms),
    Row("from a sample to its ack, median", None, "ms", lambda run: run.pushing["json"].wait_p50_ms),
    Row("from a sample to its ack, 99 %", None, "ms", lambda run: run.pushing["json"].wait_p99_ms),
)


def rows(runs: list[Run]) -> list[str]:
    """The table in Markdown, medians of the runs."""
    lines = [
        "| figure | aim | measured | floor here and now | ratio |",
        "|---|---|---|---|---|",
    ]
    for row in ROWS:
        measured = median(row.figure(run) for run in runs)
        aim = "" if row.aim is None else f"{row.aim:g} {row.unit}"
        beside = ratio = ""
        if row.floor is not None:
            below = row.floor
            bottom = median(below(run) for run in runs)
            beside = f"{_short(bottom)} {row.unit} ({row.beside})"
            ratio = f"{median(row.figure(run) / below(run) for run in runs):.2f}"
        lines.append(f"| {row.name} | {aim} | {_short(measured)} {row.unit} | {beside} | {ratio} |")
    return lines


def write(document: Path, table: list[str], runs: int) -> None:
    """Replace what stands between the marks of the document."""
    text = document.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{document} lacks the marks {BEGIN} and {END}")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    measured = "\n".join([_circumstances(runs), "", *table])
    document.write_text(f"{head}{BEGIN}\n{measured}\n{END}{tail}")


def _circumstances(runs: int) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}, medians of {runs}: {SOCKETS:,} sockets; "
        f"{SOCKETS:,} wearables at 1 Hz; {ATHLETES} athletes and {WATCHERS} watchers in one room. Python "
        f"{sys.version.split()[0]}, {versions}. {_machine()}."
    )


def _machine() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return f"{found[1] if found else platform.machine()}, Linux {platform.release().split('-')[0]}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
