"""`dev.json`, what `fittracker dev` leaves in its data folder for the other commands: who is there, and how
to get in. Its passwords and keys open nothing but this machine's servers; all the same only its owner may
read it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec

NAME: Final = "dev.json"


class NoNotes(Exception):  # noqa: N818  it says what is the matter
    """There is no `fittracker dev` on this data folder, or never was; the message says what to do."""


class Account(msgspec.Struct, frozen=True):
    """Somebody who can sign in."""

    user: str
    email: str
    password: str
    name: str
    role: str


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the file. `server` holds the settings, by field name, that the server was started with."""

    url: str
    server: dict[str, Any]
    developer: Account
    people: list[Account] = []
    session: str | None = None

    @property
    def accounts(self) -> list[Account]:
        """Everybody."""
        return [self.developer, *self.people]


def write(data: Path, notes: Notes) -> Path:
    """Put the file in place, whole or not at all, readable for its owner alone; where it is."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)  # not there yet where no server was started in it
    path = data / NAME
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(notes), indent=2) + b"\n")
    fresh.replace(path)
    return path


def read(data: Path) -> Notes:
    """What the file says; NoNotes where there is none, or one that cannot be read."""
    path = data / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Notes)
    except FileNotFoundError:
        raise NoNotes(f"there is no {path}: start `fittracker dev`, or say who you are") from None
    except (OSError, msgspec.DecodeError) as error:
        raise NoNotes(f"{path} cannot be read: {error}") from error
