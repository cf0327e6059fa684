"""The open sockets of all workers: who is connected where, asked for when somebody wants to know.

Nothing is kept for it. A control message asks every worker, each pushes one answer into a list in Redis, and
the asker takes them out until all have answered or a second has passed. Which workers there are is known
from `WORKERS` and from the key that each keeps alive: so whoever reads an answer sees whether it is whole.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from redis.asyncio import Redis

from fittracker.audit import Audit
from fittracker.caller import Caller
from fittracker.control import CloseSocket, Control, Notice, RollCall
from fittracker.errors import BadRequest, NotFound, Unavailable
from fittracker.paging import LARGEST
from fittracker.redis import WORKERS, roll_key, worker_key

PATIENCE_S: Final = 1.0
SHORTEST_S: Final = 0.01
"""Redis takes a time-out of nothing for one without end."""
_ID: Final = re.compile(r"([0-9a-f]{12})-([0-9]{1,12})", re.ASCII)
_PLACE: Final = re.compile(r"([0-9]{1,15})-" + _ID.pattern, re.ASCII)

Place = tuple[int, str, int]
"""Where a socket stands in the order of all: opened (unix ms), its worker, its number there."""


class Socket(msgspec.Struct, frozen=True):
    """One open socket.

    `opened`: unix ms, up to a second early; `unread`: bytes that its peer has not taken yet.
    `user` and `role` are None where nobody has signed in on it; `device`: with a device token.
    """

    id: str
    user: str | None
    role: str | None
    device: bool
    address: str
    opened: int
    encoding: str
    rooms: int
    unread: int

    @property
    def place(self) -> Place:
        """Where it stands among all."""
        worker, _, number = self.id.partition("-")
        return self.opened, worker, int(number)


class Roll(msgspec.Struct, frozen=True):
    """What one worker answers: how many sockets it has, and the newest of those that were asked for."""

    worker: str
    sockets: int
    found: list[Socket]


class Closing(msgspec.Struct, frozen=True):
    """What the worker of a socket answers that is to be closed; whose it was, where it had it."""

    worker: str
    closed: bool
    user: str | None


Answer = TypeVar("Answer", Roll, Closing)


@dataclass(frozen=True, slots=True)
class Page:
    """Sockets, newest first. `sockets`: how many are open in all, on the workers that answered."""

    items: list[Socket]
    next_cursor: str | None
    sockets: int
    workers_asked: int
    workers_answered: int


class Connections:
    """Asks all workers for their sockets."""

    def __init__(self, redis: Redis, control: Control, audit: Audit) -> None:
        self._redis = redis
        self._control = control
        self._audit = audit

    async def page(
        self,
        *,
        user: str | None = None,
        address: str | None = None,
        room: str | None = None,
        limit: int,
        cursor: str | None,
        caller: Caller,
    ) -> Page:
        """Open sockets of a person, an address and in a room, or all; BadRequest for a forged cursor."""
        after = None if cursor is None else _place(cursor)
        limit = max(1, min(limit, LARGEST))
        await self._audit.record("admin.looked", caller, target=user, what="connections")
        living = await self._living()
        call = RollCall(_list(), limit + 1, user=user, address=address, room=room, after=after)
        await self._control.tell(call)
        rolls = await self._gather(call.reply, living, Roll)
        found = sorted(
            (each for roll in rolls for each in roll.found), key=lambda each: each.place, reverse=True
        )
        items = found[:limit]
        return Page(
            items=items,
            next_cursor="-".join(map(str, items[-1].place)) if len(found) > limit else None,
            sockets=sum(roll.sockets for roll in rolls),
            workers_asked=len(living | {roll.worker for roll in rolls}),
            workers_answered=len(rolls),
        )

    async def close(self, connection: str, caller: Caller) -> None:
        """Close a socket wherever it is (4010).

        NotFound where its worker does not know it or is gone, Unavailable where that worker does not answer.
        """
        form = _ID.fullmatch(connection)
        if form is None or not await self._redis.exists(worker_key(form[1])):
            raise NotFound("There is no such connection.")
        order = CloseSocket(_list(), connection)
        await self._control.tell(order)
        answers = await self._gather(order.reply, {form[1]}, Closing)
        if not answers:
            raise Unavailable("Its worker does not answer.", retry_after_ms=2_000)
        if not answers[0].closed:
            raise NotFound("There is no such connection.")
        await self._audit.record(
            "admin.connection_closed", caller, target=answers[0].user, connection=connection
        )

    async def announce(self, text: str, caller: Caller) -> None:
        """Say something to everybody who is connected now, as `server.notice`."""
        await self._audit.record("admin.notice", caller, text=text)
        await self._control.tell(Notice(text))

    async def _living(self) -> set[str]:
        """The workers that have said lately that they live; those that died are taken off the list."""
        known = sorted(str(each) for each in await self._redis.smembers(WORKERS))
        alive = await self._redis.mget([worker_key(each) for each in known]) if known else []
        dead = [worker for worker, value in zip(known, alive, strict=True) if value is None]
        if dead:
            await self._redis.srem(WORKERS, *dead)
        return set(known) - set(dead)

    async def _gather(self, key: str, living: set[str], kind: type[Answer]) -> list[Answer]:
        """The answers of these workers, one each, or those that came within a second."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        answers: dict[str, Answer] = {}
        while not living <= answers.keys() and (left := deadline - loop.time()) > SHORTEST_S:
            taken = await self._redis.blpop([key], timeout=left)
            if taken is not None:
                answer = msgspec.json.decode(taken[1], type=kind)
                answers[answer.worker] = answer
        return list(answers.values())


def _list() -> str:
    """A list in Redis for the answers to one question."""
    return roll_key(secrets.token_hex(12))


def _place(cursor: str) -> Place:
    form = _PLACE.fullmatch(cursor)
    if form is None:
        raise BadRequest("The cursor was not made by this server.")
    return int(form[1]), form[2], int(form[3])
