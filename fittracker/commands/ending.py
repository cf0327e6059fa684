"""How commands end, in numbers for scripts and in a sentence for people."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import click

from config.settings import SettingsError
from fittracker.client import CommandError, ConnectionLost, Disconnected
from fittracker.dev.notes import NoNotes
from fittracker.errors import Failure
from fittracker.recordings import RecordingError

F = TypeVar("F", bound=Callable[..., Any])

# 0 is success, 1 an unexpected end, 2 wrong usage (click's own).
BAD_FILE: Final = 3
REFUSED: Final = 4
UNREACHABLE: Final = 5
NOT_SET_UP: Final = 6
NOT_INTACT: Final = 7


def stop(message: str, code: int) -> click.exceptions.Exit:
    """Say a sentence on standard error; what is returned is to be raised, and ends us with this code."""
    click.echo(f"fittracker: {message}", err=True)
    return click.exceptions.Exit(code)


def told(function: F) -> F:
    """Turn what a command may expect to fail with into a sentence and a code; the rest stays a traceback."""

    @wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except RecordingError as error:
            raise stop(f"the recording cannot be read ({error.reason}): {error}", BAD_FILE) from error
        except CommandError as error:
            raise stop(f"the server refused: {error}{_named(error.fields)}", REFUSED) from error
        except Disconnected as error:
            raise stop(str(error), REFUSED) from error
        except (ConnectionLost, TimeoutError) as error:
            raise stop(f"no connection: {error}", UNREACHABLE) from error
        except Failure as error:
            raise stop(f"{error.detail or error.title}{_named(error.fields)}", REFUSED) from error
        except (SettingsError, NoNotes) as error:
            raise stop(str(error), NOT_SET_UP) from error

    return run  # type: ignore[return-value]  # wraps keeps the signature


def _named(fields: dict[str, str]) -> str:
    return "".join(f"; {name}: {why}" for name, why in fields.items())
