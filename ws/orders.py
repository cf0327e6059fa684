"""What the workers tell each other over the control channel, and what this one does then.

Sign-ins end, people may see less than before, streams change hands: each message is about somebody's sockets,
and is acted on by every worker that has one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any

import msgspec

from fittracker import control
from fittracker.contexts import Contexts
from fittracker.observability import logger
from fittracker.telemetry import Telemetry
from ws.frames import Close, event
from ws.hub import Hub, own_room
from ws.regard import Regard
from ws.remarks import Remarks
from ws.roll_call import PIECE, Clerk

log = logger(__name__)

Spawn = Callable[[Coroutine[Any, Any, Any], str], None]
Staying = Callable[[Collection[str], str], Awaitable[set[str]]]
"""Those of some people who may be in a room now."""


class Orders:
    """Acts on them, for the sockets of one worker."""

    def __init__(
        self,
        worker: str,
        hub: Hub,
        contexts: Contexts,
        telemetry: Telemetry,
        clerk: Clerk,
        regard: Regard,
        spawn: Spawn,
        staying: Staying,
    ) -> None:
        self._worker = worker
        self._hub = hub
        self._contexts = contexts
        self._telemetry = telemetry
        self._clerk = clerk
        self._regard = regard
        self._spawn = spawn
        self._staying = staying
        self._remarks = Remarks(hub, contexts)
        self.sight_changes = 0
        """How many messages have come after which somebody may see less."""

    def heed(self, payload: bytes) -> None:
        """A message came from some worker, this one perhaps."""
        try:
            message = control.decode(payload)
        except msgspec.DecodeError:
            log.warning("control_message_unknown")  # a newer version's worker during a rolling deploy
        else:
            self._obey(message)

    def _obey(self, message: control.Message) -> None:
        match message:
            case control.SessionEnded(sid=sid):
                self._contexts.authenticator.forget(sid)
                for connection in self._hub.of_session(sid):
                    connection.close(Close.SIGNED_OUT, "signed out")
            case control.UserChanged(user=user, banned=banned):
                self._contexts.authenticator.forget_user(user)
                code = Close.BANNED if banned else Close.SIGNED_OUT
                for connection in self._hub.of_user(user):
                    connection.close(code, "account changed")
            case control.RollCall() | control.CloseSocket():
                self._spawn(self._clerk.answer(message), "roll-call")
            case control.Notice(text=text):
                self._spawn(self._announce(text), "notice")
            case control.StreamTaken(stream=stream, worker=worker):
                if worker != self._worker:
                    self._telemetry.let_go(stream)
            case control.ToFollowers() | control.SaidBy():
                self._spawn(self._remarks.pass_on(message), "remark")
            case _:
                self._look_after(message)

    async def _announce(self, text: str) -> None:
        """Tell everybody who is signed in; in pieces, for there may be tens of thousands."""
        notice = event("server.notice", {"text": text})
        everybody = list(self._hub.connections.values())
        for start in range(0, len(everybody), PIECE):
            for connection in everybody[start : start + PIECE]:
                if connection.identity is not None:
                    connection.send(notice.frame(connection.encoding))
            await asyncio.sleep(0)

    def _look_after(self, message: control.SightEnded) -> None:
        """Somebody may see less than before: what they see of it here ends now."""
        self.sight_changes += 1
        self._regard.heed(message)
        match message:
            case control.GrantEnded(athlete=athlete, trainer=trainer):
                self._spawn(self._look_again(athlete, trainer), "grant-ended")
            case control.Blocked(user=user, other=other):
                self._spawn(self._look_again(user, other), "blocked")
                self._spawn(self._look_again(other, user), "blocked")
                self._spawn(self._look_at_rooms_of(user), "blocked")
                self._spawn(self._look_at_rooms_of(other), "blocked")
            case control.SightChanged(user=user):
                self._spawn(self._look_at_watchers(user), "sight-changed")
                self._spawn(self._look_at_posts_of(user), "sight-changed")
            case control.LookAgain(user=user):
                self._spawn(self._look_at_rooms_of(user), "look-again")
            case control.RoomChanged(room=room):
                self._spawn(self._look_at_room(room), "room-changed")
            case control.MembershipEnded(room=room, user=user):
                self._let_out(room, [user])
            case control.RoomEnded(room=room, users=users):
                self._let_out(room, users)

    def _let_out(self, room: str, users: Sequence[str]) -> None:
        """These people are in a room no more, and see what they saw because of it no more."""
        self._telemetry.part(users, room.removeprefix("session:"))
        for user in users:
            self._part(room, user)
        self._spawn(self._look_at_each(users), "membership-ended")

    async def _look_at_each(self, users: Sequence[str]) -> None:
        for user in users:
            await self._look_at_all(user)

    def _part(self, room: str, user: str) -> None:
        """Somebody is out of a room: they neither hear what is said there, nor is anything of them shown."""
        for connection in self._hub.of_user(user):
            self._hub.leave(connection, room)
            for feed in connection.feeds or ():
                feed.leave(room)
            for watched in connection.analyses or ():
                watched.leave(room)

    async def _look_at_all(self, user: str) -> None:
        """Somebody left a session: those who saw them, or whom they saw, because of it see them no more."""
        await self._look_at_watchers(user)
        rooms = {name for connection in self._hub.of_user(user) for name in connection.rooms}
        for name in rooms:
            if name.startswith("heart:"):
                await self._look_again(name.removeprefix("heart:"), user)

    async def _look_at_watchers(self, athlete: str) -> None:
        """Everybody who watches this athlete here may still do so, or does so no more."""
        room = self._hub.rooms.get(f"heart:{athlete}")
        await self._close_watches(athlete, {who.user for who in room.people()} if room else set())

    async def _look_again(self, athlete: str, watcher: str) -> None:
        """The watcher may still see the athlete for another reason."""
        room = f"heart:{athlete}"
        if any(room in each.rooms for each in self._hub.of_user(watcher)):
            await self._close_watches(athlete, {watcher})

    async def _close_watches(self, athlete: str, watchers: set[str]) -> None:
        allowed = await self._contexts.people.watching(athlete, watchers)
        for watcher in watchers - allowed:
            for connection in self._hub.of_user(watcher):
                self._hub.leave(connection, f"heart:{athlete}")

    async def _look_at_rooms_of(self, user: str) -> None:
        """A person may see less: wherever they are and may not be any more, they are out."""
        rooms = {name for connection in self._hub.of_user(user) for name in connection.rooms}
        for name in rooms - {own_room(user)}:
            if user not in await self._staying({user}, name):
                self._part(name, user)

    async def _look_at_room(self, name: str) -> None:
        """Fewer people may be in a room."""
        room = self._hub.rooms.get(name)
        here = {who.user for who in room.people()} if room else set()
        for user in here - await self._staying(here, name):
            self._part(name, user)

    async def _look_at_posts_of(self, user: str) -> None:
        """A person shows themselves to fewer: their posts are seen by fewer."""
        here = [name.removeprefix("post:") for name in self._hub.rooms if name.startswith("post:")]
        for post in await self._contexts.social.posts.of(user, here) if here else ():
            await self._look_at_room(f"post:{post}")

    async def look_at_everything(self) -> None:
        """Messages may have been missed: whoever may not be where they are any more leaves now.

        One after the other: this may be a question to MongoDB for each person and room.
        """
        for name, room in tuple(self._hub.rooms.items()):
            kind, _, subject = name.partition(":")
            if kind == "heart":
                await self._look_at_watchers(subject)
            elif kind != "user":
                for who in tuple(room.people()):
                    await self._look_at_member(name, who.user)
        # A wearable is in no room; what it sends is shown in that of its session all the same.
        for stream in tuple(self._telemetry.streams.values()):
            if stream.session is not None:
                await self._look_at_member(f"session:{stream.session}", stream.user)
        # Nor need a camera be.
        for connection in tuple(self._hub.connections.values()):
            for watched in connection.analyses or ():
                if watched.session is not None:
                    await self._look_at_member(f"session:{watched.session}", watched.user)

    async def _look_at_member(self, room: str, user: str) -> None:
        if user not in await self._staying({user}, room):
            self._let_out(room, [user])
