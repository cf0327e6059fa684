"""From what was measured to the tables of docs/performance.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.figures import ATHLETES, SOCKETS, WATCHERS
from bench.others import Figures
from bench.run import Measured, Run
from bench.talking import MEMBERS, RATE, SPEAKERS

BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"
OURS: Final = "FitTracker Pro"
ALMOST_ALL: Final = 0.99

Figure = Callable[[Run], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of aims."""

    name: str
    aim: float | None
    unit: str
    figure: Figure
    floor: Figure | None = None
    beside: str = ""
    """What the floor is."""


def _sample(shape: str) -> Figure:
    return lambda run: run.pushing[shape].sample_us


def _echo(run: Run) -> float:
    return run.bare.echo_us


ROWS: Final = (
    Row(
        "idle memory of a socket, signed in and in a room",
        14,
        "KB",
        lambda run: run.connecting.idle_kb,
        lambda run: run.bare.idle_kb,
        "bare aiohttp",
    ),
    Row(
        "connect: sign in, upgrade, room.join",
        0.6,
        "ms",
        lambda run: run.connecting.connect_ms,
        lambda run: run.bare.connect_ms,
        "bare aiohttp, upgrade and join",
    ),
    Row(
        "chat message, durable, to one of 500",
        8,
        "us",
        lambda run: run.talking.delivery_us,
        lambda run: run.send_message_us,
        "one send()",
    ),
    Row("its age on arrival, 99 %", None, "ms", lambda run: run.talking.late_p99_ms),
    Row("from chat.send to its answer, 99 %", None, "ms", lambda run: run.talking.stored_p99_ms),
    Row(
        "hr.update to one of 500 watchers, 200 a second",
        1,
        "us",
        lambda run: run.fan_out.delivery_us,
        lambda run: run.send_update_us / run.fan_out.joined,
        "send() of what is joined",
    ),
    Row("of that, receiving and storing what is delivered", None, "us", lambda run: run.fan_out.ingest_us),
    Row("updates joined in one write", None, "", lambda run: run.fan_out.joined),
    Row("age of an update on arrival, median", None, "ms", lambda run: run.fan_out.age_p50_ms),
    Row("age of an update on arrival, 99 %", 80, "ms", lambda run: run.fan_out.age_p99_ms),
    Row("sample to the durable ack, JSON", 50, "us", _sample("json"), _echo, "bare aiohttp echo"),
    Row("the same, binary frame", 40, "us", _sample("binary"), _echo, "bare aiohttp echo"),
    Row("the same, ten samples a push, JSON", 12, "us", _sample("batches"), _echo, "bare aiohttp echo"),
    Row("from a sample to its ack, median", None, "ms", lambda run: run.pushing["json"].wait_p50_ms),
    Row("from a sample to its ack, 99 %", None, "ms", lambda run: run.pushing["json"].wait_p99_ms),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One server in the table of servers: medians, or None for what is not comparable."""

    name: str
    idle_kb: float
    connect_ms: float
    echo_us: float
    delivery_us: float
    late_p99_ms: float
    arrived: float


def standings(result: Measured) -> list[Standing]:
    """Ours first, then the bare server, then the others."""
    runs = result.runs
    ours = Standing(
        OURS,
        median(run.connecting.idle_kb for run in runs),
        median(run.connecting.connect_ms for run in runs),
        median(run.echo_us for run in runs),
        median(run.talking.delivery_us for run in runs),
        median(run.talking.late_p99_ms for run in runs),
        1.0,
    )
    names = sorted({name for run in runs for name in run.others})
    rest = [(name, [run.others[name] for run in runs if name in run.others]) for name in names]
    return [
        ours,
        *(_standing(name, each) for name, each in [("bare aiohttp", [r.bare for r in runs]), *rest]),
    ]


def _standing(name: str, figures: list[Figures]) -> Standing:
    return Standing(
        name,
        median(each.idle_kb for each in figures),
        median(each.connect_ms for each in figures),
        median(each.echo_us for each in figures),
        median(each.talk.delivery_us for each in figures),
        median(each.talk.late_p99_ms for each in figures),
        median(each.talk.arrived for each in figures),
    )


def lines(result: Measured) -> list[str]:
    """Everything that stands between the marks of the document."""
    return [
        f"Measured on {result.on}, medians of {len(result.runs)}. {result.machine}. {result.versions}.",
        "",
        *_aims(result.runs),
        "",
        f"Ours: {SOCKETS:,} sockets; {SOCKETS:,} wearables at 1 Hz; {ATHLETES} athletes and {WATCHERS} "
        f"watchers in one room; {SPEAKERS} people who say {RATE:g} things a second to a room of {MEMBERS}.",
        "",
        *_servers(standings(result)),
        *([f"\nLeft out: {'; '.join(result.missing)}."] if result.missing else []),
    ]


def _aims(runs: list[Run]) -> list[str]:
    table = ["| figure | aim | measured | floor here and now | ratio |", "|---|---|---|---|---|"]
    for row in ROWS:
        measured = median(row.figure(run) for run in runs)
        aim = "" if row.aim is None else f"{row.aim:g} {row.unit}"
        beside = ratio = ""
        if row.floor is not None:
            below = row.floor
            beside = f"{_short(median(below(run) for run in runs))} {row.unit} ({row.beside})"
            ratio = f"{median(row.figure(run) / below(run) for run in runs):.2f}"
        table.append(f"| {row.name} | {aim} | {_short(measured)} {row.unit} | {beside} | {ratio} |")
    return table


def _servers(found: list[Standing]) -> list[str]:
    floor = found[1]
    table = [
        "| server | idle KB | connect ms | in and out us | delivery us | 99 % after ms |",
        "|---|---|---|---|---|---|",
    ]
    for each in found:
        cells = (
            _beside(each.idle_kb, floor.idle_kb),
            _beside(each.connect_ms, floor.connect_ms),
            _beside(each.echo_us, floor.echo_us),
            _beside(each.delivery_us, floor.delivery_us),
            _short(each.late_p99_ms),
        )
        note = "" if each.arrived >= ALMOST_ALL else f" (kept up with {each.arrived:.0%})"
        table.append(f"| {each.name}{note} | {' | '.join(cells)} |")
    return table


def _beside(value: float, floor: float) -> str:
    """The value, and its ratio to the floor."""
    return f"{_short(value)} ({value / floor:.2f})"


def write(document: Path, result: Measured) -> None:
    """Replace what stands between the marks of the document."""
    text = document.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{document} lacks the marks {BEGIN} and {END}")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    table = "\n".join(lines(result))
    document.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}")


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
