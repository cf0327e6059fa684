"""The `fittracker` command line. A subcommand is loaded when it is used: `--help` waits for no driver."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import click

from fittracker.observability import configure_logs

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "asyncapi": "asyncapi",
        "audit": "audit",
        "create-admin": "create_admin",
        "dev": "dev",
        "dev-tokens": "dev_tokens",
        "docs": "docs",
        "inspect": "inspect",
        "openapi": "openapi",
        "replay": "replay",
        "say": "say",
        "rotate-keys": "rotate_keys",
        "serve": "serve",
        "vapid-key": "vapid_key",
        "watch": "watch",
    }
)


class Subcommands(click.Group):
    """Finds `fittracker dev-tokens` in `fittracker/commands/dev_tokens.py`, as the `command` in it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, by name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one; None where there is none of that name."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        loaded: click.Command = importlib.import_module(f"fittracker.commands.{module}").command
        # What a command has to say it prints; only what went wrong is logged, and that beside its output.
        configure_logs("pretty", "warning")
        return loaded


@click.command(cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fittracker-pro", prog_name="fittracker")
def main() -> None:
    """FitTracker Pro: live heart rate, coaching rooms, and a REST API beside them."""
