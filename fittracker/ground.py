"""What all contexts stand on: the two databases, time, and what runs beside the requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from config.settings import Settings
from fittracker.announcer import Announcer
from fittracker.audit import Audit
from fittracker.auth.passwords import Passwords
from fittracker.avatars import open_sandbox
from fittracker.background import Background
from fittracker.breaker import Breaker
from fittracker.clock import Clock
from fittracker.control import Control
from fittracker.mail import Mail
from fittracker.mongo import Database, open_database
from fittracker.redis import open_redis
from fittracker.roomlog.archive import Archive
from fittracker.roomlog.log import RoomLog
from fittracker.roomlog.record import Envelope
from fittracker.roomlog.window import Window
from fittracker.sandbox import Sandbox
from fittracker.sealing import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """All of it. `redis` answers with text, `boards` with bytes."""

    settings: Settings
    clock: Clock
    database: Database
    redis: Redis
    boards: Redis
    passwords: Passwords
    audit: Audit
    mail: Mail
    room_log: RoomLog
    announcer: Announcer
    background: Background
    sandbox: Sandbox
    breaker: Breaker
    control: Control


@asynccontextmanager
async def open_ground(settings: Settings, clock: Clock) -> AsyncIterator[Ground]:
    """Connect to MongoDB and Redis, and begin what runs; each thing stands on those before it."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo_url, settings.mongo_database))
        redis = await stack.enter_async_context(open_redis(settings.redis_url))
        boards = await stack.enter_async_context(open_redis(settings.redis_url, text=False))
        passwords = await stack.enter_async_context(
            Passwords.open(
                pepper=settings.password_pepper, cost=settings.bcrypt_cost, threads=settings.bcrypt_threads
            )
        )
        mail = Mail(settings, database, Seal(settings.token_keys, "mail"), clock)
        await stack.enter_async_context(mail.running())
        audit = Audit(database, clock)
        await stack.enter_async_context(audit.running())
        background = await stack.enter_async_context(Background())
        sandbox = await stack.enter_async_context(open_sandbox())
        room_log = await stack.enter_async_context(_open_room_log(settings, database, clock))
        announcer = Announcer(redis, clock)
        await stack.enter_async_context(announcer.running())
        yield Ground(
            settings=settings,
            clock=clock,
            database=database,
            redis=redis,
            boards=boards,
            passwords=passwords,
            audit=audit,
            mail=mail,
            room_log=room_log,
            announcer=announcer,
            background=background,
            sandbox=sandbox,
            breaker=Breaker(clock),
            control=Control(redis),
        )


@asynccontextmanager
async def _open_room_log(settings: Settings, database: Database, clock: Clock) -> AsyncIterator[RoomLog]:
    """What is said in rooms; its Redis client speaks bytes, for what rests there is sealed."""
    envelope = Envelope(Seal(settings.token_keys, "rooms"))
    async with open_redis(settings.redis_url, text=False) as redis:
        room_log = RoomLog(Window(redis, envelope), Archive(database, envelope), clock)
        async with room_log.running():
            yield room_log
