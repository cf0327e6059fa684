"""What this worker's sockets are told of people being there: in rooms, and of those they asked about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from typing import Any

from fittracker import control
from fittracker.discretion import Discretion
from ws.acquaintance import Acquaintance, Ear
from ws.hub import Hub
from ws.presence import Presence
from ws.tidings import Event, Tidings

Spawn = Callable[[Coroutine[Any, Any, Any], str], None]


class Regard:
    """Hears of presence for one worker, and of whom it may be told to no more."""

    def __init__(
        self,
        hub: Hub,
        ear: Ear,
        presence: Presence,
        discretion: Discretion,
        meeting: Collection[str],
        event: Event,
        spawn: Spawn,
    ) -> None:
        self.tidings = Tidings(hub, presence, discretion, meeting, event, spawn)
        self.acquaintance = Acquaintance(ear, presence, discretion, spawn)
        self._presence = presence
        self._spawn = spawn

    def hear(self, room: str, letter: str, payload: bytes) -> None:
        """What Redis says (ws/presence.lua), of a room or of a person."""
        if room.startswith("online:"):
            self.acquaintance.hear(room.removeprefix("online:"), letter)
        else:
            self.tidings.hear(room, letter, payload)

    def look_again(self) -> None:
        """Something may have been missed."""
        self.tidings.look_again()
        self.acquaintance.look_again()

    def heed(self, message: control.SightEnded) -> None:
        """Somebody may see less than before; whom they are told of, and who is told of them, is looked at."""
        match message:
            case control.GrantEnded(athlete=athlete, trainer=trainer):
                self._reconsider({athlete, trainer})
            case control.Blocked(user=user, other=other):
                self._spawn(self._keep_apart(user, other), "blocked")
                self._reconsider({user, other})
            case control.SightChanged(user=user) | control.LookAgain(user=user):
                self._reconsider({user})
            case control.MembershipEnded(room=room, user=user):
                self._let_out(room, [user])
            case control.RoomEnded(room=room, users=users):
                self._let_out(room, users)

    def _let_out(self, room: str, users: Collection[str]) -> None:
        for user in users:
            self._presence.dismiss(room, user)
        self._reconsider(users)

    def _reconsider(self, people: Collection[str]) -> None:
        if self.acquaintance.concerns(people):
            self._spawn(self.acquaintance.reconsider(people), "acquaintance-reconsidered")

    async def _keep_apart(self, one: str, other: str) -> None:
        """Neither of the two sees the other in a room any more."""
        await self.tidings.part(one, other)
        await self.tidings.part(other, one)

    def close(self) -> None:
        """Tell nothing any more."""
        self.tidings.close()
        self.acquaintance.close()
