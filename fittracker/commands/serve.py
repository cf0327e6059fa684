"""`fittracker serve`: the server, in production."""

from __future__ import annotations

import os

import click

from config.settings import load
from fittracker.commands.ending import told
from fittracker.program import program


@click.command("serve")
@told
def command() -> None:
    """Run the server. Everything is set by environment variables: see docs/configuration.md."""
    load()  # what is missing or wrong is said in one sentence, and not once by each worker
    gunicorn = program()
    # In our place, not as a child: whoever started us may signal gunicorn's master directly.
    os.execv(gunicorn[0], gunicorn)  # noqa: S606
