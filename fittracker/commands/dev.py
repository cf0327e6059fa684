"""`fittracker dev`: everything, on one machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from fittracker.commands.ending import NOT_SET_UP, stop, told
from fittracker.dev.machine import NotReady, Options, PortTaken, run
from fittracker.embedded import NoServices


@click.command("dev")
@told
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65_535))
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes.  [default: WORKERS, or 2]")
@click.option(
    "--data",
    default=Path(".data"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the database and dev.json are kept.",
)
@click.option("--demo/--no-demo", default=True, show_default=True, help="People who train all the time.")
def command(port: int, workers: int | None, data: Path, demo: bool) -> None:
    """Run MongoDB, Valkey, a mail box, the server and a demonstration, until Ctrl-C.

    Prints "ready on http://127.0.0.1:PORT" once it answers. Every setting of docs/configuration.md that is in
    the environment is in force, limits included. Ends with the code of the server, if that ends by itself.
    """
    options = Options(data, port, workers, demo, click.echo)
    try:
        code = asyncio.run(run(options))
    except (NoServices, NotReady, PortTaken) as error:
        raise stop(str(error), NOT_SET_UP) from error
    raise SystemExit(code)
