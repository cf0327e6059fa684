"""Tells athletes who may not be looking that they are invited, that it begins, and that they are to stop."""

from __future__ import annotations

from collections.abc import Iterable

from fittracker.background import Background
from fittracker.clock import rfc3339
from fittracker.mongo import Document
from fittracker.notifications import Notifications


class Invitations:
    """Puts what concerns an athlete of a session into their inbox, beside whatever caused it."""

    def __init__(self, notifications: Notifications, background: Background) -> None:
        self._notifications = notifications
        self._background = background

    async def invited(self, session: Document, users: Iterable[str]) -> None:
        """These were invited."""
        self._spawn(session, "session.invited", f"invited {session['_id']}", users)

    async def changed(self, session: Document) -> None:
        """A planned session has begun."""
        if session["state"] == "live" and not session.get("paused_ms"):
            self._spawn(session, "session.started", f"started {session['_id']}", session["athletes"])

    def stop(self, session: Document, cue: str, users: Iterable[str]) -> None:
        """The trainer said stop: also to those whose device is in a pocket."""
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
