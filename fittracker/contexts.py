"""What handlers and commands may call: every context of one worker. `fittracker/opening.py` opens them."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from config.settings import Settings
from fittracker.administration import Administration
from fittracker.announcer import Announcer
from fittracker.audit import Audit
from fittracker.audit_keeping import AuditKeeping
from fittracker.audit_reading import AuditReading
from fittracker.auth.accounts import Accounts
from fittracker.auth.authenticator import Authenticator
from fittracker.auth.consoles import Consoles
from fittracker.auth.device_tokens import DeviceTokens
from fittracker.auth.sessions import Sessions
from fittracker.auth.tickets import Tickets
from fittracker.avatars import Avatars
from fittracker.background import Background
from fittracker.blocks import Blocks
from fittracker.challenges.arena import Arena
from fittracker.chat.chat import Chat
from fittracker.chat.conversations import Conversations
from fittracker.chat.seats import Seats
from fittracker.clock import Clock
from fittracker.coaching.lessons import Lessons
from fittracker.coaching.sessions import Coaching
from fittracker.coaching.tally import Tally
from fittracker.connections import Connections
from fittracker.control import Control
from fittracker.denials import Denials
from fittracker.discretion import Discretion
from fittracker.follows import Follows
from fittracker.grants import Grants
from fittracker.heart_series import HeartSeries
from fittracker.idempotency import Idempotency
from fittracker.limits import Limits
from fittracker.mail import Mail
from fittracker.measurements import Measurements
from fittracker.mongo import Database
from fittracker.notifications import Notifications
from fittracker.notifying import Notifying
from fittracker.ownership import Ownership
from fittracker.people import People
from fittracker.people_search import PeopleSearch
from fittracker.push.subscriptions import Subscriptions
from fittracker.reports import Reports
from fittracker.roomlog.log import RoomLog
from fittracker.social.social import Social
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
