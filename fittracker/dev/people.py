"""Who lives on a developer's machine: a developer, and for the demonstration a coach with her athletes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from config.settings import Settings
from fittracker.audit import Audit
from fittracker.auth.founding import Founding
from fittracker.auth.passwords import Passwords
from fittracker.blocks import Blocks
from fittracker.breaker import Breaker
from fittracker.caller import OPERATOR
from fittracker.clock import Clock
from fittracker.coaching.sessions import Coaching
from fittracker.control import Control
from fittracker.dev.notes import Account, Notes
from fittracker.grants import Grants
from fittracker.limits import Limits
from fittracker.mongo import Database, open_database
from fittracker.redis import open_redis

DOMAIN: Final = "example.org"


@dataclass(frozen=True, slots=True)
class Character:
    """Somebody to make."""

    key: str
    name: str
    role: str = "user"
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def email(self) -> str:
        """Their address; nobody's in the world outside."""
        return f"{self.key}@{DOMAIN}"


def _athlete(key: str, name: str, sex: str, born: str, kg: float, resting: int, highest: int) -> Character:
    profile = {"sex": sex, "birth_date": born, "weight_kg": kg, "resting_hr": resting, "max_hr": highest}
    return Character(key, name, profile=profile)


DEVELOPER: Final = Character(
    "developer",
    "Dev Eloper",
    profile={"sex": "female", "birth_date": "1990-05-17", "weight_kg": 64.0, "resting_hr": 56},
)
COACH: Final = Character("coach", "Carla Coach", role="trainer")
ATHLETES: Final = (
    _athlete("mira", "Mira Okafor", "female", "1994-02-11", 58.0, 52, 191),
    _athlete("jonas", "Jonas Lind", "male", "1987-09-30", 81.0, 58, 184),
    _athlete("sofia", "Sofia Marin", "female", "2001-06-04", 62.5, 61, 199),
    _athlete("tariq", "Tariq Haddad", "male", "1979-12-19", 77.0, 49, 176),
    _athlete("yuki", "Yuki Tanabe", "female", "1968-03-25", 55.0, 63, 168),
)


class People:
    """Makes them, or finds those of the last time again."""

    def __init__(self, database: Database, founding: Founding, grants: Grants, coaching: Coaching) -> None:
        self._users = database.users
        self._founding = founding
        self._grants = grants
        self._coaching = coaching

    async def settle(self, before: Notes | None, *, demo: bool) -> tuple[Account, list[Account], str | None]:
        """The developer, the people of the demonstration, and their live session."""
        known = {account.email: account for account in before.accounts} if before else {}
        developer = await self._account(DEVELOPER, known)
        if not demo:
            # Those of an earlier demonstration are still there, for the next one.
            return developer, before.people if before else [], before.session if before else None
        coach = await self._account(COACH, known)
        athletes = [await self._account(each, known) for each in ATHLETES]
        session = await self._session(coach, [developer, *athletes], before.session if before else None)
        return developer, [coach, *athletes], session

    async def _account(self, character: Character, known: dict[str, Account]) -> Account:
        """The account of the last time, where database and notes still agree; else a new password."""
        found = await self._users.find_one({"email": character.email}, {"_id": 1})
        account = known.get(character.email)
        if found is not None and account is not None and found["_id"] == account.user:
            return account
        password = secrets.token_urlsafe(15)
        if found is not None:
            user = str(found["_id"])
            await self._founding.replace_password(user, password)
        else:
            user = await self._founding.found(
                character.email, password, character.name, character.role, character.profile
            )
        return Account(user, character.email, password, character.name, character.role)

    async def _session(self, coach: Account, members: list[Account], before: str | None) -> str:
        """The session of the last time, if it is still going on; else a new one."""
        for member in members:
            if not await self._grants.allows(coach.user, member.user, "heart_rate"):
                await self._grants.give(member.user, coach.user, ["heart_rate", "workouts"], caller=OPERATOR)
        if before is not None and await self._coaching.belongs(before, members[0].user):
            return before
        session = await self._coaching.create(
            coach.user, title="Intervals, live", capacity=20, athletes=[member.user for member in members]
        )
        return str(session["_id"])


@asynccontextmanager
async def open_people(settings: Settings, clock: Clock) -> AsyncIterator[tuple[People, Database]]:
    """People, and the database they are in, without a server."""
    async with (
        open_database(settings.mongo_url, settings.mongo_database) as database,
        open_redis(settings.redis_url) as redis,
        Passwords.open(
            pepper=settings.password_pepper, cost=settings.bcrypt_cost, threads=settings.bcrypt_threads
        ) as passwords,
        Audit(database, clock).running() as audit,
    ):
        control = Control(redis)
        blocks = Blocks(database, control, audit, clock)
        grants = Grants(database, blocks, control, audit, clock)
        coaching = Coaching(database, grants, blocks, control, Limits(redis, Breaker(clock), clock), clock)
        yield People(database, Founding(database, passwords, audit, clock), grants, coaching), database
