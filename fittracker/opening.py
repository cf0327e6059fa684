"""The contexts of one worker: opened together, each handed what it needs, closed in the reverse order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from config.settings import Settings
from fittracker.administration import Administration, Doors
from fittracker.audit_keeping import AuditKeeping
from fittracker.audit_reading import AuditReading
from fittracker.auth.accounts import Accounts, open_accounts
from fittracker.auth.accounts import Ground as AccountsGround
from fittracker.auth.authenticator import Authenticator
from fittracker.auth.consoles import Consoles
from fittracker.auth.device_tokens import DeviceTokens
from fittracker.auth.liveness import Liveness
from fittracker.auth.lockout import Lockout
from fittracker.auth.sessions import Sessions
from fittracker.auth.tickets import Tickets
from fittracker.auth.tokens import AccessTokens
from fittracker.avatars import Avatars
from fittracker.clock import Clock
from fittracker.coaching.leaving import Leaving
from fittracker.company import Gatherings, open_company, open_gatherings
from fittracker.connections import Connections
from fittracker.contexts import Contexts
from fittracker.denials import Denials
from fittracker.discretion import Discretion
from fittracker.ground import Ground, open_ground
from fittracker.heart_series import HeartSeries
from fittracker.housekeeping import Duty, Housekeeping
from fittracker.idempotency import Idempotency
from fittracker.limits import Limits
from fittracker.measurements import Measurements
from fittracker.ownership import Ground as OwnershipGround
from fittracker.ownership import Ownership, open_ownership
from fittracker.people_search import PeopleSearch
from fittracker.reports import Reports
from fittracker.sealing import Seal
from fittracker.unsubscribing import Unsubscribing
from fittracker.users import Users
from fittracker.weekly import Weekly
from fittracker.workouts import Workouts


@asynccontextmanager
async def open_contexts(settings: Settings, clock: Clock) -> AsyncIterator[Contexts]:
    """Connect to MongoDB and Redis, put everything together, and begin what runs beside the requests."""
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(open_ground(settings, clock))
        identity = _identity(ground)
        contexts = _assemble(ground, identity)
        await stack.enter_async_context(contexts.notifying.running())
        await stack.enter_async_context(contexts.lessons.running())
        await contexts.people_search.index_names()
        await stack.enter_async_context(contexts.chat.activity.running())
        await stack.enter_async_context(contexts.social.running())
        await stack.enter_async_context(contexts.arena.running())
        await stack.enter_async_context(Housekeeping(_duties(contexts, identity.liveness)).running())
        yield contexts


def _duties(contexts: Contexts, liveness: Liveness) -> tuple[Duty, ...]:
    """What has to be done while nobody asks for it."""
    return (
        # Ends of sign-ins that Redis has not heard of yet.
        Duty("sign-ins", 1.0, liveness.settle_all),
        Duty("grants", 3.0, contexts.grants.end_expired),
        Duty("audit", 3_600.0, contexts.audit_keeping.look_after),
        Duty("notifications", 2.0, contexts.notifications.look_after),
        Duty("told-notifications", 3_600.0, contexts.notifications.expire),
        Duty("chat", 3_600.0, contexts.chat.keeping.look_after),
        Duty("weekly", 300.0, contexts.weekly.send_due),
        *contexts.lessons.duties,
        *contexts.ownership.duties,
        *contexts.social.duties,
        *contexts.arena.duties,
    )


# -- who somebody is -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Identity:
    """Accounts, sign-ins, tokens."""

    limits: Limits
    liveness: Liveness
    sessions: Sessions
    device_tokens: DeviceTokens
    tickets: Tickets
    authenticator: Authenticator
    accounts: Accounts


def _identity(ground: Ground) -> _Identity:
    settings, clock = ground.settings, ground.clock
    limits = Limits(ground.redis, ground.breaker, clock)
    tokens = AccessTokens(
        settings.token_keys,
        clock,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        life_s=settings.access_token_s,
    )
    liveness = Liveness(
        ground.database, ground.redis, ground.breaker, ground.control, clock, life_s=settings.access_token_s
    )
    sessions = Sessions(
        ground.database,
        tokens,
        liveness,
        ground.audit,
        clock,
        keys=settings.token_keys,
        access_s=settings.access_token_s,
        refresh_s=settings.refresh_token_s,
    )
    tickets = Tickets(ground.redis, ground.breaker, life_s=settings.ticket_s)
    return _Identity(
        limits=limits,
        liveness=liveness,
        sessions=sessions,
        device_tokens=DeviceTokens(ground.database, liveness, ground.audit, clock),
        tickets=tickets,
        authenticator=Authenticator(tokens, tickets, liveness, clock),
        accounts=_accounts(ground, sessions, limits),
    )


def _accounts(ground: Ground, sessions: Sessions, limits: Limits) -> Accounts:
    return open_accounts(
        AccountsGround(
            database=ground.database,
            passwords=ground.passwords,
            sessions=sessions,
            lockout=Lockout(ground.redis, ground.breaker, ground.clock),
            limits=limits,
            mail=ground.mail,
            seal=Seal(ground.settings.token_keys, "totp"),
            audit=ground.audit,
            background=ground.background,
            clock=ground.clock,
            origin=ground.settings.public_origin,
        )
    )


# -- what people record, and that it is theirs -----------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    """What somebody is, measures and does."""

    users: Users
    measurements: Measurements
    series: HeartSeries
    workouts: Workouts


def _records(ground: Ground, identity: _Identity) -> _Records:
    database, clock = ground.database, ground.clock
    measurements = Measurements(database, clock)
    series = HeartSeries(database)
    return _Records(
        users=Users(database, identity.liveness, measurements, ground.control, clock),
        measurements=measurements,
        series=series,
        workouts=Workouts(database, clock, series, idle_s=ground.settings.hr_idle_s),
    )


def _ownership(
    ground: Ground, identity: _Identity, records: _Records, gatherings: Gatherings, doors: Doors
) -> Ownership:
    leaving = Leaving(ground.database, ground.room_log)
    return open_ownership(
        OwnershipGround(
            settings=ground.settings,
            database=ground.database,
            redis=ground.redis,
            limits=identity.limits,
            audit=ground.audit,
            mail=ground.mail,
            accounts=identity.accounts,
            doors=doors,
            users=records.users,
            workouts=records.workouts,
            measurements=records.measurements,
            farewells=(
                gatherings.social.forget,
                gatherings.arena.membership.forget,
                leaving.erase,
                gatherings.chat.farewell.erase,
            ),
            clock=ground.clock,
        )
    )


# -- all of it -----------------------------------------------------------------------------------------


def _assemble(ground: Ground, identity: _Identity) -> Contexts:
    settings, clock, database = ground.settings, ground.clock, ground.database
    company = open_company(ground, identity.limits)
    records = _records(ground, identity)
    gatherings = open_gatherings(ground, company, identity.limits)
    records.workouts.when_made(gatherings.arena.progress.made)
    doors = Doors(
        identity.sessions, identity.device_tokens, identity.liveness, company.grants, company.coaching
    )
    return Contexts(
        settings=settings,
        clock=clock,
        database=database,
        redis=ground.redis,
        control=ground.control,
        background=ground.background,
        limits=identity.limits,
        idempotency=Idempotency(database, Seal(settings.token_keys, "idempotency"), clock),
        audit=ground.audit,
        audit_keeping=AuditKeeping(database, ground.audit, clock, days=settings.audit_days),
        audit_reading=AuditReading(database),
        denials=Denials(ground.audit, clock),
        administration=Administration(database, doors, ground.audit, clock),
        connections=Connections(ground.redis, ground.control, ground.audit),
        mail=ground.mail,
        unsubscribing=Unsubscribing(database, origin=settings.public_origin),
        weekly=Weekly(database, ground.mail, clock, origin=settings.public_origin),
        authenticator=identity.authenticator,
        accounts=identity.accounts,
        sessions=identity.sessions,
        device_tokens=identity.device_tokens,
        tickets=identity.tickets,
        consoles=Consoles(ground.redis, ground.breaker, idle_s=settings.console_idle_s),
        people=company.people,
        people_search=PeopleSearch(database, company.blocks),
        discretion=Discretion(
            database,
            company.blocks,
            contacts=(company.grants.tied, company.coaching.tied, gatherings.seats.tied),
            followers=(company.follows.tied,),
        ),
        blocks=company.blocks,
        users=records.users,
        ownership=_ownership(ground, identity, records, gatherings, doors),
        measurements=records.measurements,
        avatars=Avatars(database, ground.sandbox, clock),
        reports=Reports(database, ground.audit, clock),
        room_log=ground.room_log,
        announcer=ground.announcer,
        notifying=company.notifying,
        notifications=company.notifying.notifications,
        push_subscriptions=company.notifying.subscriptions,
        grants=company.grants,
        coaching=company.coaching,
        session_tally=gatherings.tally,
        lessons=gatherings.lessons,
        conversations=gatherings.conversations,
        seats=gatherings.seats,
        chat=gatherings.chat,
        follows=company.follows,
        social=gatherings.social,
        arena=gatherings.arena,
        series=records.series,
        workouts=records.workouts,
    )
