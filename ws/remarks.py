"""Events that are not for everybody in a room: each worker finds out whom of those here they are for."""

from __future__ import annotations

from typing import Final

import msgspec

from fittracker import control
from fittracker.contexts import Contexts
from ws.frames import Outgoing, event
from ws.hub import Hub, own_room

AT_A_TIME: Final = 1_000
"""So many people are looked up by one query."""


class Remarks:
    """Passes them on to the sockets of one worker."""

    def __init__(self, hub: Hub, contexts: Contexts) -> None:
        self._hub = hub
        self._contexts = contexts

    async def pass_on(self, remark: control.Remark) -> None:
        """Say it to those here whom it is for."""
        match remark:
            case control.ToFollowers():
                await self._to_followers(remark)
            case control.SaidBy():
                await self._said_by(remark)

    async def _to_followers(self, remark: control.ToFollowers) -> None:
        """Those here are asked about, or all who follow, whichever are fewer."""
        follows = self._contexts.follows
        here = [name.removeprefix("user:") for name in self._hub.rooms if name.startswith("user:")]
        if remark.followers <= len(here):
            async for user in follows.all_followers(remark.user):
                self._tell(user, remark)
            return
        for first in range(0, len(here), AT_A_TIME):
            for user in await follows.followers_of(remark.user, here[first : first + AT_A_TIME]):
                self._tell(user, remark)

    def _tell(self, user: str, remark: control.ToFollowers) -> None:
        room = own_room(user)
        if room in self._hub.rooms:
            self._hub.deliver(room, "", self._outgoing(room, remark))

    async def _said_by(self, remark: control.SaidBy) -> None:
        """To everybody in the room who has no block with the one who says it."""
        room = self._hub.rooms.get(remark.room)
        if room is None:
            return
        blocked = await self._contexts.blocks.among(remark.user, [who.user for who in room.people()])
        outgoing = self._outgoing(remark.room, remark)
        for member in tuple(room.members):
            if member.identity is not None and member.identity.user not in blocked:
                member.send(outgoing.frame(member.encoding))

    def _outgoing(self, room: str, remark: control.Remark) -> Outgoing:
        return event(remark.kind, msgspec.Raw(remark.data.encode()), room=room, at=self._contexts.clock.utc())
