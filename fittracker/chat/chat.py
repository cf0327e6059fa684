"""Talking: saying something in a room, reading what was said, and all that becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fittracker.announcer import Announcer
from fittracker.chat.activity import Activity
from fittracker.chat.conversations import Conversations
from fittracker.chat.edits import Edits
from fittracker.chat.farewell import Farewell
from fittracker.chat.forum import Forums
from fittracker.chat.keeping import Keeping
from fittracker.chat.marks import Marks
from fittracker.chat.membership import Membership
from fittracker.chat.mentions import Mentions
from fittracker.chat.message import SAID, ChatMessage, Page
from fittracker.chat.messages import Messages
from fittracker.chat.overview import Overview
from fittracker.chat.reactions import Reactions
from fittracker.chat.text import checked
from fittracker.clock import Clock
from fittracker.control import Control
from fittracker.mongo import Database
from fittracker.notifications import Notifications
from fittracker.roomlog.log import Confirmed, RoomLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What it stands on. `forums`: in which rooms people talk."""

    database: Database
    room_log: RoomLog
    forums: Forums
    conversations: Conversations
    notifications: Notifications
    announcer: Announcer
    control: Control
    clock: Clock
    unsaid: Mapping[str, Callable[[bytes], Any]]
    """What is left of events that are not chat's when who said them is gone."""
    days: int
    """How long what is said is kept; 0: for ever."""


class Chat:
    """What people say in all rooms where they may; `activity` has to be running."""

    def __init__(self, ground: Ground) -> None:
        database, log, forums = ground.database, ground.room_log, ground.forums
        announcer, clock = ground.announcer, ground.clock
        self._log = log
        self._forums = forums
        self._mentions = Mentions(forums, ground.notifications)
        self.activity = Activity(database)
        self.messages = Messages(log, forums)
        self.edits = Edits(log, self.messages, forums, self._mentions, clock)
        self.reactions = Reactions(log, self.messages, announcer)
        self.marks = Marks(database, log, self.messages, forums, announcer, clock)
        self.overview = Overview(database, ground.conversations, self.marks, forums)
        self.membership = Membership(database, ground.conversations, ground.control, announcer)
        self.keeping = Keeping(database, log, clock, days=ground.days)
        self.farewell = Farewell(log, self.reactions, self.membership, ground.unsaid)

    async def send(
        self, user: str, name: str, room: str, text: str, *, client_id: str, reply_to: str | None = None
    ) -> Confirmed:
        """Say something; when this returns it is stored, and everybody in the room is told.

        The same `client_id` in the same room is the same message. Invalid for a text that is none, NotFound
        for a room one is not in or an answer to what was not said there, Forbidden where one may not speak;
        Unavailable where the outcome is unknown: sending the same again is safe.
        """
        text = checked(text)
        await self._forums.check_speaks(user, room)
        if reply_to is not None:
            await self.messages.check_said(room, reply_to)
        mentioned = await self._mentions.among(room, text)
        message = ChatMessage(user, name, text, reply_to, mentioned)
        confirmed = await self._log.say(room, SAID, message, by=user, client_id=client_id)
        self.activity.note(room, confirmed.at_ms)
        if mentioned:
            await self._mentions.tell(user, room, confirmed.id, confirmed.place.seq, mentioned)
        return confirmed

    async def history(self, user: str, room: str, *, before: int | None = None, limit: int = 50) -> Page:
        """The newest messages with lower numbers, in order; NotFound for a room one is not in."""
        await self._forums.check_reads(user, room)
        return await self.messages.page(user, room, before, limit)

    async def heard(self, user: str, room: str) -> bool:
        """Whether what this person does there may be told to the room; NotFound for who is not in it."""
        return await self._forums.heard(user, room)
