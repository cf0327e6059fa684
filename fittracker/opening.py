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
from fittracker.blocks import Blocks
from fittracker.challenges.arena import Arena
from fittracker.challenges.arena import Ground as ArenaGround
from fittracker.chat.chat import Chat
from fittracker.chat.chat import Ground as ChatGround
from fittracker.chat.conversations import Conversations
from fittracker.chat.forum import Forum, Forums
from fittracker.chat.seats import Seats
from fittracker.clock import Clock
from fittracker.coaching.leaving import UNSAID, Leaving
from fittracker.coaching.lessons import Ground as LessonsGround
from fittracker.coaching.lessons import Lessons, open_lessons
from fittracker.coaching.sessions import Coaching
from fittracker.coaching.tally import Tally
from fittracker.connections import Connections
from fittracker.contexts import Contexts
from fittracker.denials import Denials
from fittracker.discretion import Discretion
from fittracker.follows import Follows
from fittracker.grants import Grants
from fittracker.ground import Ground, open_ground
from fittracker.heart_series import HeartSeries
from fittracker.housekeeping import Duty, Housekeeping
from fittracker.idempotency import Idempotency
from fittracker.informing import Informing
from fittracker.limits import Limits
from fittracker.measurements import Measurements
from fittracker.notifying import Ground as NotifyingGround
from fittracker.notifying import Notifying, open_notifying
from fittracker.ownership import Ground as OwnershipGround
from fittracker.ownership import open_ownership
from fittracker.people import People
from fittracker.people_search import PeopleSearch
from fittracker.reports import Reports
from fittracker.sealing import Seal
from fittracker.social.social import Ground as SocialGround
from fittracker.social.social import Social, open_social
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


# -- people among themselves ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Company:
    """Who sees what of whom, and how they hear of each other."""

    blocks: Blocks
    grants: Grants
    coaching: Coaching
    follows: Follows
    people: People
    notifying: Notifying
    informing: Informing


def _company(ground: Ground, limits: Limits) -> _Company:
    database, control, clock = ground.database, ground.control, ground.clock
    blocks = Blocks(database, control, ground.audit, clock)
    grants = Grants(database, blocks, control, ground.audit, clock)
    longest_s = ground.settings.session_longest_s
    coaching = Coaching(database, grants, blocks, control, limits, clock, longest_s=longest_s)
    notifying = _notifying(ground, blocks)
    informing = Informing(notifying.notifications)
    follows = Follows(database, blocks, control, ground.announcer, informing, clock)
    return _Company(
        blocks=blocks,
        grants=grants,
        coaching=coaching,
        follows=follows,
        people=People(database, grants, coaching, blocks, follows),
        notifying=notifying,
        informing=informing,
    )


def _notifying(ground: Ground, blocks: Blocks) -> Notifying:
    return open_notifying(
        NotifyingGround(
            settings=ground.settings,
            database=ground.database,
            redis=ground.redis,
            breaker=ground.breaker,
            room_log=ground.room_log,
            blocks=blocks,
            mail=ground.mail,
            clock=ground.clock,
        )
    )


def _social(ground: Ground, company: _Company) -> Social:
    return open_social(
        SocialGround(
            database=ground.database,
            people=company.people,
            follows=company.follows,
            blocks=company.blocks,
            control=ground.control,
            announcer=ground.announcer,
            informing=company.informing,
            clock=ground.clock,
        )
    )


def _arena(ground: Ground, company: _Company) -> Arena:
    return Arena(
        ArenaGround(
            database=ground.database,
            redis=ground.boards,
            people=company.people,
            follows=company.follows,
            blocks=company.blocks,
            control=ground.control,
            announcer=ground.announcer,
            informing=company.informing,
            room_log=ground.room_log,
            background=ground.background,
            clock=ground.clock,
        )
    )


def _lessons(ground: Ground, company: _Company, tally: Tally) -> Lessons:
    return open_lessons(
        LessonsGround(
            settings=ground.settings,
            database=ground.database,
            redis=ground.redis,
            coaching=company.coaching,
            tally=tally,
            room_log=ground.room_log,
            announcer=ground.announcer,
            notifications=company.notifying.notifications,
            background=ground.background,
            clock=ground.clock,
        )
    )


def _chat(
    ground: Ground, company: _Company, arena: Arena, seats: Seats, conversations: Conversations
) -> Chat:
    return Chat(
        ChatGround(
            database=ground.database,
            room_log=ground.room_log,
            forums=_forums(seats, conversations, company.coaching, arena),
            conversations=conversations,
            notifications=company.notifying.notifications,
            announcer=ground.announcer,
            control=ground.control,
            clock=ground.clock,
            unsaid=UNSAID,
            days=ground.settings.chat_days,
        )
    )


def _forums(seats: Seats, conversations: Conversations, coaching: Coaching, arena: Arena) -> Forums:
    """In which kinds of rooms people talk: who may read there, who may speak, who looks after it."""
    return Forums(
        {
            "chat": Forum(seats.belongs, seats.speaks, conversations.owns),
            "session": Forum(coaching.took_part, coaching.belongs, coaching.leads),
            "challenge": Forum(arena.looks, arena.membership.belongs, arena.challenges.owns),
        }
    )


# -- all of it -----------------------------------------------------------------------------------------


def _assemble(ground: Ground, identity: _Identity) -> Contexts:
    settings, clock, database = ground.settings, ground.clock, ground.database
    company = _company(ground, identity.limits)
    tally = Tally(database, clock)
    series = HeartSeries(database)
    measurements = Measurements(database, clock)
    users = Users(database, identity.liveness, measurements, ground.control, clock)
    workouts = Workouts(database, clock, series, idle_s=settings.hr_idle_s)
    arena = _arena(ground, company)
    workouts.when_made(arena.progress.made)
    social = _social(ground, company)
    seats = Seats(database)
    conversations = Conversations(database, company.people, identity.limits, clock)
    chat = _chat(ground, company, arena, seats, conversations)
    doors = Doors(
        identity.sessions, identity.device_tokens, identity.liveness, company.grants, company.coaching
    )
    leaving = Leaving(database, ground.room_log)
    owning = OwnershipGround(
        settings=settings,
        database=database,
        redis=ground.redis,
        limits=identity.limits,
        audit=ground.audit,
        mail=ground.mail,
        accounts=identity.accounts,
        doors=doors,
        users=users,
        workouts=workouts,
        measurements=measurements,
        farewells=(social.forget, arena.membership.forget, leaving.erase, chat.farewell.erase),
        clock=clock,
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
            contacts=(company.grants.tied, company.coaching.tied, seats.tied),
            followers=(company.follows.tied,),
        ),
        blocks=company.blocks,
        users=users,
        ownership=open_ownership(owning),
        measurements=measurements,
        avatars=Avatars(database, ground.sandbox, clock),
        reports=Reports(database, ground.audit, clock),
        room_log=ground.room_log,
        announcer=ground.announcer,
        notifying=company.notifying,
        notifications=company.notifying.notifications,
        push_subscriptions=company.notifying.subscriptions,
        grants=company.grants,
        coaching=company.coaching,
        session_tally=tally,
        lessons=_lessons(ground, company, tally),
        conversations=conversations,
        seats=seats,
        chat=chat,
        follows=company.follows,
        social=social,
        arena=arena,
        series=series,
        workouts=workouts,
    )
