"""`fittracker rotate-keys`: seal everything anew with the first of TOKEN_KEYS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import click

from config.settings import Settings, load
from fittracker.clock import Clock
from fittracker.commands.ending import NOT_INTACT, stop, told
from fittracker.mongo import open_database
from fittracker.redis import open_redis
from fittracker.roomlog.archive import Archive
from fittracker.roomlog.log import RoomLog
from fittracker.roomlog.record import Envelope
from fittracker.roomlog.shedding import Shedding
from fittracker.roomlog.window import Window
from fittracker.rotation import Count, Rotation
from fittracker.sealing import Seal


@click.command("rotate-keys")
@told
def command() -> None:
    """Seal everything anew with the first of TOKEN_KEYS. The settings of the server must be in force.

    \b
    The workers may go on, but all of them must have been started with these keys. It may be interrupted and
    run again. Ends with 7 where something could not be sealed anew: then keep the older keys.
    """
    done = asyncio.run(_all(load()))
    if any(each.left for each in done):
        raise stop("not everything has the first key; run it again, and keep the older keys", NOT_INTACT)
    click.echo("everything has the first key; the older ones can be removed")


async def _all(settings: Settings) -> list[Count]:
    done = []
    async for each in rotate_keys(settings):
        line = f"{each.name:<26}{each.renewed:>9,} renewed"
        if each.unreadable:
            line += f", {each.unreadable:,} unreadable"
        if each.left:
            line += f", {each.left:,} left"
        click.echo(line)
        done.append(each)
    return done


async def rotate_keys(settings: Settings) -> AsyncIterator[Count]:
    """Do it; what was counted, place by place."""
    envelope = Envelope(Seal(settings.token_keys, "rooms"))
    async with (
        open_database(settings.mongo_url, settings.mongo_database) as database,
        open_redis(settings.redis_url, text=False) as redis,
    ):
        window = Window(redis, envelope)
        log = RoomLog(window, Archive(database, envelope), Clock())
        rotation = Rotation(database, settings.token_keys, log, Shedding(redis, window, envelope))
        async for each in rotation.rotate():
            yield each
