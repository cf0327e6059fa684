"""`fittracker asyncapi`: the description of the WebSocket, for machines: AsyncAPI 3 in JSON."""

from __future__ import annotations

import click

from fittracker.app import asyncapi_document
from fittracker.commands.ending import told


@click.command("asyncapi")
@told
def command() -> None:
    """Print the description of the WebSocket, for machines: AsyncAPI 3 in JSON."""
    click.echo(asyncapi_document())
