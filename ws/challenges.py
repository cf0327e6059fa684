"""Challenges live: reporting progress, and the board."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from fittracker.challenges.board import Row
from fittracker.challenges.finishing import FINISHED, Finished
from fittracker.challenges.metrics import MOST_VALUE
from fittracker.challenges.progress import PROGRESSED, Progressed
from fittracker.challenges.ranks import RANKED, Ranked
from fittracker.paging import LARGEST
from fittracker.policy import SIGNED_IN
from ws.commands import command
from ws.connection import Connection
from ws.events import EventType
from ws.fields import Id
from ws.realtime import Realtime
from ws.room_kinds import RoomKind
from ws.sender import user_of


class Report(msgspec.Struct, forbid_unknown_fields=True):
    """How much to add, in the challenge's unit. The same `client_id` sent again adds nothing."""

    challenge: Id
    value: Annotated[float, Meta(gt=0, le=MOST_VALUE)]
    client_id: UUID


class Reported(msgspec.Struct):
    """One's total after it, stored."""

    challenge: str
    total: float


class BoardQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How many lines, from the leader on."""

    challenge: Id
    limit: Annotated[int, Meta(ge=1, le=LARGEST)] = 10


class Line(msgspec.Struct):
    """Where somebody stands."""

    rank: int
    user: str
    name: str
    value: float


class BoardShown(msgspec.Struct):
    """The board; `mine` is null for who does not take part."""

    challenge: str
    participants: int
    items: list[Line]
    mine: Line | None


async def _look(realtime: Realtime, user: str, subject: str) -> bool:
    return await realtime.contexts.arena.looks(subject, user)


ROOMS: Final = (RoomKind("challenge", look=_look, logged=True),)
EVENTS: Final = (
    EventType(PROGRESSED, Progressed, rooms=("user",)),
    EventType(RANKED, Ranked, rooms=("challenge", "user")),
    EventType(FINISHED, Finished, rooms=("challenge",), durable=True),
)


@command("challenge.progress", Report, Reported, policy=SIGNED_IN)
async def progress(realtime: Realtime, connection: Connection, data: Report) -> Reported:
    """Add to one's total in a challenge whose metric is custom, while it runs."""
    total = await realtime.contexts.arena.progress.report(
        user_of(connection), data.challenge, data.value, str(data.client_id)
    )
    return Reported(data.challenge, total)


@command("challenge.board", BoardQuery, BoardShown, policy=SIGNED_IN)
async def board(realtime: Realtime, connection: Connection, data: BoardQuery) -> BoardShown:
    """The leaders of a challenge that one may look at, and where one stands oneself."""
    stretch, names = await realtime.contexts.arena.standings(
        user_of(connection), data.challenge, 0, data.limit
    )

    def line(row: Row) -> Line:
        return Line(row.rank, row.user, names.get(row.user, ""), row.value)

    mine = None if stretch.mine is None else line(stretch.mine)
    return BoardShown(data.challenge, stretch.participants, [line(row) for row in stretch.rows], mine)
