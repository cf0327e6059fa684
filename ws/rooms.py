"""Rooms: who may be in which, joining, leaving, and who is there."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from fittracker.errors import Invalid, NotFound
from fittracker.observability import logger
from fittracker.policy import SIGNED_IN
from fittracker.redis import OUTAGES
from fittracker.roomlog.record import Place
from ws.commands import NOTHING, Nothing, command
from ws.connection import Connection
from ws.events import EventType
from ws.frames import Encoding
from ws.presence import Member
from ws.readers import Entered, Gap
from ws.realtime import Realtime
from ws.room_kinds import RoomKind
from ws.sender import user_of

log = logger(__name__)

SAMPLES_AN_EVENT: Final = 5
"""So much of what a socket may push counts an event that it recovers: 4,000 in 10 s, as it is by default."""
MOST_MEMBERS: Final = 100
"""So many members a result lists; joining a larger room tells only their count."""

RoomName = Annotated[str, Meta(min_length=3, max_length=80)]


class Since(msgspec.Struct, forbid_unknown_fields=True):
    """Where a client stopped reading a room."""

    epoch: str
    seq: Annotated[int, Meta(ge=0)]


class RoomJoin(msgspec.Struct, forbid_unknown_fields=True):
    """The room, and from where to go on."""

    room: RoomName
    since: Since | None = None


class RoomJoined(msgspec.Struct):
    """`epoch` and `seq` of the newest durable event; `recovered`: nothing since `since` is missing.

    `count` is null while nobody can tell who is there.
    """

    room: str
    epoch: str | None
    seq: int
    recovered: bool
    events: list[Any]
    members: list[Member]
    count: int | None


class Room(msgspec.Struct, forbid_unknown_fields=True):
    """A room by name."""

    room: RoomName


class Members(msgspec.Struct):
    """The first 100 members by name, and how many there are."""

    members: list[Member]
    count: int


async def _session(realtime: Realtime, user: str, subject: str) -> bool:
    return await realtime.contexts.coaching.belongs(subject, user)


async def _enter_session(realtime: Realtime, user: str, subject: str) -> bool:
    """An athlete who goes in agrees to be seen in that session."""
    return await realtime.contexts.coaching.enter(subject, user)


async def _heart(realtime: Realtime, user: str, subject: str) -> bool:
    return await realtime.may_watch(user, subject)


async def _own(_realtime: Realtime, user: str, subject: str) -> bool:
    return user == subject


ROOMS: Final = (
    RoomKind("session", look=_session, enter=_enter_session, logged=True),
    RoomKind("heart", look=_heart, meeting=False),
    RoomKind("user", look=_own, logged=True, meeting=False),
)
EVENTS: Final = (EventType("room.gap", Gap, ("*",)),)
NO_LOG: Final = Entered(None, False, [])
Present = tuple[list[Member], int | None]
"""The members that are listed, and how many there are."""


async def check(realtime: Realtime, connection: Connection, room: str, *, entering: bool = False) -> None:
    """NotFound unless this person may be in the room now; Invalid for what is no room's name."""
    who = user_of(connection)
    kind, subject = _kind(realtime, room)
    allowed = kind.door if entering else kind.look
    if not await allowed(realtime, who, subject):
        raise NotFound("There is no such room.")


def _kind(realtime: Realtime, room: str) -> tuple[RoomKind, str]:
    """The kind of a room, and what stands behind the colon of its name."""
    name, _, subject = room.partition(":")
    kinds = realtime.registry.rooms
    kind = kinds.get(name)
    if kind is None or not subject:
        known = ", ".join(kinds)
        raise Invalid("There is no such kind of room.", fields={"room": f"must be one of {known}"})
    return kind, subject


@command("room.join", RoomJoin, RoomJoined, policy=SIGNED_IN)
async def join(realtime: Realtime, connection: Connection, data: RoomJoin) -> RoomJoined:
    """Enter a room: what is said there reaches this socket from now on."""
    checking = partial(check, realtime, connection, data.room, entering=True)
    entered, (present, count) = await realtime.enter(
        connection, data.room, checking, partial(_go_in, realtime, connection, data)
    )
    place = entered.place
    return RoomJoined(
        data.room,
        place.epoch if place else None,
        place.seq if place else 0,
        entered.recovered,
        _readable(connection, entered.events),
        present,
        count,
    )


async def _seen(realtime: Realtime, connection: Connection, room: str) -> list[Member]:
    """Who is in the room, as far as this person sees them there."""
    if not _kind(realtime, room)[0].listed:
        return []
    present = await realtime.presence.members(room)
    others = {each.user for each in present}
    hidden = await realtime.contexts.discretion.hidden(user_of(connection), others, room.partition(":")[0])
    return [each for each in present if each.user not in hidden]


def _readable(connection: Connection, events: list[msgspec.Raw]) -> list[Any]:
    """Events are kept as JSON; the other encoding needs what they say."""
    if connection.encoding is Encoding.JSON:
        return list(events)
    return [msgspec.json.decode(each) for each in events]


async def _go_in(realtime: Realtime, connection: Connection, data: RoomJoin) -> tuple[Entered, Present]:
    """Put the socket into the room; from which place on it hears what is said there, and who is there.

    First listen, then look: whoever arrives in between is seen twice rather than never.
    """
    look = partial(_look_around, realtime, connection, data.room)
    if _kind(realtime, data.room)[0].logged:
        since = Place(data.since.epoch, data.since.seq) if data.since else None
        entered, present = await realtime.readers.enter(connection, data.room, since, look)
        # A long recovery is as dear as thousands of samples: one must not get it for the price of a command.
        connection.spend(realtime.wheel.now, 0, SAMPLES_AN_EVENT * len(entered.events))
        return entered, present
    await realtime.join(connection, data.room)
    return NO_LOG, await look()


async def _look_around(realtime: Realtime, connection: Connection, room: str) -> Present:
    """Two thousand people who join at once must not each be sent the other 1,999.

    Who is there can be asked for later; that it cannot be told now keeps nobody out.
    """
    try:
        count = await realtime.presence.count(room)
        present = await _seen(realtime, connection, room) if count <= MOST_MEMBERS else []
    except OUTAGES as error:
        log.warning("members_unknown", room=room, reason=type(error).__name__)
        return [], None
    return present, len(present) or count


@command("room.leave", Room, Nothing, policy=SIGNED_IN)
def leave(realtime: Realtime, connection: Connection, data: Room) -> Nothing:
    """Leave a room; leaving one that one is not in is no error. One's own room cannot be left."""
    if data.room.startswith("user:"):
        raise Invalid("Your own room cannot be left.", fields={"room": "is yours"})
    realtime.hub.leave(connection, data.room)
    return NOTHING


@command("room.members", Room, Members, policy=SIGNED_IN)
async def members(realtime: Realtime, connection: Connection, data: Room) -> Members:
    """Who is in a room, over all workers; of a coaching session also those invited who are not there."""
    await check(realtime, connection, data.room)
    present = await _seen(realtime, connection, data.room)
    kind, _, subject = data.room.partition(":")
    if kind == "session":
        here = {each.user for each in present}
        invited = await realtime.contexts.coaching.people(subject)
        present += [Member(who.user, who.name, who.role, False) for who in invited if who.user not in here]
    return Members(present[:MOST_MEMBERS], len(present))
