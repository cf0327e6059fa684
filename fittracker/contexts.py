"""Every context of one worker, opened together and closed in the reverse order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from config.settings import Settings
from fittracker.administration import Administration, Doors
from fittracker.announcer import Announcer
from fittracker.audit import Audit
from fittracker.audit_keeping import AuditKeeping
from fittracker.audit_reading import AuditReading
from fittracker.auth.accounts import Accounts, open_accounts
from fittracker.auth.accounts import Ground as AccountsGround
from fittracker.auth.authenticator import Authenticator
from fittracker.auth.consoles import Consoles
from fittracker.auth.device_tokens import DeviceTokens
from fittracker.auth.liveness import Liveness
from fittracker.auth.lockout import Lockout
from fittracker.auth.passwords import Passwords
from fittracker.auth.sessions import Sessions
from fittracker.auth.tickets import Tickets
from fittracker.auth.tokens import AccessTokens
from fittracker.avatars import Avatars, open_sandbox
from fittracker.background import Background
from fittracker.blocks import Blocks
from fittracker.breaker import Breaker
from fittracker.challenges.arena import Arena
from fittracker.challenges.arena import Ground as ArenaGround
from fittracker.chat.chat import Chat
from fittracker.chat.chat import Ground as ChatGround
from fittracker.chat.conversations import Conversations
from fittracker.chat.forum import Forum, Forums
from fittracker.chat.seats import Seats
from fittracker.clock import Clock
from fittracker.coaching.lessons import Ground as LessonsGround
from fittracker.coaching.lessons import Lessons, open_lessons
from fittracker.coaching.sessions import Coaching
from fittracker.coaching.tally import Tally
from fittracker.connections import Connections
from fittracker.control import Control
from fittracker.denials import Denials
from fittracker.discretion import Discretion
from fittracker.follows import Follows
from fittracker.grants import Grants
from fittracker.heart_series import HeartSeries
from fittracker.housekeeping import Duty, Housekeeping
from fittracker.idempotency import Idempotency
from fittracker.informing import Informing
from fittracker.limits import Limits
from fittracker.mail import Mail
from fittracker.measurements import Measurements
from fittracker.mongo import Database, open_database
from fittracker.notifications import Notifications
from fittracker.notifying import Ground as NotifyingGround
from fittracker.notifying import Notifying, open_notifying
from fittracker.ownership import Ground as OwnershipGround
from fittracker.ownership import Ownership, open_ownership
from fittracker.people import People
from fittracker.people_search import PeopleSearch
from fittracker.push.subscriptions import Subscriptions
from fittracker.redis import open_redis
from fittracker.reports import Reports
from fittracker.roomlog.archive import Archive
from fittracker.roomlog.log import RoomLog
from fittracker.roomlog.record import Envelope
from fittracker.roomlog.window import Window
from fittracker.sandbox import Sandbox
from fittracker.sealing import Seal
from fittracker.social.social import Ground as SocialGround
from fittracker.social.social import Social, open_social
from fittracker.unsubscribing import Unsubscribing
from fittracker.users import Users
from fittracker.weekly import Weekly
from fittracker.workouts import Workouts


@dataclass(slots=True, kw_only=True)
class Contexts:
    """What handlers and commands may call. One per worker, made in its loop."""

    settings: Settings
    clock: Clock
    database: Database
    redis: Redis
    control: Control
    background: Background
    limits: Limits
    idempotency: Idempotency
    audit: Audit
    audit_keeping: AuditKeeping
    audit_reading: AuditReading
    denials: Denials
    administration: Administration
    connections: Connections
    mail: Mail
    unsubscribing: Unsubscribing
    weekly: Weekly
    authenticator: Authenticator
    accounts: Accounts
    sessions: Sessions
    device_tokens: DeviceTokens
    tickets: Tickets
    consoles: Consoles
    users: Users
    people: People
    people_search: PeopleSearch
    discretion: Discretion
    blocks: Blocks
    ownership: Ownership
    measurements: Measurements
    avatars: Avatars
    reports: Reports
    room_log: RoomLog
    announcer: Announcer
    notifying: Notifying
    notifications: Notifications
    push_subscriptions: Subscriptions
    grants: Grants
    coaching: Coaching
    session_tally: Tally
    lessons: Lessons
    conversations: Conversations
    seats: Seats
    chat: Chat
    follows: Follows
    social: Social
    arena: Arena
    series: HeartSeries
    workouts: Workouts


@asynccontextmanager
async def open_contexts(settings: Settings, clock: Clock) -> AsyncIterator[Contexts]:
    """Connect to MongoDB and Redis, put everything together, and begin what runs beside the requests."""
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
        ground = _Ground(
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
        liveness = ground.liveness()
        contexts = _assemble(ground, liveness)
        await stack.enter_async_context(contexts.notifying.running())
        await stack.enter_async_context(contexts.lessons.running())
        await contexts.people_search.index_names()
        await stack.enter_async_context(contexts.chat.activity.running())
        await stack.enter_async_context(contexts.social.running())
        await stack.enter_async_context(contexts.arena.running())
        await stack.enter_async_context(Housekeeping(_duties(contexts, liveness)).running())
        yield contexts


@asynccontextmanager
async def _open_room_log(settings: Settings, database: Database, clock: Clock) -> AsyncIterator[RoomLog]:
    """What is said in rooms; its Redis client speaks bytes, for what rests there is sealed."""
    envelope = Envelope(Seal(settings.token_keys, "rooms"))
    async with open_redis(settings.redis_url, text=False) as redis:
        room_log = RoomLog(Window(redis, envelope), Archive(database, envelope), clock)
        async with room_log.running():
            yield room_log


def _duties(contexts: Contexts, liveness: Liveness) -> tuple[Duty, ...]:
    """What has to be done while nobody asks for it."""
    return (
        # Ends of sign-ins that Redis has not heard of yet.
        Duty("sign-ins", 1.0, liveness.settle_all),
        Duty("grants", 3.0, contexts.grants.end_expired),
        Duty("audit", 3_600.0, contexts.audit_keeping.look_after),
        Duty("notifications", 2.0, contexts.notifications.look_after),
        Duty("chat", 3_600.0, contexts.chat.keeping.look_after),
        Duty("weekly", 300.0, contexts.weekly.send_due),
        *contexts.lessons.duties,
        *contexts.ownership.duties,
        *contexts.social.duties,
        *contexts.arena.duties,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What the contexts stand on."""

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

    def tokens(self) -> AccessTokens:
        settings = self.settings
        return AccessTokens(
            settings.token_keys,
            self.clock,
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            life_s=settings.access_token_s,
        )

    def liveness(self) -> Liveness:
        return Liveness(
            self.database,
            self.redis,
            self.breaker,
            self.control,
            self.clock,
            life_s=self.settings.access_token_s,
        )

    def sessions(self, tokens: AccessTokens, liveness: Liveness) -> Sessions:
        return Sessions(
            self.database,
            tokens,
            liveness,
            self.audit,
            self.clock,
            keys=self.settings.token_keys,
            access_s=self.settings.access_token_s,
            refresh_s=self.settings.refresh_token_s,
        )

    def lessons(self, coaching: Coaching, tally: Tally, notifications: Notifications) -> Lessons:
        ground = LessonsGround(
            settings=self.settings,
            database=self.database,
            redis=self.redis,
            coaching=coaching,
            tally=tally,
            room_log=self.room_log,
            announcer=self.announcer,
            notifications=notifications,
            background=self.background,
            clock=self.clock,
        )
        return open_lessons(ground)

    def notifying(self, blocks: Blocks) -> Notifying:
        return open_notifying(
            NotifyingGround(
                settings=self.settings,
                database=self.database,
                redis=self.redis,
                breaker=self.breaker,
                room_log=self.room_log,
                blocks=blocks,
                mail=self.mail,
                clock=self.clock,
            )
        )

    def chat(
        self,
        seats: Seats,
        conversations: Conversations,
        coaching: Coaching,
        arena: Arena,
        notifications: Notifications,
    ) -> Chat:
        ground = ChatGround(
            database=self.database,
            room_log=self.room_log,
            forums=_forums(seats, conversations, coaching, arena),
            conversations=conversations,
            notifications=notifications,
            announcer=self.announcer,
            control=self.control,
            clock=self.clock,
            days=self.settings.chat_days,
        )
        return Chat(ground)

    def accounts(self, sessions: Sessions, limits: Limits) -> Accounts:
        ground = AccountsGround(
            database=self.database,
            passwords=self.passwords,
            sessions=sessions,
            lockout=Lockout(self.redis, self.breaker, self.clock),
            limits=limits,
            mail=self.mail,
            seal=Seal(self.settings.token_keys, "totp"),
            audit=self.audit,
            background=self.background,
            clock=self.clock,
            origin=self.settings.public_origin,
        )
        return open_accounts(ground)


def _assemble(ground: _Ground, liveness: Liveness) -> Contexts:
    settings, clock, database, redis = ground.settings, ground.clock, ground.database, ground.redis
    tokens = ground.tokens()
    limits = Limits(redis, ground.breaker, clock)
    tickets = Tickets(redis, ground.breaker, life_s=settings.ticket_s)
    sessions = ground.sessions(tokens, liveness)
    blocks = Blocks(database, ground.control, ground.audit, clock)
    grants = Grants(database, blocks, ground.control, ground.audit, clock)
    coaching = Coaching(database, grants, blocks, ground.control, clock, longest_s=settings.session_longest_s)
    tally = Tally(database, clock)
    series = HeartSeries(database)
    measurements = Measurements(database, clock)
    notifying = ground.notifying(blocks)
    informing = Informing(notifying.notifications)
    follows = Follows(database, blocks, ground.control, ground.announcer, informing, clock)
    people = People(database, grants, coaching, blocks, follows)
    social = open_social(
        SocialGround(
            database=database,
            people=people,
            follows=follows,
            blocks=blocks,
            control=ground.control,
            announcer=ground.announcer,
            informing=informing,
            clock=clock,
        )
    )
    device_tokens = DeviceTokens(database, liveness, ground.audit, clock)
    doors = Doors(sessions, device_tokens, liveness, grants, coaching)
    accounts = ground.accounts(sessions, limits)
    seats = Seats(database)
    users = Users(database, liveness, measurements, ground.control, clock)
    workouts = Workouts(database, clock, series, idle_s=settings.hr_idle_s)
    arena = Arena(
        ArenaGround(
            database=database,
            redis=ground.boards,
            people=people,
            follows=follows,
            blocks=blocks,
            control=ground.control,
            announcer=ground.announcer,
            informing=informing,
            room_log=ground.room_log,
            background=ground.background,
            clock=clock,
        )
    )
    workouts.when_made(arena.progress.made)
    conversations = Conversations(database, people, limits, clock)
    chat = ground.chat(seats, conversations, coaching, arena, notifying.notifications)
    owning = OwnershipGround(
        settings=settings,
        database=database,
        redis=redis,
        limits=limits,
        audit=ground.audit,
        mail=ground.mail,
        accounts=accounts,
        doors=doors,
        users=users,
        workouts=workouts,
        measurements=measurements,
        farewells=(social.forget, arena.membership.forget, chat.farewell.erase),
        clock=clock,
    )
    return Contexts(
        settings=settings,
        clock=clock,
        database=database,
        redis=redis,
        control=ground.control,
        background=ground.background,
        limits=limits,
        idempotency=Idempotency(database, Seal(settings.token_keys, "idempotency"), clock),
        audit=ground.audit,
        audit_keeping=AuditKeeping(database, ground.audit, clock, days=settings.audit_days),
        audit_reading=AuditReading(database),
        denials=Denials(ground.audit, clock),
        administration=Administration(database, doors, ground.audit, clock),
        connections=Connections(redis, ground.control, ground.audit),
        mail=ground.mail,
        unsubscribing=Unsubscribing(database, origin=settings.public_origin),
        weekly=Weekly(database, ground.mail, clock, origin=settings.public_origin),
        authenticator=Authenticator(tokens, tickets, liveness, clock),
        accounts=accounts,
        sessions=sessions,
        device_tokens=device_tokens,
        tickets=tickets,
        consoles=Consoles(redis, ground.breaker, idle_s=settings.console_idle_s),
        people=people,
        people_search=PeopleSearch(database, blocks),
        discretion=Discretion(
            database,
            blocks,
            contacts=(grants.tied, coaching.tied, seats.tied),
            followers=(follows.tied,),
        ),
        blocks=blocks,
        users=users,
        ownership=open_ownership(owning),
        measurements=measurements,
        avatars=Avatars(database, ground.sandbox, clock),
        reports=Reports(database, ground.audit, clock),
        room_log=ground.room_log,
        announcer=ground.announcer,
        notifying=notifying,
        notifications=notifying.notifications,
        push_subscriptions=notifying.subscriptions,
        grants=grants,
        coaching=coaching,
        session_tally=tally,
        lessons=ground.lessons(coaching, tally, notifying.notifications),
        conversations=conversations,
        seats=seats,
        chat=chat,
        follows=follows,
        social=social,
        arena=arena,
        series=series,
        workouts=workouts,
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
