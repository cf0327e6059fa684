"""What a person may do with all that is theirs: take it along, bring it in, and have it deleted."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from config.settings import Settings
from fittracker.administration import Doors
from fittracker.audit import Audit
from fittracker.auth.accounts import Accounts
from fittracker.clock import Clock
from fittracker.deletion import Deletion
from fittracker.erasure import Erasure, Farewell
from fittracker.housekeeping import Duty
from fittracker.job_files import JobFiles
from fittracker.jobs import Jobs
from fittracker.limits import Limits
from fittracker.mail import Mail
from fittracker.measurements import Measurements
from fittracker.mongo import Database
from fittracker.portability.exports import Exports
from fittracker.portability.imports import Imports
from fittracker.roomlog.record import Envelope
from fittracker.sealing import Seal
from fittracker.users import Users
from fittracker.workouts import Workouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What it stands on. `doors` are closed with an account, `farewells` said when it is deleted."""

    settings: Settings
    database: Database
    redis: Redis
    limits: Limits
    audit: Audit
    mail: Mail
    accounts: Accounts
    doors: Doors
    users: Users
    workouts: Workouts
    measurements: Measurements
    farewells: tuple[Farewell, ...]
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The belongings of all people, one person at a time."""

    exports: Exports
    imports: Imports
    deletion: Deletion
    erasure: Erasure

    @property
    def duties(self) -> tuple[Duty, ...]:
        """The jobs, done by whichever worker looks first."""
        return (
            Duty("exports", 1.0, self.exports.work),
            Duty("imports", 1.0, self.imports.work),
            Duty("erasure", 30.0, self.erasure.work),
        )


def open_ownership(ground: Ground) -> Ownership:
    """Put it together."""
    settings, database, audit, clock = ground.settings, ground.database, ground.audit, ground.clock
    jobs, files = Jobs(database, clock), JobFiles(database, clock)
    origin = settings.public_origin
    rooms = Envelope(Seal(settings.token_keys, "rooms"))
    accounts, doors, mail = ground.accounts, ground.doors, ground.mail
    deletion = Deletion(database, jobs, accounts, doors, mail, audit, clock, origin=origin)
    accounts.recovery.when_forgotten_while_deleting(deletion.remind)
    return Ownership(
        exports=Exports(
            database, jobs, files, ground.limits, audit, ground.mail, clock, rooms, origin=origin
        ),
        imports=Imports(
            database,
            jobs,
            files,
            ground.limits,
            audit,
            ground.users,
            ground.workouts,
            ground.measurements,
            clock,
            most_bytes=settings.import_bytes,
        ),
        deletion=deletion,
        erasure=Erasure(
            database,
            ground.redis,
            jobs,
            deletion,
            ground.accounts,
            ground.mail,
            Seal(settings.token_keys, "mail"),
            audit,
            clock,
            farewells=ground.farewells,
        ),
    )
