"""`fittracker docs`: the parts of the documentation that are generated from the code."""

from __future__ import annotations

from pathlib import Path

import click

import config
from config.reference import configuration_markdown, environment_example
from fittracker.app import commands_reference
from fittracker.commands.ending import told

ROOT = Path(config.__file__).resolve().parents[1]
STALE = 1


@click.command("docs")
@told
@click.option("--check", is_flag=True, help="Write nothing; end with 1 where something is stale.")
@click.option(
    "--root", default=ROOT, type=click.Path(file_okay=False, path_type=Path), help="The source tree."
)
def command(check: bool, root: Path) -> None:
    """Write the tables of commands and settings into docs/ and config/."""
    old = stale(root)
    for path in old:
        if not check:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(documents()[path])
        click.echo(f"{'stale' if check else 'written'}: {path}")
    if check and old:
        raise click.exceptions.Exit(STALE)


def documents() -> dict[Path, str]:
    """What is generated: the place in the source tree, and the text."""
    return {
        Path("docs/commands.md"): commands_reference(),
        Path("docs/configuration.md"): configuration_markdown(),
        Path("config/.env.example"): environment_example(),
    }


def stale(root: Path) -> list[Path]:
    """Those that are missing, or say something else than the code."""
    return [path for path, text in documents().items() if _text(root / path) != text]


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
