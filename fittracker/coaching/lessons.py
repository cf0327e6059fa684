"""Everything about sessions beside who belongs to them: what happens in one place is heard in the others."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from redis.asyncio import Redis

from config.settings import Settings
from fittracker.announcer import Announcer
from fittracker.background import Background
from fittracker.clock import Clock
from fittracker.coaching.cues import Cues
from fittracker.coaching.invitations import Invitations
from fittracker.coaching.places import Places
from fittracker.coaching.results import Results
from fittracker.coaching.roster import Roster
from fittracker.coaching.sessions import Coaching
from fittracker.coaching.tally import Tally
from fittracker.coaching.voice import Voice
from fittracker.housekeeping import Duty
from fittracker.mongo import Database
from fittracker.notifications import Notifications
from fittracker.roomlog.log import RoomLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What it stands on."""

    settings: Settings
    database: Database
    redis: Redis
    coaching: Coaching
    tally: Tally
    room_log: RoomLog
    announcer: Announcer
    notifications: Notifications
    background: Background
    clock: Clock


@dataclass(frozen=True, slots=True)
class Lessons:
    """What handlers and commands may call of it, and what has to be done while nobody calls."""

    places: Places
    cues: Cues
    roster: Roster
    results: Results
    tally: Tally
    duties: tuple[Duty, ...]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work beside the requests until the block ends; what is counted is stored before it is summed up."""
        async with self.results.running(), self.tally.running():
            yield


def open_lessons(ground: Ground) -> Lessons:
    """Put it together. The order of who listens to the state of sessions is the order of what is told."""
    database, clock, coaching, settings = ground.database, ground.clock, ground.coaching, ground.settings
    voice = Voice(database, ground.announcer, clock)
    invitations = Invitations(ground.notifications, ground.background, clock)
    results = Results(
        database,
        coaching,
        ground.tally,
        ground.room_log,
        clock,
        hr_flush_s=settings.hr_flush_s,
    )
    coaching.entrance.when_entered(voice.entered)
    coaching.when_parted(voice.left)
    coaching.when_invited(invitations.invited)
    for listener in (voice.changed, coaching.close_room, results.changed, invitations.changed):
        coaching.life.when_changed(listener)
    return Lessons(
        places=Places(database, coaching),
        cues=Cues(database, ground.room_log, invitations, clock),
        roster=Roster(database, ground.redis, ground.tally, clock, stale_s=settings.hr_stale_s),
        results=results,
        tally=ground.tally,
        duties=(
            Duty("forgotten-sessions", 30.0, coaching.life.end_forgotten),
            Duty("session-summaries", 10.0, results.look_after),
            Duty("told-summaries", 3_600.0, results.expire),
        ),
    )
