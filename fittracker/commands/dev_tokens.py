"""`fittracker dev-tokens`: many signed-in people at once, for load tests on a developer's machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from config.settings import Settings, load, mode_of_environment
from fittracker.commands.ending import NOT_SET_UP, stop, told
from fittracker.dev import notes
from fittracker.dev.crowd import gather_crowd


@click.command("dev-tokens")
@told
@click.argument("count", type=click.IntRange(1, 1_000_000))
@click.option("--session", is_flag=True, help="Also a live coaching session they all belong to.")
@click.option(
    "--data",
    default=Path(".data"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the `fittracker dev` that runs.",
)
def command(count: int, session: bool, data: Path) -> None:
    """Make COUNT verified people and print an access token of each, one a line.

    With --session, its id goes to standard error. Only for a running `fittracker dev`: refused where
    FITTRACKER_MODE says production.
    """
    if mode_of_environment() == "production":
        raise stop("these people have no business in production", NOT_SET_UP)
    settings = settings_of(notes.read(data).server)
    crowd = asyncio.run(gather_crowd(settings, count, session=session))
    for token in crowd.tokens:
        click.echo(token)
    if crowd.session is not None:
        click.echo(crowd.session, err=True)


def settings_of(server: dict[str, Any]) -> Settings:
    """The settings of the running server, as far as tokens and data go."""
    keys = tuple((str(kid), str(secret)) for kid, secret in server["token_keys"])
    return load(mode="development", **{**server, "token_keys": keys})
