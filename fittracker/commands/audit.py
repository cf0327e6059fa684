"""`fittracker audit`: whether the audit log is what was written."""

from __future__ import annotations

import asyncio
import re

import click

from config.settings import Settings, load
from fittracker.audit import Audit
from fittracker.audit_chain import Fault, Head
from fittracker.audit_keeping import AuditKeeping
from fittracker.clock import Clock
from fittracker.commands.ending import NOT_INTACT, stop, told
from fittracker.mongo import open_database

_HEAD = re.compile(r"(\d{1,15}):([0-9a-f]{64})", re.ASCII)


class HeadText(click.ParamType[Head]):
    """A head as it stands in the logs."""

    name = "seq:hash"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Head:
        """As click wants it."""
        if isinstance(value, Head):
            return value
        found = _HEAD.fullmatch(str(value))
        if found is None:
            self.fail("must be a number, a colon and 64 hexadecimal digits, as logged", param, ctx)
        return Head(int(found[1]), found[2])


@click.group("audit")
def command() -> None:
    """Look after the audit log."""


@command.command("verify")
@told
@click.option(
    "--head", type=HeadText(), help="An `audit_head` from the logs: that entry must still be the same."
)
def verify(head: Head | None) -> None:
    """Follow the chain of all entries. The settings of the server must be in force.

    \b
    Prints the head, and ends with 7 where an entry was changed, removed or put in.
    """
    found = asyncio.run(_verify(load(), head))
    if isinstance(found, Fault):
        raise stop(f"the audit log is not intact: entry {found.seq} {found.why}", NOT_INTACT)
    click.echo(f"intact up to {found}")


async def _verify(settings: Settings, head: Head | None) -> Fault | Head:
    clock = Clock()
    async with open_database(settings.mongo_url, settings.mongo_database) as database:
        keeping = AuditKeeping(database, Audit(database, clock), clock, days=settings.audit_days)
        return await keeping.verify(head)
