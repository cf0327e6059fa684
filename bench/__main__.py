"""`python -m bench`: measure, show one table, and with `--write` keep it in docs/performance.md."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

import click

from bench import figures, floor
from bench.process import LOAD_CORE, SERVER_CORE
from bench.product import Failed, running
from bench.report import Run, rows, write
from bench.wsload import Wsload

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENT: Final = ROOT / "docs" / "performance.md"


@click.command()
@click.option(
    "--wsload",
    "source",
    type=click.Path(path_type=Path),
    default=ROOT.parent / "shared" / "tools" / "wsload.c",
    help="The source of the load generator.  [default: ../shared/tools/wsload.c]",
)
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1, 20), help="Medians of so many.")
@click.option("--seconds", default=15.0, show_default=True, type=click.FloatRange(2), help="Of each load.")
@click.option("--write", "keep", is_flag=True, help="Put the table into docs/performance.md.")
def main(source: Path, runs: int, seconds: float, keep: bool) -> None:
    """Measure the server: on core 0, with the load, MongoDB and Valkey on core 1. Some minutes a run."""
    if not source.is_file():
        click.echo(f"Nothing was measured: there is no {source}. Say with --wsload where wsload.c is.")
        return
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise click.ClickException("this needs two cores, for the server and for the load")
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory(prefix="fittracker-bench-") as folder:
        try:
            wsload = Wsload.compile(source, Path(folder))
            measured = [_run(wsload, Path(folder, str(place)), seconds) for place in range(runs)]
        except Failed as error:
            raise click.ClickException(str(error)) from error
    table = rows(measured)
    click.echo("\n".join(table))
    if keep:
        write(DOCUMENT, table, runs)


def _run(wsload: Wsload, data: Path, seconds: float) -> Run:
    """One run of everything, the floor last, on a server of its own."""
    data.mkdir()
    click.echo(f"run {data.name}: starting", err=True)
    with running(data) as product:
        crowd = product.crowd(figures.SOCKETS)
        connecting = figures.connecting(product, crowd, wsload)
        click.echo(f"  {connecting}", err=True)
        pushing = figures.pushing(product, crowd, seconds)
        click.echo(f"  {pushing}", err=True)
        fan_out = figures.fan_out(product, crowd, wsload, seconds)
        click.echo(f"  {fan_out}", err=True)
    bare = floor.measure(wsload, figures.SOCKETS)
    click.echo(f"  {bare}", err=True)
    return Run(connecting, pushing, fan_out, bare)


if __name__ == "__main__":
    main(prog_name="python -m bench")
