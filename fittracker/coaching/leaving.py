"""What becomes of a trainer's words when their account is deleted: nobody reads them any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from fittracker.coaching.cues import CUE, FEEDBACK, SessionCue, SessionFeedback
from fittracker.coaching.voice import room_of
from fittracker.mongo import Database
from fittracker.roomlog.log import RoomLog

STEP: Final = 200


class Leaving:
    """Empties the rooms of sessions that nobody leads any more. It may be interrupted and done again."""

    def __init__(self, database: Database, room_log: RoomLog) -> None:
        self._sessions = database.coaching_sessions
        self._marks = database.chat_marks
        self._log = room_log

    async def erase(self, user: str, step: Callable[[], Awaitable[None]]) -> None:
        """Their sessions go, so nobody can read what was said there: it goes as well.

        `step` is awaited now and then; what it raises ends the work, to be gone on with later.
        """
        async for session in self._sessions.find({"trainer": user}, {"_id": 1}):
            room = room_of(session["_id"])
            while found := await self._log.archive.spots({"room": room}, STEP):
                await self._log.amendments.remove(found)
                await step()
            await self._marks.delete_many({"room": room})


def _cue(data: bytes) -> SessionCue:
    return msgspec.structs.replace(msgspec.json.decode(data, type=SessionCue), by="", text=None)


def _feedback(data: bytes) -> SessionFeedback:
    said = msgspec.json.decode(data, type=SessionFeedback)
    return msgspec.structs.replace(said, by="", code="", text="")


UNSAID: Final[Mapping[str, Callable[[bytes], Any]]] = {CUE: _cue, FEEDBACK: _feedback}
"""What is left of them in the rooms of those to whom they were said."""
