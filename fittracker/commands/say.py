"""`fittracker say`: one message into a room."""

from __future__ import annotations

import asyncio

import click

from fittracker.commands.ending import told
from fittracker.commands.target import Target, target_options


@click.command("say")
@told
@target_options
@click.option("--session", help="Into the room of a coaching session, by its id.")
@click.option("--conversation", help="Into a conversation, by its id.")
@click.argument("text")
def command(target: Target, session: str | None, conversation: str | None, text: str) -> None:
    """Say TEXT to everybody in a room. It is stored, and has its place there, when this ends with 0.

    \b
    4, 5 and 6 as replay does.
    """
    if (session is None) == (conversation is None):
        raise click.UsageError("name a --session or a --conversation")
    room = f"session:{session}" if session is not None else f"chat:{conversation}"
    seq = asyncio.run(_say(target, room, text))
    click.echo(f"said in {room} as number {seq}")


async def _say(target: Target, room: str, text: str) -> int:
    async with target.client() as client:
        return int((await client.say(room, text))["seq"])
