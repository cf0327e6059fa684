"""What a worker answers who asks for its sockets, see fittracker/connections.py.

A worker may have tens of thousands of them: they are looked through in pieces, newest first, and only as far
as the answer needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from fittracker.connections import Closing, Roll, Socket
from fittracker.control import CloseSocket, RollCall
from ws.connection import Connection
from ws.frames import Close
from ws.hub import Hub
from ws.presence import Sender

PIECE: Final = 2_000
"""Sockets looked at in one go: under a millisecond."""
KEPT_S: Final = b"10"
"""An answer that nobody takes is gone after this."""


class Clerk:
    """Answers for the sockets of one worker."""

    def __init__(self, hub: Hub, sender: Sender, epoch: float) -> None:
        """`epoch`: the unix time (s) at which the loop's time was 0; fixed, so the order of sockets is."""
        self._hub = hub
        self._sender = sender
        self._epoch = epoch

    async def answer(self, question: RollCall | CloseSocket) -> None:
        """Do what is asked for, and push the answer into the list of the question."""
        if isinstance(question, RollCall):
            await self._call(question)
        else:
            self._close(question)

    async def _call(self, call: RollCall) -> None:
        """Push the newest sockets that the call asks for into its list."""
        found: list[Socket] = []
        some = self._candidates(call)
        while len(found) < call.most and (piece := list(islice(some, PIECE))):
            chosen = (self._row(each) for each in piece if self._is_asked_for(each, call))
            found += islice(
                (row for row in chosen if call.after is None or row.place < call.after),
                call.most - len(found),
            )
            await asyncio.sleep(0)
        self._reply(call.reply, Roll(self._sender.worker, len(self._hub.connections), found))

    def _close(self, order: CloseSocket) -> None:
        """Close a socket of this worker and say so; another worker's is that one's business."""
        if order.connection.partition("-")[0] != self._sender.worker:
            return
        connection = self._hub.connections.get(order.connection)
        known = connection is not None and connection.open
        user = connection.identity.user if connection is not None and connection.identity else None
        if connection is not None:
            connection.close(Close.SIGNED_OUT, "closed by an administrator")
        self._reply(order.reply, Closing(self._sender.worker, known, user))

    def _candidates(self, call: RollCall) -> Iterator[Connection]:
        """The sockets among which the asked ones are, newest first; a copy, for some leave meanwhile."""
        if call.user is not None:
            some = self._hub.of_user(call.user)
        elif call.room is not None:
            room = self._hub.rooms.get(call.room)
            some = tuple(room.members) if room is not None else ()
        else:
            # They stand in the order in which they were opened.
            return reversed(tuple(self._hub.connections.values()))
        return iter(sorted(some, key=_age, reverse=True))

    @staticmethod
    def _is_asked_for(connection: Connection, call: RollCall) -> bool:
        return (
            connection.open
            and (call.address is None or connection.address == call.address)
            and (call.room is None or call.room in connection.rooms)
        )

    def _row(self, connection: Connection) -> Socket:
        identity = connection.identity
        return Socket(
            id=connection.id,
            user=identity.user if identity is not None else None,
            role=identity.role if identity is not None else None,
            device=identity is not None and identity.device,
            address=connection.address,
            opened=round((self._epoch + connection.opened) * 1000),
            encoding=connection.encoding.name.lower(),
            rooms=len(connection.rooms),
            unread=connection.backlog() if connection.open else 0,
        )

    def _reply(self, key: str, answer: Roll | Closing) -> None:
        self._sender.command(b"RPUSH", key.encode(), msgspec.json.encode(answer))
        self._sender.command(b"EXPIRE", key.encode(), KEPT_S)


def _age(connection: Connection) -> tuple[float, int]:
    """When it was opened; those of one turn of the wheel by their numbers."""
    return connection.opened, int(connection.id.rpartition("-")[2])
