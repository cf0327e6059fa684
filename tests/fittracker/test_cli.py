from __future__ import annotations

import pytest
from click.testing import CliRunner

from fittracker.__main__ import main
from fittracker.cli import COMMANDS
from tests.dev_machine import run


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str) -> None:
    """`--help` works, and begins with a sentence."""
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    sentence = result.stdout.split("\n\n")[1].strip()
    assert sentence.endswith((".", ":")) or "." in sentence


def test_all_commands_are_listed() -> None:
    """With what each is for."""
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in COMMANDS:
        assert name in result.stdout


def test_a_command_that_there_is_not_is_wrong_usage() -> None:
    """Code 2, as everywhere."""
    result = CliRunner().invoke(main, ["destroy"])
    assert result.exit_code == 2
    assert "destroy" in result.stderr


def test_it_runs_as_a_module_and_knows_its_version() -> None:
    """`python -m fittracker`."""
    result = run("--version")
    assert result.returncode == 0
    assert result.stdout.startswith("fittracker, version ")


def test_serve_refuses_to_start_without_what_production_needs() -> None:
    """One message with all that is missing, before gunicorn starts."""
    result = run("serve", FITTRACKER_MODE="production", MONGO_URL="", TOKEN_KEYS="")
    assert result.returncode == 6
    assert "MONGO_URL" in result.stderr
    assert "TOKEN_KEYS" in result.stderr
