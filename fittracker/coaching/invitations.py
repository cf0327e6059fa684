"""Tells athletes who may not be looking that they are invited, that it begins, and that they are to stop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fittracker.background import Background
from fittracker.clock import Clock, rfc3339
from fittracker.mongo import Document
from fittracker.notifications import Notifications

APART_S: Final = 10.0
"""Stop, said again so soon to the same people, is in their inbox already."""


class Invitations:
    """Puts what concerns an athlete of a session into their inbox, beside whatever caused it."""

    def __init__(self, notifications: Notifications, background: Background, clock: Clock) -> None:
        self._notifications = notifications
        self._background = background
        self._clock = clock
        self._stopped: dict[tuple[str, str | None], float] = {}

    async def invited(self, session: Document, users: Iterable[str]) -> None:
        """These were invited."""
        self._spawn(session, "session.invited", f"invited {session['_id']}", users)

    async def changed(self, session: Document) -> None:
        """A planned session has begun."""
        if session["state"] == "live" and not session.get("paused_ms"):
            self._spawn(session, "session.started", f"started {session['_id']}", session["athletes"])

    def stops(self, session: str, to: str | None) -> bool:
        """Whether those whose device is in a pocket are to be told of a stop, for one of them or for all.

        A cue costs its trainer one command, and here an inbox for each athlete: not more than once in 10 s.
        """
        now = self._clock.monotonic()
        for key, at in tuple(self._stopped.items()):
            if now - at < APART_S:
                break  # the oldest are in front
            del self._stopped[key]
        if (session, to) in self._stopped:
            return False
        self._stopped[session, to] = now
        return True

    def stop(self, session: Document, cue: str, users: Iterable[str]) -> None:
        """Tell them of it."""
        self._spawn(session, "session.stop", f"stop {cue}", users)

    def _spawn(self, session: Document, event: str, key: str, users: Iterable[str]) -> None:
        work = self._notify(session, event, key, list(users))
        self._background.spawn(work, f"{event}-{session['_id']}")

    async def _notify(self, session: Document, event: str, key: str, users: list[str]) -> None:
        data = {"session": session["_id"], "starts_at": rfc3339(session["starts_at"])}
        for user in users:
            await self._notifications.notify(
                user,
                "coaching",
                event=event,
                key=key,
                by=session["trainer"],
                subject=f"session:{session['_id']}",
                data=data,
            )
