"""`fittracker watch`: athletes live, in the terminal."""

from __future__ import annotations

import asyncio
import contextlib

import click
from rich.console import Console
from rich.live import Live

from fittracker.client import Client
from fittracker.commands.board import Board
from fittracker.commands.ending import stop, told
from fittracker.commands.target import Target, target_options

NOTHING_SEEN = 7
REFRESH_S = 0.25


@click.command("watch")
@told
@target_options
@click.option("--user", "users", multiple=True, help="An athlete's id; may be given again.")
@click.option("--session", "sessions", multiple=True, help="A coaching session's id; may be given again.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so long.")
def command(target: Target, users: tuple[str, ...], sessions: tuple[str, ...], seconds: float | None) -> None:
    """Show heart rates as they come: a table in a terminal, else lines. Yourself, if nobody is named.

    \b
    Ends with 0, also by Ctrl-C, or with 7 when --seconds went by without a heart rate;
    4, 5 and 6 as replay does.
    """
    try:
        board = asyncio.run(_watch(target, users, sessions, seconds))
    except KeyboardInterrupt:
        return
    if seconds is not None and not board.updates:
        raise stop("no heart rate came", NOTHING_SEEN)


async def _watch(
    target: Target, users: tuple[str, ...], sessions: tuple[str, ...], seconds: float | None
) -> Board:
    async with target.client() as client:
        names = dict(target.names)
        for session in sessions:
            await client.join(f"session:{session}")
            names |= {member.user: member.name for member in await client.members(f"session:{session}")}
        for user in users or (() if sessions else (client.user,)):
            await client.watch(user)
        board = Board(names)
        console = Console()
        show = _table if console.is_terminal else _lines
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await show(client, board, console)
    return board


async def _lines(client: Client, board: Board, _console: Console) -> None:
    async for event in client.events():
        line = board.take(event)
        if line is not None:
            click.echo(f"{event.at or '':<24} {line}".lstrip())


async def _table(client: Client, board: Board, console: Console) -> None:
    with Live(board.table(), console=console, auto_refresh=False) as live:

        async def refresh() -> None:
            while True:
                await asyncio.sleep(REFRESH_S)
                live.update(board.table(), refresh=True)

        refreshing = asyncio.create_task(refresh())
        try:
            async for event in client.events():
                board.take(event)
        finally:
            refreshing.cancel()
            await asyncio.gather(refreshing, return_exceptions=True)
            live.update(board.table(), refresh=True)
