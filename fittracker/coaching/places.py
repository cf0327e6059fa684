"""The places in a session: never more athletes than its capacity, however many are let in at once.

A trainer invites into a place. Whatever else may give one away later, such as a booking, does it with `take`.
"""

from __future__ import annotations

from typing import Final

from pymongo import ReturnDocument

from fittracker.coaching.entrance import OPEN_STATES
from fittracker.coaching.sessions import Coaching
from fittracker.errors import Conflict, Forbidden, Invalid, NotFound
from fittracker.ids import is_id
from fittracker.mongo import Database, Document

FREE: Final[Document] = {"$expr": {"$lt": [{"$size": "$athletes"}, "$capacity"]}}


class Places:
    """Gives places in sessions, and takes them back."""

    def __init__(self, database: Database, coaching: Coaching) -> None:
        self._sessions = database.coaching_sessions
        self._coaching = coaching

    async def invite(self, trainer: str, session: str, athlete: str) -> Document:
        """The session with this athlete in it; inviting twice is inviting once.

        NotFound for a session that is not the trainer's and for who is not known to them, Conflict where no
        place is free or the session is over.
        """
        await self._led_by(trainer, session)
        if athlete == trainer:
            raise Invalid("Trainers are in their sessions anyway.", fields={"user": "is yourself"})
        if await self._coaching.unknown(trainer, [athlete]):
            raise NotFound("There is no such person.")
        found, new = await self.take(session, athlete)
        if await self._coaching.unknown(trainer, [athlete]):  # one blocked the other at this very moment
            await self._give_back(session, athlete)
            raise NotFound("There is no such person.")
        if new:
            await self._coaching.tell_invited(found, [athlete])
        return found

    async def take(self, session: str, athlete: str) -> tuple[Document, bool]:
        """The session once the athlete has a place in it, and whether it is a new one; Conflict as above.

        Who takes it has made sure that there are such a session and such an athlete.
        """
        query: Document = {"_id": session, "state": {"$in": OPEN_STATES}, "athletes": {"$ne": athlete}}
        found = await self._sessions.find_one_and_update(
            {**query, **FREE},
            {"$push": {"athletes": athlete}, "$inc": {"version": 1}},
            return_document=ReturnDocument.AFTER,
        )
        if found is not None:
            return found, True
        found = await self._sessions.find_one({"_id": session})
        if found is None:
            raise NotFound("There is no such session.")
        if found["state"] not in OPEN_STATES:
            raise Conflict("The session has ended.", fields={"session": "is ended"})
        if athlete not in found["athletes"]:
            raise Conflict("The session is full.", fields={"capacity": f"is {found['capacity']}"})
        return found, False

    async def remove(self, user: str, session: str, athlete: str) -> None:
        """Take an athlete out, by its trainer or by themselves; who is not in it is out already.

        Their sockets leave the room everywhere. NotFound for a session that one does not belong to, Forbidden
        for taking out another athlete, Conflict once it is over.
        """
        if user != athlete:
            await self._led_by(user, session)
        elif (await self._coaching.get(user, session))["trainer"] == user:
            return
        if not await self._give_back(session, athlete):
            found = await self._sessions.find_one({"_id": session}, {"state": 1})
            if found is not None and found["state"] not in OPEN_STATES:
                raise Conflict("The session has ended.", fields={"session": "is ended"})

    async def _give_back(self, session: str, athlete: str) -> bool:
        out = {"athletes": athlete, "entered": athlete, "timers": {"to": athlete}}
        found = await self._sessions.find_one_and_update(
            {"_id": session, "state": {"$in": OPEN_STATES}, "athletes": athlete},
            {"$pull": out, "$inc": {"version": 1}},
        )
        if found is not None:
            await self._coaching.tell_parted(session, athlete)
        return found is not None

    async def _led_by(self, user: str, session: str) -> None:
        if not is_id(session):
            raise NotFound("There is no such session.")
        if (await self._coaching.get(user, session))["trainer"] != user:
            raise Forbidden("Only its trainer may do that.")
