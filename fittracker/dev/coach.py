"""The coach of the demonstration: she watches her athletes and says what a coach would, while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from fittracker.client import Client, ClientError, HrUpdate
from fittracker.dev.notes import Account

HARD: Final = 5
EASY: Final = 2
PAUSE_S: Final = 8.0
"""So long she is silent after each remark: athletes have to breathe."""
AGAIN_S: Final = 60.0
"""So long nobody is spoken to twice."""


class Remarks:
    """What there is to say about how the athletes' zones change. `now` is any clock's seconds."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._zones: dict[str, int] = {}
        self._told: dict[str, float] = {}
        self._silent_until = 0.0

    def on(self, update: HrUpdate, now: float) -> tuple[str, str] | None:
        """The kind of cue and its text, where this heart rate calls for one."""
        before = self._zones.get(update.user)
        self._zones[update.user] = update.zone
        name = self._names.get(update.user)
        if name is None or before is None or now < self._silent_until:
            return None
        if now < self._told.get(update.user, now - AGAIN_S) + AGAIN_S:
            return None
        first = name.partition(" ")[0]
        if update.zone >= HARD > before:
            said = ("text", f"{first}, {update.bpm} bpm is zone 5: hold it, it is the last minute.")
        elif update.zone <= EASY < before:
            said = ("praise", f"Well recovered, {first}: {update.bpm} bpm.")
        else:
            return None
        self._told[update.user] = now
        self._silent_until = now + PAUSE_S
        return said


async def coach(url: str, trainer: Account, session: str, say: Callable[[str], None]) -> None:
    """Watch a session and give its cues, until cancelled."""
    room = f"session:{session}"
    try:
        async with Client(url, email=trainer.email, password=trainer.password) as client:
            await client.join(room)
            members = await client.members(room)
            remarks = Remarks({each.user: each.name for each in members})
            async for event in client.events():
                if isinstance(event.data, HrUpdate):
                    said = remarks.on(event.data, time.monotonic())
                    if said is not None:
                        await client.surely("session.cue", session=session, kind=said[0], text=said[1])
    except ClientError as error:
        say(f"{trainer.name} has stopped: {error}")
