"""`python -m bench`: measure, show the tables, and with `--write` keep them in docs/performance.md."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

import click

from bench import figures, floor, others, plot, report
from bench.process import LOAD_CORE, SERVER_CORE
from bench.product import Failed, running
from bench.run import Measured, Run, keep, measured, read
from bench.talking import talking
from bench.wsload import Wsload

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENT: Final = ROOT / "docs" / "performance.md"
PICTURE: Final = ROOT / "docs" / "images" / "bench.svg"
FOLDER: Final = ROOT / ".bench"
RESULT: Final = FOLDER / "result.json"


@click.command()
@click.option(
    "--wsload",
    "source",
    type=click.Path(path_type=Path),
    default=ROOT.parent / "shared" / "tools" / "wsload.c",
    help="The source of the load generator.  [default: ../shared/tools/wsload.c]",
)
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1, 20), help="Medians of so many.")
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(2), help="Of each load.")
@click.option("--others/--no-others", "with_others", default=True, help="Also measure the servers of others.")
@click.option("--write", "into_docs", is_flag=True, help="Put tables and picture into docs/.")
@click.option("--again", is_flag=True, help="Measure nothing: show, or write, what .bench/result.json holds.")
def main(source: Path, runs: int, seconds: float, with_others: bool, into_docs: bool, again: bool) -> None:
    """Measure: servers on core 0; the load, MongoDB and Valkey on core 1. Some four minutes a run of all."""
    try:
        result = read(RESULT) if again else _measure(source, runs, seconds, with_others)
    except Failed as error:
        raise click.ClickException(str(error)) from error
    keep(RESULT, result)
    click.echo("\n".join(report.lines(result)))
    if into_docs:
        report.write(DOCUMENT, result)
        plot.write(PICTURE, result)


def _measure(source: Path, runs: int, seconds: float, with_others: bool) -> Measured:
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise Failed("this needs two cores, for the server and for the load")
    os.sched_setaffinity(0, {LOAD_CORE})
    rivals, missing = others.install(FOLDER) if with_others else ([], [])
    with tempfile.TemporaryDirectory(prefix="fittracker-bench-") as folder:
        wsload = Wsload.find(source, Path(folder))
        done = [_run(wsload, rivals, Path(folder, str(place)), seconds) for place in range(runs)]
    return measured(done, missing)


def _run(wsload: Wsload, rivals: list[others.Other], data: Path, seconds: float) -> Run:
    """One run of everything, each server by itself."""
    data.mkdir()
    click.echo(f"run {data.name}", err=True)
    with running(data) as product:
        crowd = product.crowd(figures.SOCKETS)
        connecting = _told(figures.connecting(product, crowd, wsload))
        talk = _told(talking(product, crowd, wsload, seconds))
        fan_out = _told(figures.fan_out(product, crowd, wsload, seconds))
        echo_us = _told(figures.echo_us(product, crowd, wsload, seconds))
        pushing = _told(figures.pushing(product, crowd, seconds))
    return Run(
        connecting,
        echo_us,
        pushing,
        fan_out,
        talk,
        bare=_told(others.measure(others.BARE, wsload, seconds)),
        others={each.name: _told(others.measure(each, wsload, seconds)) for each in rivals},
        send_update_us=floor.send_us(floor.UPDATES_BYTES),
        send_message_us=floor.send_us(floor.MESSAGE_BYTES),
    )


def _told(figure: others.T) -> others.T:
    click.echo(f"  {figure}", err=True)
    return figure


if __name__ == "__main__":
    main(prog_name="python -m bench")
