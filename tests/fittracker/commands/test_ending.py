from __future__ import annotations

from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner

from config.settings import SettingsError
from fittracker.client import CommandError, ConnectionLost, Disconnected
from fittracker.client.messages import ErrorBody
from fittracker.commands.ending import told
from fittracker.dev.notes import NoNotes
from fittracker.errors import Conflict, Invalid
from fittracker.recordings import Defect, RecordingError


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (RecordingError(Defect("truncated", "the file is cut off", 12)), 3, "truncated"),
        (CommandError(ErrorBody("invalid", detail="No.", fields={"t": "too old"})), 4, "t: too old"),
        (Disconnected(4503, "banned"), 4, "banned (4503)"),
        (Conflict("There is one."), 4, "There is one."),
        (Invalid("Weak.", fields={"password": "is easy to guess"}), 4, "password: is easy to guess"),
        (ConnectionLost("nobody is there"), 5, "nobody is there"),
        (TimeoutError("too long"), 5, "too long"),
        (SettingsError("BIND is missing"), 6, "BIND is missing"),
        (NoNotes("start it first"), 6, "start it first"),
    ],
)
def test_what_may_be_expected_is_a_sentence_and_a_code(error: Exception, code: int, says: str) -> None:
    """On standard error, without a traceback."""
    result = CliRunner().invoke(raising(error), [])
    assert result.exit_code == code
    assert says in result.stderr
    assert result.stderr.startswith("fittracker: ")
    assert result.stdout == ""


def test_a_defect_stays_a_traceback() -> None:
    """Ours to mend, so nothing of it is hidden."""
    result = CliRunner().invoke(raising(ZeroDivisionError("ours")), [])
    assert isinstance(result.exception, ZeroDivisionError)


def raising(error: Exception) -> click.Command:
    """A command that fails so."""

    @click.command()
    @told
    def failing() -> None:
        raise error

    made: Callable[..., click.Command] | click.Command = failing
    assert isinstance(made, click.Command)
    return made
