"""Every context of one worker, opened together and closed in the reverse order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from config.settings import Settings
from fittracker.auth.authenticator import Authenticator
from fittracker.auth.device_tokens import DeviceTokens
from fittracker.auth.liveness import Liveness
from fittracker.auth.sessions import Sessions
from fittracker.auth.tickets import Tickets
from fittracker.auth.tokens import AccessTokens
from fittracker.breaker import Breaker
from fittracker.clock import Clock
from fittracker.coaching import Coaching
from fittracker.control import Control
from fittracker.grants import Grants
from fittracker.heart_series import HeartSeries
from fittracker.mongo import Database, open_database
from fittracker.redis import open_redis
from fittracker.users import Users
from fittracker.workouts import Workouts


@dataclass(slots=True, kw_only=True)
class Contexts:
    """What handlers and commands may call. One per worker, made in its loop."""

    settings: Settings
    clock: Clock
    database: Database
    redis: Redis
    control: Control
    authenticator: Authenticator
    sessions: Sessions
    device_tokens: DeviceTokens
    tickets: Tickets
    users: Users
    grants: Grants
    coaching: Coaching
    series: HeartSeries
    workouts: Workouts


@asynccontextmanager
async def open_contexts(settings: Settings, clock: Clock) -> AsyncIterator[Contexts]:
    """Connect to MongoDB and Redis and put everything together."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo_url, settings.mongo_database))
        redis = await stack.enter_async_context(open_redis(settings.redis_url))
        yield _assemble(settings, clock, database, redis)


def _assemble(settings: Settings, clock: Clock, database: Database, redis: Redis) -> Contexts:
    breaker = Breaker(clock)
    control = Control(redis)
    tokens = AccessTokens(
        settings.token_keys,
        clock,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        life_s=settings.access_token_s,
    )
    liveness = Liveness(database, redis, breaker, control, clock, life_s=settings.access_token_s)
    tickets = Tickets(redis, breaker, life_s=settings.ticket_s)
    sessions = Sessions(
        database,
        tokens,
        liveness,
        clock,
        keys=settings.token_keys,
        access_s=settings.access_token_s,
        refresh_s=settings.refresh_token_s,
    )
    grants = Grants(database, control, clock)
    series = HeartSeries(database)
    return Contexts(
        settings=settings,
        clock=clock,
        database=database,
        redis=redis,
        control=control,
        authenticator=Authenticator(tokens, tickets, liveness, clock),
        sessions=sessions,
        device_tokens=DeviceTokens(database, liveness, clock),
        tickets=tickets,
        users=Users(database, liveness, clock),
        grants=grants,
        coaching=Coaching(database, grants, control, clock),
        series=series,
        workouts=Workouts(database, clock, series, idle_s=settings.hr_idle_s),
    )
