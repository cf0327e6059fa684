"""The demonstration: athletes who train as long as the server runs, each a wearable of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from fittracker.client import Client, ClientError, Device, Sample
from fittracker.demo import WORKOUT, Body, Heart, Second
from fittracker.dev.notes import Account
from fittracker.dev.people import ATHLETES

STRAP: Final = Device("Demo strap", "chest strap")
SPORT: Final = "running"
PAUSE_S: Final = 10.0
BODIES: Final = {each.email: Body(each.profile["resting_hr"], each.profile["max_hr"]) for each in ATHLETES}


async def train(url: str, athlete: Account, session: str, place: int, say: Callable[[str], None]) -> None:
    """Stream one athlete, workout after workout, until cancelled.

    `place` counts the athletes: each is somewhere else in the workout when the demonstration begins.
    """
    heart = Heart(BODIES[athlete.email], seed=place)
    length = sum(int(seconds) for _, seconds in WORKOUT)
    ahead = place * length // (len(ATHLETES) + 1)
    try:
        async with Client(url, email=athlete.email, password=athlete.password) as client:
            while True:
                await _workout(client, session, islice(heart.workout(), ahead, None))
                ahead = 0
                await asyncio.sleep(PAUSE_S)
    except ClientError as error:
        say(f"{athlete.name} has stopped: {error}")


async def _workout(client: Client, session: str, seconds: Iterator[Second]) -> None:
    """One workout in real time."""
    async with await client.open_stream(sport=SPORT, session=session, device=STRAP) as stream:
        began = time.monotonic()
        for place, second in enumerate(seconds):
            # By the clock and not by a pause of a second, which would fall behind.
            await asyncio.sleep(max(began + place - time.monotonic(), 0))
            await stream.push([Sample(time.time_ns() // 1_000_000, second.bpm, second.rr, True)])
