"""People among themselves: who sees what of whom, and where they meet, put together for one worker."""

from __future__ import annotations

from dataclasses import dataclass

from fittracker.blocks import Blocks
from fittracker.challenges.arena import Arena
from fittracker.challenges.arena import Ground as ArenaGround
from fittracker.chat.chat import Chat
from fittracker.chat.chat import Ground as ChatGround
from fittracker.chat.conversations import Conversations
from fittracker.chat.forum import Forum, Forums
from fittracker.chat.seats import Seats
from fittracker.coaching.leaving import UNSAID
from fittracker.coaching.lessons import Ground as LessonsGround
from fittracker.coaching.lessons import Lessons, open_lessons
from fittracker.coaching.sessions import Coaching
from fittracker.coaching.tally import Tally
from fittracker.follows import Follows
from fittracker.grants import Grants
from fittracker.ground import Ground
from fittracker.informing import Informing
from fittracker.limits import Limits
from fittracker.notifying import Ground as NotifyingGround
from fittracker.notifying import Notifying, open_notifying
from fittracker.people import People
from fittracker.social.social import Ground as SocialGround
from fittracker.social.social import Social, open_social


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Who sees what of whom, and how they hear of each other."""

    blocks: Blocks
    grants: Grants
    coaching: Coaching
    follows: Follows
    people: People
    notifying: Notifying
    informing: Informing


def open_company(ground: Ground, limits: Limits) -> Company:
    """What decides who sees whom, put together."""
    database, control, clock = ground.database, ground.control, ground.clock
    blocks = Blocks(database, control, ground.audit, clock)
    grants = Grants(database, blocks, control, ground.audit, clock)
    longest_s = ground.settings.session_longest_s
    coaching = Coaching(database, grants, blocks, control, limits, clock, longest_s=longest_s)
    notifying = _notifying(ground, blocks)
    informing = Informing(notifying.notifications)
    follows = Follows(database, blocks, control, ground.announcer, informing, clock)
    return Company(
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


def _social(ground: Ground, company: Company) -> Social:
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


def _arena(ground: Ground, company: Company) -> Arena:
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


def _lessons(ground: Ground, company: Company, tally: Tally) -> Lessons:
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


def _chat(ground: Ground, company: Company, arena: Arena, seats: Seats, conversations: Conversations) -> Chat:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatherings:
    """Where people meet: posts, challenges, conversations, sessions."""

    social: Social
    arena: Arena
    seats: Seats
    conversations: Conversations
    chat: Chat
    tally: Tally
    lessons: Lessons


def open_gatherings(ground: Ground, company: Company, limits: Limits) -> Gatherings:
    """All places where people meet, put together; nothing runs yet."""
    arena = _arena(ground, company)
    seats = Seats(ground.database)
    conversations = Conversations(ground.database, company.people, limits, ground.clock)
    tally = Tally(ground.database, ground.clock)
    return Gatherings(
        social=_social(ground, company),
        arena=arena,
        seats=seats,
        conversations=conversations,
        chat=_chat(ground, company, arena, seats, conversations),
        tally=tally,
        lessons=_lessons(ground, company, tally),
    )
