"""Which server a command talks to, and as whom: from the command line, else from `dev.json`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from fittracker.client import Client
from fittracker.dev.notes import Account, NoNotes, Notes, read

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Target:
    """A server, a sign-in, and the names of people we know from `dev.json`."""

    url: str
    token: str | None
    email: str | None
    password: str | None
    names: dict[str, str]

    def client(self) -> Client:
        """A client for it, not connected yet."""
        return Client(self.url, token=self.token, email=self.email, password=self.password)


def target_options(function: F) -> F:
    """`--url`, `--token`, `--email`, `--password` and `--data`; the function gets a `target` for them."""

    @wraps(function)  # with the options that were declared on it
    def with_target(
        *args: Any,
        url: str | None,
        token: str | None,
        email: str | None,
        password: str | None,
        data: Path,
        **rest: Any,
    ) -> Any:
        return function(*args, target=find(url, token, email, password, data), **rest)

    for option in reversed(_OPTIONS):
        with_target = option(with_target)
    return with_target  # type: ignore[return-value]  # click calls it by keyword


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--url", help=f"Address of the server.  [default: that of dev.json, or {DEFAULT_URL}]"),
    click.option("--token", help="An access token or a device token."),
    click.option("--email", help="Sign in with this address; the password is asked for."),
    click.option("--password", help="The password; others on this machine can see it while we run."),
    click.option(
        "--data",
        default=Path(".data"),
        show_default=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of a `fittracker dev`, whose developer we are when nothing else is said.",
    ),
)


def find(url: str | None, token: str | None, email: str | None, password: str | None, data: Path) -> Target:
    """Fill in what was not said; NoNotes where nothing tells who we are."""
    notes: Notes | None
    try:
        notes = read(data)
    except NoNotes:
        if token is None and email is None:
            raise
        notes = None
    address = url or (notes.url if notes else DEFAULT_URL)
    names = {account.user: account.name for account in notes.accounts} if notes else {}
    if token is not None:
        return Target(address, token, None, None, names)
    account = _account(notes, email)
    if password is None and account is not None and address == (notes.url if notes else None):
        return Target(address, None, account.email, account.password, names)
    if email is None:
        raise NoNotes("say who you are at that server, with --token or --email")
    return Target(
        address, None, email, password or click.prompt("Password", hide_input=True, err=True), names
    )


def _account(notes: Notes | None, email: str | None) -> Account | None:
    """The account of that address, or the developer's where no address was given."""
    if notes is None or email is None:
        return notes.developer if notes else None
    return next((each for each in notes.accounts if each.email == email), None)
