"""A crowd for load tests: people, their sign-ins and tokens, as the contexts make them, but many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from config.settings import Settings
from fittracker.audit import Audit
from fittracker.auth.founding import Founding
from fittracker.auth.liveness import Liveness
from fittracker.auth.passwords import Passwords
from fittracker.auth.sessions import Sessions
from fittracker.auth.tokens import AccessTokens
from fittracker.blocks import Blocks
from fittracker.breaker import Breaker
from fittracker.clock import Clock
from fittracker.coaching.sessions import Coaching
from fittracker.control import Control
from fittracker.grants import Grants
from fittracker.limits import Limits
from fittracker.mongo import Database, Document, open_database
from fittracker.redis import open_redis

AT_ONCE: Final = 64
PROFILE: Final = {"sex": "female", "birth_date": "1990-01-01", "weight_kg": 65.0, "resting_hr": 55}


@dataclass(frozen=True, slots=True)
class Crowd:
    """An access token of each person, and the session they are in."""

    tokens: list[str]
    session: str | None


async def gather_crowd(settings: Settings, count: int, *, session: bool) -> Crowd:
    """Make the people and sign each of them in; with `session`, also a trainer whose session they are in.

    The tokens live as long as the server's own (`access_token_s`): it believes no others.
    """
    clock = Clock()
    async with (
        open_database(settings.mongo_url, settings.mongo_database) as database,
        open_redis(settings.redis_url) as redis,
        Passwords.open(pepper=settings.password_pepper, cost=settings.bcrypt_cost, threads=1) as passwords,
        Audit(database, clock).running() as audit,
    ):
        founding = Founding(database, passwords, audit, clock)
        control = Control(redis)
        liveness = Liveness(database, redis, Breaker(clock), control, clock, life_s=settings.access_token_s)
        people = await founding.found_crowd(count, "user", PROFILE)
        sessions = _sessions(settings, database, liveness, audit, clock)
        tokens = [token for group in _groups(people) for token in await _sign_in(sessions, group)]
        if not session:
            return Crowd(tokens, None)
        trainer, *_ = await founding.found_crowd(1, "trainer", PROFILE)
        blocks = Blocks(database, control, audit, clock)
        grants = Grants(database, blocks, control, audit, clock)
        coaching = Coaching(database, grants, blocks, control, Limits(redis, Breaker(clock), clock), clock)
        members = [person["_id"] for person in people]
        made = await coaching.store(trainer["_id"], "Load test", count, members, None, members)
        return Crowd(tokens, made["_id"])


def _sessions(
    settings: Settings, database: Database, liveness: Liveness, audit: Audit, clock: Clock
) -> Sessions:
    tokens = AccessTokens(
        settings.token_keys,
        clock,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        life_s=settings.access_token_s,
    )
    return Sessions(
        database,
        tokens,
        liveness,
        audit,
        clock,
        keys=settings.token_keys,
        access_s=settings.access_token_s,
        refresh_s=settings.refresh_token_s,
    )


async def _sign_in(sessions: Sessions, people: Sequence[Document]) -> list[str]:
    pairs = await asyncio.gather(
        *(sessions.begin(person, device="load test", address="127.0.0.1") for person in people)
    )
    return [pair.access_token for pair in pairs]


def _groups(people: list[Document]) -> Iterator[list[Document]]:
    for start in range(0, len(people), AT_ONCE):
        yield people[start : start + AT_ONCE]
