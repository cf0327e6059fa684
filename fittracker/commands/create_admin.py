"""`fittracker create-admin`: the first person who may administer everybody."""

from __future__ import annotations

import asyncio
import sys

import click

from config.settings import Settings, load
from fittracker.audit import Audit
from fittracker.auth.founding import Founding
from fittracker.auth.passwords import Passwords
from fittracker.clock import Clock
from fittracker.commands.ending import told
from fittracker.mongo import open_database


@click.command("create-admin")
@told
@click.argument("email")
@click.option("--name", default="Administrator", show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, one line.")
def command(email: str, name: str, password_stdin: bool) -> None:
    """Make an account with the role admin, verified at once. The settings of the server must be in force.

    \b
    Ends with 4 where the address has an account, or the password would be guessed.
    """
    settings = load()  # before anybody types a password in vain
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    user = asyncio.run(_create(settings, email, password, name))
    click.echo(f"{email} is an administrator now, id {user}")


async def _create(settings: Settings, email: str, password: str, name: str) -> str:
    async with (
        open_database(settings.mongo_url, settings.mongo_database) as database,
        Passwords.open(pepper=settings.password_pepper, cost=settings.bcrypt_cost, threads=1) as passwords,
    ):
        clock = Clock()
        return await Founding(database, passwords, Audit(database, clock), clock).found(
            email, password, name, "admin"
        )
