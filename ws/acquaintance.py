"""Of whom the sockets of this worker want to know whether they are online: those they have asked about.

A question is also the wish to be told of changes, for as long as the socket lives and may know of that
person. So nobody is told of people who do not interest them, and whoever comes online costs Redis one
PUBLISH, which mostly nobody hears.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any, Final, Protocol

from fittracker.discretion import Discretion
from fittracker.mongo import OUTAGES as MONGO_OUTAGES
from fittracker.observability import logger
from fittracker.redis import OUTAGES as REDIS_OUTAGES
from ws.connection import Connection
from ws.presence import Presence
from ws.tidings import AGAIN_S, GATHER_S, Changed

log = logger(__name__)

MOST: Final = 500
"""So many people a socket is told about; of more, those it asked about last."""
CONFIRM_S: Final = 2.0
"""How long a question waits until this worker hears of changes."""

Spawn = Callable[[Coroutine[Any, Any, Any], str], None]


class Ear(Protocol):
    """The way from Redis (ws/broker.py)."""

    def subscribe(self, room: str) -> asyncio.Future[None] | None:
        """Listen; the future is done once that is confirmed."""

    def unsubscribe(self, room: str) -> None:
        """Stop listening."""


class _Known:
    """Somebody who was asked about, and the sockets that did."""

    __slots__ = ("online", "watchers")

    def __init__(self) -> None:
        self.online: bool | None = None
        """As the watchers were told."""
        self.watchers: dict[Connection, None] = {}


class Acquaintance:
    """Whom the sockets of one worker want to know about."""

    def __init__(self, ear: Ear, presence: Presence, discretion: Discretion, spawn: Spawn) -> None:
        self._loop = asyncio.get_running_loop()
        self._ear = ear
        self._presence = presence
        self._discretion = discretion
        self._spawn = spawn
        self._known: dict[str, _Known] = {}
        self._of: dict[Connection, dict[str, None]] = {}
        self._heard: dict[str, bool] = {}
        self._due: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many people are asked about."""
        return len(self._known)

    # -- asking --------------------------------------------------------------------------------------

    async def ask(self, connection: Connection, viewer: str, users: Collection[str]) -> set[str]:
        """Those of the users who are online, as far as the viewer may know; changes are told from now on."""
        visible = await self._discretion.visible(viewer, set(users))
        waiting = [self._watch(connection, user) for user in visible] if connection.open else []
        confirmations = [each for each in waiting if each is not None]
        if confirmations:
            # First listen, then look. Without Redis the look fails, and nobody waits for it so long.
            await asyncio.wait(confirmations, timeout=CONFIRM_S)
        online = await self._presence.online(visible)
        for user in visible:
            self._learn(user, user in online)
        return online

    def _watch(self, connection: Connection, user: str) -> asyncio.Future[None] | None:
        mine = self._of.setdefault(connection, {})
        mine.pop(user, None)
        mine[user] = None
        while len(mine) > MOST:
            self._drop(connection, next(iter(mine)))
        known = self._known.get(user)
        if known is None:
            known = self._known[user] = _Known()
        known.watchers[connection] = None
        return self._ear.subscribe(_room(user))

    def _drop(self, connection: Connection, user: str) -> None:
        mine = self._of.get(connection)
        if mine is not None:
            mine.pop(user, None)
            if not mine:
                del self._of[connection]
        known = self._known.get(user)
        if known is not None:
            known.watchers.pop(connection, None)
            if not known.watchers:
                del self._known[user]
                self._heard.pop(user, None)
                self._ear.unsubscribe(_room(user))

    def forget(self, connection: Connection) -> None:
        """This socket is gone."""
        for user in tuple(self._of.get(connection, ())):
            self._drop(connection, user)

    # -- hearing and telling -------------------------------------------------------------------------

    def hear(self, user: str, letter: str) -> None:
        """Redis says: somebody came online (+), or went (-)."""
        self._learn(user, letter == "+")

    def _learn(self, user: str, online: bool) -> None:
        known = self._known.get(user)
        if known is None:
            return
        if known.online is None:
            known.online = online  # whoever asked is being answered
        elif known.online != online or user in self._heard:
            self._heard[user] = online
            self._tell_in(GATHER_S)

    def _tell_in(self, seconds: float) -> None:
        if self._due is None:
            self._due = self._loop.call_later(seconds, self._begin)

    def close(self) -> None:
        """Tell nothing any more."""
        if self._due is not None:
            self._due.cancel()

    def _begin(self) -> None:
        self._due = None
        self._spawn(self._tell(), "acquaintance")

    async def _tell(self) -> None:
        heard, self._heard = self._heard, {}
        try:
            knowing = await self._discretion.knowing(self._pairs(heard))
        except MONGO_OUTAGES as error:
            log.warning("acquaintance_waits", reason=type(error).__name__)
            self._heard = {**heard, **self._heard}
            self._tell_in(AGAIN_S)
            return
        for user, online in heard.items():
            known = self._known.get(user)
            if known is None or known.online == online:
                continue
            known.online = online
            for watcher in tuple(known.watchers):
                # Of somebody whom they may not know of any more they hear at most the end.
                if not online or (_viewer(watcher), user) in knowing:
                    watcher.tell("presence.changed", Changed(user=user, online=online))

    def _pairs(self, users: Iterable[str]) -> set[tuple[str, str]]:
        return {
            (_viewer(watcher), user)
            for user in users
            if user in self._known
            for watcher in self._known[user].watchers
        }

    # -- what may have changed -----------------------------------------------------------------------

    def look_again(self) -> None:
        """Something may have been missed: ask Redis about everybody, and tell what is new."""
        if self._known:
            self._spawn(self._look_again(), "acquaintance-looked-at")

    async def _look_again(self) -> None:
        users = tuple(self._known)
        try:
            online = await self._presence.online(users)
        except REDIS_OUTAGES:
            return  # when it is back, this is asked again
        for user in users:
            self._learn(user, user in online)

    def concerns(self, people: Collection[str]) -> bool:
        """Whether somebody here asked about one of these people, or one of them asked."""
        if not self._known:
            return False
        askers = {_viewer(each) for each in self._of}
        return any(each in self._known or each in askers for each in people)

    async def reconsider(self, people: Collection[str]) -> None:
        """What others may know of these people, or they of others, may be less now: end what is."""
        some = set(people)
        pairs = {
            (watcher, user) for user in some & self._known.keys() for watcher in self._known[user].watchers
        }
        for asker, users in self._of.items():
            if _viewer(asker) in some:
                pairs |= {(asker, user) for user in users}
        knowing = await self._discretion.knowing({(_viewer(each), user) for each, user in pairs})
        for connection, user in pairs:
            known = self._known.get(user)
            if known is None or (_viewer(connection), user) in knowing:
                continue
            if known.online and connection in known.watchers:
                connection.tell("presence.changed", Changed(user=user, online=False))
            self._drop(connection, user)


def _viewer(connection: Connection) -> str:
    return connection.identity.user if connection.identity is not None else ""


def _room(user: str) -> str:
    return f"online:{user}"
