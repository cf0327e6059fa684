"""`fittracker openapi`: the description of REST, for machines: OpenAPI 3.1 in JSON."""

from __future__ import annotations

import click

from fittracker.app import openapi_document
from fittracker.commands.ending import told


@click.command("openapi")
@told
def command() -> None:
    """Print the description of REST, for machines: OpenAPI 3.1 in JSON."""
    click.echo(openapi_document())
